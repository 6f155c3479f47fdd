"""Raw columns to canonical columns: the alias table of ``telemetry.schema``, run column by column. It drops no record.

What is computed rather than read (duration, cost, fingerprint) is in ``collector.derive``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from collector.decode import AttributeColumn, RawColumns
from telemetry.columns import Columns, StringColumn, first_present
from telemetry.schema import (
    FEATURE_ATTRIBUTE_PREFIX,
    FEATURE_PREFIX,
    FEEDBACK_ATTRIBUTES,
    FIELD_BY_NAME,
    FIELDS,
    HTTP_STATUS_SOURCES,
    INFERENCE_EVENTS,
    OPENINFERENCE_OPERATIONS,
    PROMPT_SOURCES,
    PROVIDER_ALIASES,
    SURROUNDING_OPERATIONS,
    Field,
    is_feature,
)

_CHANGES: Final[Mapping[str, Callable[[str], str | None]]] = MappingProxyType(
    {
        **dict.fromkeys(FIELD_BY_NAME["provider"].sources, lambda value: PROVIDER_ALIASES.get(value, value)),
        "openinference.span.kind": lambda value: OPENINFERENCE_OPERATIONS.get(value.upper()),
        **dict.fromkeys(
            ("gen_ai.request.stream", "llm.is_streaming", "tailwatch.cache.hit", "tailwatch.warmup"), str.lower
        ),
    }
)
"""How the values of a source become the field's; every other source is taken as it stands."""

_REFUSED: Final = {429.0: "429", 503.0: "503"}
_NEVER_NEGATIVE: Final = frozenset(
    field.name for field in FIELDS if field.kind == "number" and (field.unit in ("s", "USD") or "tokens" in field.name)
)


FIELD_ATTRIBUTES: Final = frozenset(
    {
        *(source for field in FIELDS for source in (*field.sources, *field.resource)),
        *HTTP_STATUS_SOURCES,
        *PROMPT_SOURCES,
        *FEEDBACK_ATTRIBUTES,
    }
)
"""Every attribute that something canonical is read from."""


def attributes_among(names: Iterable[str]) -> frozenset[str]:
    """Those of the ``names`` in rules and prices that are neither canonical fields nor features: attributes."""
    return frozenset(name for name in names if name not in FIELD_BY_NAME and not is_feature(name))


def normalise(raw: RawColumns, extra: frozenset[str], text_length: int) -> Columns:
    """The canonical fields that can be read, features, and the attributes named in ``extra``.

    Text is cut to ``text_length`` characters; a feature with a longer name is ignored, and counted so in the reports
    of ``raw``. Negative durations, tokens and costs are missing values: they
    come from clocks that ran backwards, and would otherwise count as very good.
    """
    strings: dict[str, StringColumn] = {}
    numbers: dict[str, NDArray[np.float64]] = {}
    for field in FIELDS:
        if field.kind == "string":
            _put_strings(strings, field.name, _string_field(raw, field), text_length)
        else:
            _put_numbers(numbers, field.name, _number_field(raw, field))
    _put_strings(strings, "error_type", _error_type(raw, strings.get("error_type")), text_length)
    for name, column in _other_attributes(raw, extra, text_length):
        _put_strings(strings, name, column.strings, text_length)
        _put_numbers(numbers, name, column.numbers)
    return Columns(
        signal=raw.signal,
        time_ns=raw.time_ns,
        start_ns=raw.start_ns,
        trace_id=raw.trace_id,
        span_id=raw.span_id,
        parent_span_id=raw.parent_span_id,
        name=_clean(raw.name, text_length),
        strings=strings,
        numbers=numbers,
        is_inference=_is_inference(raw, strings),
        raw=raw.raw,
        resource=raw.resource,
        resources=raw.resources,
        embeddings=raw.embeddings,
    )


def _put_strings(into: dict[str, StringColumn], name: str, column: StringColumn | None, text_length: int) -> None:
    if column is not None and column.values:
        into[name] = _clean(column, text_length)


def _clean(column: StringColumn, text_length: int) -> StringColumn:
    """Cut to length, and without NUL, which PostgreSQL cannot store."""
    if max(map(len, column.values), default=0) <= text_length and "\0" not in "".join(column.values):
        return column
    return column.map(lambda value: value[:text_length].replace("\0", ""))


def _put_numbers(into: dict[str, NDArray[np.float64]], name: str, numbers: NDArray[np.float64] | None) -> None:
    if numbers is None:
        return
    if name in _NEVER_NEGATIVE:
        negative = numbers < 0
        if negative.any():
            numbers = np.where(negative, np.nan, numbers)
    if has_numbers(numbers):
        into[name] = numbers


def has_numbers(numbers: NDArray[np.float64]) -> bool:
    """Whether any is not NaN; most often the first one tells."""
    return len(numbers) > 0 and (not math.isnan(numbers[0]) or not bool(np.isnan(numbers).all()))


