"""Alertmanager's label matchers, with comparisons on numbers; parsed once, run on columns or on a label set.

Syntax: ``name="value"``, ``!=``, ``=~``, ``!~`` (regular expressions anchored at both ends), and ``<``, ``<=``,
``>``, ``>=`` against a number. Quotes may be left out. A missing label equals the empty string, as in
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

_MATCHER: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.\-]*)\s*(=~|!~|!=|<=|>=|=|<|>)\s*(.*?)\s*", re.DOTALL)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
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
        if self.op in _COMPARE:
            return f"{self.name}{self.op}{self.value}"
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.op}"{escaped}"'

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
    if value.startswith('"') or value.endswith('"'):
        quoted = _QUOTED.fullmatch(value)
        if quoted is None:
            raise MatcherError(f"the quotes in {text!r} do not close", remedy=_REMEDY)
        value = _ESCAPE.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], quoted[1])
    return Matcher(name, op, value)


def parse_matchers(texts: Iterable[str]) -> Matchers:
    """Conditions from their texts, one a text.

    Raises:
        MatcherError: a text is not a matcher.
    """
    return Matchers(tuple(parse_matcher(text) for text in texts))
