"""Whether records conform to a schema of their fields, vectorised; it says which records do not, and repairs none.

Numbers are checked as arrays, texts once for each distinct value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from telemetry.columns import Columns, StringColumn
from telemetry.schema import is_log_home

ValueType = Literal["number", "integer", "text", "boolean"]
VALUE_TYPES: Final[tuple[ValueType, ...]] = ("number", "integer", "text", "boolean")

_BOOLEANS: Final = ("true", "false")

_Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FieldCheck:
    """What the value of one field must be, where there is one; each None asks nothing.

    Attributes:
        field: canonical field, ``feature.<name>`` or attribute.
        type: what it must be. Canonical fields are read as what they are, so this is for features and attributes.
        low, high: bounds of a number, both allowed themselves; a text is out of any range.
        allowed: the values as text; numbers as ``telemetry.columns.StringColumn.of_numbers`` writes them.
        pattern: a regular expression that the whole text matches.
        max_length: the most characters.
    """

    field: str
    type: ValueType | None = None
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] | None = None
    pattern: str | None = None
    max_length: int | None = None

    def fails(self, columns: Columns) -> _Mask:
        """(n,) bool: the records that have a value which is not what it must be."""
        numbers = columns.number(self.field)
        texts = columns.string(self.field)
        failing = texts.mask([not self._accepts_text(value) for value in texts.values], missing=False)
        alone = ~np.isnan(numbers) & (texts.codes < 0)
        if alone.any():
            failing |= alone & ~self._accepted(numbers)
        return failing

    @property
    def _reads_text(self) -> bool:
        return self.allowed is not None or self.pattern is not None or self.max_length is not None

    def _accepts_text(self, value: str) -> bool:
        if self.type in ("number", "integer") or (self.type == "boolean" and value not in _BOOLEANS):
            return False
        return self.low is None and self.high is None and self._reads(value)

    def _reads(self, value: str) -> bool:
        """Whether a value as text is among those allowed, matches, and is short enough."""
        return (
            (self.allowed is None or value in self.allowed)
            and (self.pattern is None or re.fullmatch(self.pattern, value) is not None)
            and (self.max_length is None or len(value) <= self.max_length)
        )

    def _accepted(self, numbers: NDArray[np.float64]) -> _Mask:
        """(n,) bool for numbers; what NaN gives means nothing."""
        accepted = np.full(len(numbers), self.type in (None, "number", "integer"))
        if self.type == "integer":
            accepted &= numbers == np.floor(numbers)
        if self.low is not None:
            accepted &= numbers >= self.low
        if self.high is not None:
            accepted &= numbers <= self.high
        if self._reads_text:
            written = StringColumn.of_numbers(numbers)
            accepted &= written.mask([self._reads(value) for value in written.values], missing=False)
        return accepted


@dataclass(frozen=True)
class Conforms:
    """Good: the record has every required field, and every value that it has is what it must be.

    Spans and inference logs carry different fields of a call (:func:`telemetry.schema.is_log_home`), so each record is
    held against the fields of its own signal: a log against the fields that logs feed; a span against all others, and
    against those of logs only if it carries one of them itself. A record without any field to hold it against is no
    event.
    """

    required: tuple[str, ...] = ()
    checks: tuple[FieldCheck, ...] = ()

    @cached_property
    def names(self) -> frozenset[str]:
        """The fields that it reads."""
        return frozenset({*self.required, *(check.field for check in self.checks)})

    def masks(self, columns: Columns) -> tuple[_Mask, _Mask]:
        """(n,) bool each: the valid events, and those of them that are good."""
        of_logs = self._carrying_log_fields(columns) if columns.signal == "span" else _all(columns)
        of_spans = columns.signal == "span" and not all(map(is_log_home, self.names))
        bad = np.zeros(len(columns), dtype=np.bool_)
        for name in self.required:
            if is_log_home(name):
                bad |= of_logs & ~_present(columns, name)
            elif of_spans:
                bad |= ~_present(columns, name)
        for check in self.checks:
            if of_spans or is_log_home(check.field):
                bad |= check.fails(columns)
        valid = _all(columns) if of_spans else of_logs
        return valid, valid & ~bad

    def _carrying_log_fields(self, columns: Columns) -> _Mask:
        """(n,) bool: the spans that carry any of the fields that logs feed."""
        found = np.zeros(len(columns), dtype=np.bool_)
        for name in filter(is_log_home, self.names):
            found |= _present(columns, name)
        return found


def _present(columns: Columns, name: str) -> _Mask:
    return (columns.string(name).codes >= 0) | ~np.isnan(columns.number(name))


def _all(columns: Columns) -> _Mask:
    return np.ones(len(columns), dtype=np.bool_)