def _string_field(raw: RawColumns, field: Field) -> StringColumn | None:
    found: StringColumn | None = None
    for name, column, rows in _sources(raw, field):
        if found is not None and found.is_complete():
            break
        text = as_text(column)
        if name in _CHANGES:
            text = text.map(_CHANGES[name])
        if rows is not None:
            text = StringColumn(text.codes[rows], text.values)
        found = text if found is None else first_present([found, text])
    return found


def _number_field(raw: RawColumns, field: Field) -> NDArray[np.float64] | None:
    result: NDArray[np.float64] | None = None
    for _, column, rows in _sources(raw, field):
        numbers = as_numbers(column) if rows is None else as_numbers(column)[rows]
        result = numbers if result is None else np.where(np.isnan(result), numbers, result)
    return result


_Source: TypeAlias = tuple[str, AttributeColumn, NDArray[np.int32] | None]


def _sources(raw: RawColumns, field: Field) -> Iterable[_Source]:
    """What ``field`` can be read from, in order of precedence: name, column, and the column's row of each record."""
    for name in field.sources:
        if name in raw.attributes:
            yield name, raw.attributes[name], None
    for name in field.resource:
        if name in raw.resource_attributes:
            yield name, raw.resource_attributes[name], raw.resource


def as_text(column: AttributeColumn) -> StringColumn:
    """The attribute as text; a number reads as it is usually written."""
    strings = column.strings
    if (strings.values and strings.is_complete()) or not has_numbers(column.numbers):
        return strings
    return first_present([strings, StringColumn.of_numbers(column.numbers)])


def as_numbers(column: AttributeColumn) -> NDArray[np.float64]:
    """The attribute as numbers, (n,) float64; text that is no finite number is missing."""
    if not column.strings.values:
        return column.numbers
    table = np.asarray([*map(_parsed, column.strings.values), np.nan])
    return np.where(np.isnan(column.numbers), table[column.strings.codes], column.numbers)


def _parsed(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _error_type(raw: RawColumns, named: StringColumn | None) -> StringColumn:
    """The error of each record: a refusal by HTTP status, else the named error, else ``_OTHER`` for status ERROR.

    The HTTP status comes first because clients name a 429 after their own exception class.
    """
    found = [] if named is None else [named]
    for name in HTTP_STATUS_SOURCES:
        if name in raw.attributes:
            found.insert(0, _refusals(as_numbers(raw.attributes[name])))
    if raw.status_error.any():
        found.append(StringColumn(raw.status_error.astype(np.int32) - 1, ("_OTHER",)))
    return first_present(found) if found else StringColumn.missing(len(raw))


def _refusals(status: NDArray[np.float64]) -> StringColumn:
    """Which HTTP ``status`` (n,) is a refusal."""
    codes = np.full(len(status), -1, dtype=np.int32)
    for code, value in enumerate(_REFUSED):
        codes[status == value] = code
    return StringColumn(codes, tuple(_REFUSED.values()))


def _other_attributes(
    raw: RawColumns, extra: frozenset[str], text_length: int
) -> Iterable[tuple[str, AttributeColumn]]:
    for name, column in raw.attributes.items():
        if not name.startswith(FEATURE_ATTRIBUTE_PREFIX):
            continue
        if len(name) > text_length:
            _ignore(raw, column)
        else:
            yield FEATURE_PREFIX + name.removeprefix(FEATURE_ATTRIBUTE_PREFIX), column
    for name in sorted(extra):
        own = raw.attributes.get(name)
        if name in raw.resource_attributes:
            shared = raw.resource_attributes[name].take(raw.resource.astype(np.intp))
            yield name, shared if own is None else _either(own, shared)
        elif own is not None:
            yield name, own


def _either(own: AttributeColumn, shared: AttributeColumn) -> AttributeColumn:
    """Record by record its ``own`` value if it has one, text or number, else the ``shared`` one."""
    lacks = (own.strings.codes < 0) & np.isnan(own.numbers)
    lacking = StringColumn(np.where(lacks, shared.strings.codes, np.int32(-1)), shared.strings.values)
    return AttributeColumn(first_present([own.strings, lacking]), np.where(lacks, shared.numbers, own.numbers))


def _ignore(raw: RawColumns, column: AttributeColumn) -> None:
    """Count the values of ``column`` as ignored, each in its own body."""
    present = (column.strings.codes >= 0) | ~np.isnan(column.numbers)
    for report, values in zip(raw.reports, np.bincount(raw.body[present], minlength=len(raw.reports)), strict=True):
        report.ignored_values += int(values)


def _is_inference(raw: RawColumns, strings: Mapping[str, StringColumn]) -> NDArray[np.bool_]:
    """A span with an operation that is a model's own work, or with a model alone; a log by its event name."""
    n = len(raw)
    if raw.signal == "log":
        return raw.name.mask([value in INFERENCE_EVENTS for value in raw.name.values], missing=False)
    operation = strings.get("operation")
    model = strings.get("model")
    found = np.zeros(n, dtype=np.bool_) if model is None else model.codes >= 0
    if operation is None:
        return found
    found |= operation.codes >= 0
    surrounding = [value in SURROUNDING_OPERATIONS for value in operation.values]
    return found & ~operation.mask(surrounding, missing=False) if any(surrounding) else found
