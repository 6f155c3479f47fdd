"""Which column of a file is which field of the inference record, and how its values are read."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from tailwatch.importing.readers import ImportFileError
from telemetry.windows import NANOS

_OK = frozenset({"", "ok", "success", "succeeded", "true", "unset", "none", "null"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"\.(\d+)")
_MOST = 1e9
"""No request took 31 years or a thousand million tokens: such a number stands in the wrong column."""
_END_NS = 2**62
"""The year 2116: later times, moved by no more than that, still fit 64-bit nanoseconds."""


@dataclass(frozen=True, slots=True)
class Constants:
    """Values for fields that the file has no column for."""

    service: str
    model: str
    operation: str


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Column names by field; None where the file has none. ``features`` maps feature name to column."""

    time: str
    latency: str | None = None
    tokens_in: str | None = None
    tokens_out: str | None = None
    status: str | None = None
    service: str | None = None
    model: str | None = None
    features: Mapping[str, str] = field(default_factory=dict)

    def check(self, path: Path, columns: Sequence[str]) -> None:
        """Raise for columns that the file does not have.

        Raises:
            ImportFileError: naming the option, the column and what the file has instead.
        """
        named = {
            "--time": self.time, "--latency": self.latency, "--tokens-in": self.tokens_in,
            "--tokens-out": self.tokens_out, "--status": self.status,
        } | {f"--feature {name}=": column for name, column in self.features.items()}  # fmt: skip
        faults = [
            f"{option} names column {column!r}, which the file does not have{_hint(column, columns)}"
            for option, column in named.items()
            if column is not None and column not in columns
        ]
        if faults:
            raise ImportFileError(
                "; ".join(faults), where=str(path), remedy=f"the columns are: {', '.join(map(str, columns))}"
            )


@dataclass(frozen=True, slots=True)
class ImportedRequest:
    """One past request: start in ns, latency in seconds, and what else the file says of it."""

    start_ns: int
    latency_s: float
    service: str
    model: str
    error: str
    tokens_in: float | None
    tokens_out: float | None
    features: Mapping[str, str | float]


class RowReader:
    """Rows of one file as :class:`ImportedRequest`."""

    def __init__(self, path: Path, mapping: ColumnMapping, constants: Constants) -> None:
        self._path = path
        self._mapping = mapping
        self._constants = constants

    def read(self, number: int, row: Mapping[str, Any]) -> ImportedRequest:
        """Interpret one row.

        Raises:
            ImportFileError: naming the line, the column and the value.
        """
        mapping = self._mapping
        return ImportedRequest(
            start_ns=self._time(number, mapping.time, row.get(mapping.time)),
            latency_s=self._number(number, mapping.latency, row) or 0.0,
            service=self._text(mapping.service, row) or self._constants.service,
            model=self._text(mapping.model, row) or self._constants.model,
            error=_error_type(self._text(mapping.status, row)),
            tokens_in=self._number(number, mapping.tokens_in, row),
            tokens_out=self._number(number, mapping.tokens_out, row),
            features={name: _feature(row.get(column)) for name, column in mapping.features.items()},
        )

    def _text(self, column: str | None, row: Mapping[str, Any]) -> str:
        value = None if column is None else row.get(column)
        return "" if value is None else _unicode(str(value).strip())

    def _number(self, number: int, column: str | None, row: Mapping[str, Any]) -> float | None:
        text = self._text(column, row)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value <= _MOST:
            raise self._fault(
                number, str(column), text, "not a number of 0 or more, and at most 1e9",
                "mend the value or leave it empty",
            )  # fmt: skip
        return value

    def _time(self, number: int, column: str, value: Any) -> int:
        text = "" if value is None else str(value).strip()
        try:
            time_ns = _datetime_ns(value) if isinstance(value, datetime) else _time_ns(text)
        except ValueError:
            time_ns = -1
        if not 0 <= time_ns < _END_NS:
            raise self._fault(
                number,
                column,
                text,
                "not a time from 1970 on",
                "write ISO 8601 or seconds, ms, us or ns since the epoch",
            )
        return time_ns

    def _fault(self, number: int, column: str, value: str, what: str, remedy: str) -> ImportFileError:
        return ImportFileError(f"column {column}: {value!r} is {what}", where=f"{self._path}:{number}", remedy=remedy)


def _hint(column: str, columns: Sequence[str]) -> str:
    close = difflib.get_close_matches(column.lower(), [str(name).lower() for name in columns], n=1)
    match = next((name for name in columns if close and str(name).lower() == close[0]), None)
    return f" (did you mean {match!r}?)" if match else ""


def _time_ns(text: str) -> int:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _iso_ns(text)
    return _epoch_ns(number)


def _epoch_ns(number: Decimal) -> int:
    """Seconds, ms, us or ns since the epoch, told apart by size: all four are unambiguous from 1973 to 5138."""
    if not number.is_finite() or not 0 <= number < _END_NS:
        raise ValueError(number)
    for scale in (1, 10**3, 10**6):
        if number < 10**11 * scale:
            return int(number * (NANOS // scale))
    return int(number)


def _iso_ns(text: str) -> int:
    """ISO 8601 with any number of fractional digits (Python reads six); a time without zone is UTC."""
    fraction = _FRACTION.search(text)
    nanos = int(fraction[1][:9].ljust(9, "0")) if fraction else 0
    return _datetime_ns(datetime.fromisoformat(_FRACTION.sub("", text))) + nanos


def _datetime_ns(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1) * 1000


def _error_type(status: str) -> str:
    """The ``error.type`` of a status: empty for success words and for HTTP statuses below 400."""
    if status.lower() in _OK:
        return ""
    code = status.removesuffix(".0")
    if code.isascii() and code.isdigit():
        return "" if int(code[:9]) < 400 else code
    return status


def _feature(value: Any) -> str | float:
    if value is None:
        return ""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return _unicode(str(value))
    return number if math.isfinite(number) else ""


def _unicode(text: str) -> str:
    """``text`` with the halves of surrogate pairs replaced, which JSON can spell and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")
