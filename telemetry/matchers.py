"""Alertmanager's label matchers, with comparisons on numbers; parsed once, run on columns or on a label set.

Syntax: ``name="value"``, ``!=``, ``=~``, ``!~`` (regular expressions anchored at both ends), and ``<``, ``<=``,
``>``, ``>=`` against a number. Quotes may be left out around a value, and around a name that does not begin with a
digit and has neither blanks nor characters of the syntax itself. A missing label equals the empty string, as in
Alertmanager; a missing number satisfies no comparison.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry.columns import Columns, StringColumn
from telemetry.errors import MatcherError
from telemetry.schema import FIELD_BY_NAME

_TEXT: Final = r'"(?:[^"\\]|\\.)*"'
_BEGINNING: Final = rf"\s*({_TEXT}|(?!\d)[^\s{{}}!=~<>,\\\"'`]+)\s*(=~|!~|!=|<=|>=|=|<|>)"
_MATCHER: Final = re.compile(rf"{_BEGINNING}\s*(.*?)\s*", re.DOTALL)
_BETWEEN: Final = re.compile(rf"{_TEXT}|(,)(?={_BEGINNING}|\s*$)", re.DOTALL)
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_QUOTED: Final = re.compile(_TEXT, re.DOTALL)
_ESCAPE: Final = re.compile(r'\\(["\\n])')
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_REMEDY: Final = 'write name="value" with one of = != =~ !~, or a number after < <= > >='


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition: ``name`` ``op`` ``value``; ``op`` is one of ``= != =~ !~ < <= > >=``."""

    name: str
    op: str
    value: str

    def __post_init__(self) -> None:
        if self.op in ("=~", "!~"):
            try:
                re.compile(self.value)
            except re.error as error:
                raise MatcherError(f"{self.value!r} is not a regular expression: {error}", remedy=_REMEDY) from None
        if self.op in _COMPARE and math.isnan(_number(self.value)):
            raise MatcherError(f"{self.name} {self.op} {self.value!r} does not compare with a number", remedy=_REMEDY)

    def __str__(self) -> str:
        return f"{written_name(self.name)}{self.op}{self.value if self.op in _COMPARE else quoted(self.value)}"

    def accepts(self, text: str) -> bool:
        """Whether a label with this text (``""`` when missing) satisfies the condition."""
        if self.op == "=":
            return text == self.value
        if self.op == "!=":
            return text != self.value
        if self.op in _COMPARE:
            return _COMPARE[self.op](_number(text), float(self.value))
        found = re.fullmatch(self.value, text) is not None
        return found if self.op == "=~" else not found

    def mask(self, columns: Columns) -> NDArray[np.bool_]:
        """(n,) bool: the records that satisfy the condition; an attribute may be text in one and number in another."""
        numbers = columns.numbers.get(self.name)
        if self.name not in columns.strings and (numbers is not None or self._names_a_number()):
            return self._number_mask(columns.number(self.name))
        column = columns.string(self.name)
        verdict = column.mask([self.accepts(value) for value in column.values], missing=self.accepts(""))
        return verdict if numbers is None else np.where(column.codes < 0, self._number_mask(numbers), verdict)

    def excludes(self, columns: Columns) -> bool:
        """Whether it is plain, without a look at the records, that none satisfies the condition."""
        column = columns.strings.get(self.name)
        return (
            self.op == "="
            and self.value != ""
            and (column is None or self.value not in column.values)
            and self.name not in columns.numbers
        )

    def _names_a_number(self) -> bool:
        field = FIELD_BY_NAME.get(self.name)
        return field is not None and field.kind == "number"

    def _number_mask(self, numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
        compare = _COMPARE.get(self.op)
        if compare is not None:
            return np.asarray(compare(numbers, float(self.value)))  # type: ignore[arg-type]  # NumPy broadcasts
        bound = _number(self.value)
        if self.op in ("=", "!=") and not math.isnan(bound):
            return np.asarray(numbers == bound if self.op == "=" else numbers != bound)
        texts = StringColumn.of_numbers(numbers)
        return texts.mask([self.accepts(text) for text in texts.values], missing=self.accepts(""))


def _number(text: str) -> float:
    """The number that ``text`` is; NaN when it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


@dataclass(frozen=True, slots=True)
class Matchers:
    """Conditions that must all hold; an empty set accepts everything."""

    items: tuple[Matcher, ...] = ()

    def __str__(self) -> str:
        return "{" + ", ".join(str(item) for item in self.items) + "}"

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Whether a label set satisfies every condition."""
        return all(item.accepts(labels.get(item.name, "")) for item in self.items)

    def mask(self, columns: Columns) -> NDArray[np.bool_]:
        """(n,) bool: the records that satisfy every condition."""
        if self.excludes(columns):
            return np.zeros(len(columns), dtype=np.bool_)
        verdict = np.ones(len(columns), dtype=np.bool_)
        for item in self.items:
            verdict &= item.mask(columns)
        return verdict

    def excludes(self, columns: Columns) -> bool:
        """Whether it is plain, without a look at the records, that none satisfies the conditions."""
        return any(item.excludes(columns) for item in self.items)

    @property
    def names(self) -> frozenset[str]:
        """The labels that the conditions speak of."""
        return frozenset(item.name for item in self.items)


def parse_matcher(text: str) -> Matcher:
    """One condition from its text.

    Raises:
        MatcherError: the text is not a matcher.
    """
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise MatcherError(f"{text!r} is not a matcher", remedy=_REMEDY)
    name, op, value = found.groups()
    if (value.startswith('"') or value.endswith('"')) and not _QUOTED.fullmatch(value):
        raise MatcherError(f"the quotes in {text!r} do not close", remedy=_REMEDY)
    return Matcher(_unquoted(name), op, _unquoted(value))


def parse_matcher_set(text: str) -> tuple[Matcher, ...]:
    """Several conditions from one text, as Alertmanager has them: ``a="1", b=~"2|3"``, in braces or not.

    A comma separates only where a condition or nothing follows, and never within quotes.

    Raises:
        MatcherError: a part is not a matcher.
    """
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    commas = [found.start() for found in _BETWEEN.finditer(inner) if found[1]]
    parts = [inner[start:end] for start, end in zip([0, *(at + 1 for at in commas)], [*commas, None], strict=True)]
    return tuple(parse_matcher(part) for part in parts if part.strip() or len(parts) == 1)


def written_name(name: str) -> str:
    """A label's name as a matcher has it: in quotes where it needs them."""
    return name if _PLAIN_NAME.fullmatch(name) else quoted(name)


def quoted(text: str) -> str:
    """A text in quotes, as a matcher has its value."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _unquoted(text: str) -> str:
    """The text without the quotes around it, if there are any."""
    if not text.startswith('"'):
        return text
    return _ESCAPE.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], text[1:-1])


def parse_matchers(texts: Iterable[str]) -> Matchers:
    """Conditions from their texts, one a text.

    Raises:
        MatcherError: a text is not a matcher.
    """
    return Matchers(tuple(parse_matcher(text) for text in texts))
