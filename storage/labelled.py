"""Requests with the judgements on them, as columns that rules count by; it knows no rule and no waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from storage.database import Database
from storage.feedback import FeedbackRow
from storage.requests import RequestKey, find_requests
from telemetry.columns import Columns, StringColumn, first_present
from telemetry.schema import DOUBT_RIGHT, DOUBT_WRONG, LABEL_CORRECT


def join(
    db: Database, judgements: Mapping[RequestKey, FeedbackRow], fields: frozenset[str] | None = None
) -> tuple[Columns, list[RequestKey]]:
    """The stored requests among those judged, one row each, and which they are.

    A row is the request's inference log completed by its span. Its event time is the judgement's, so that it is
    counted when it became known. Beside canonical fields it has ``LABEL_CORRECT`` (as the judgement says; else
    whether its label equals the prediction), ``DOUBT_RIGHT`` and ``DOUBT_WRONG``. ``fields`` names what is read
    (None: all).

    Raises:
        StorageError: the database cannot be used.
    """
    wanted = None if fields is None else fields | {"prediction", "confidence"}
    logs, in_logs = find_requests(db, "log", judgements.keys(), wanted)
    spans, in_spans = find_requests(db, "span", judgements.keys(), wanted)
    keys = list(dict.fromkeys((*in_logs, *in_spans)))
    parts = [(logs, _places(in_logs, keys)), (spans, _places(in_spans, keys))]
    return _judged(_completed(parts, keys), [judgements[key] for key in keys]), keys


def _places(found: Sequence[RequestKey], keys: Sequence[RequestKey]) -> NDArray[np.intp]:
    """(keys,) the row of each key among those found, -1 where it is not."""
    rows = {key: row for row, key in enumerate(found)}
    return np.asarray([rows.get(key, -1) for key in keys], dtype=np.intp)


def _completed(parts: Sequence[tuple[Columns, NDArray[np.intp]]], keys: Sequence[RequestKey]) -> Columns:
    """One row a key: every field from the first of the parts that has it."""
    n = len(keys)
    strings: dict[str, StringColumn] = {}
    numbers: dict[str, NDArray[np.float64]] = {}
    start_ns, is_inference = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_)
    for columns, rows in reversed(parts):
        held = rows >= 0
        start_ns[held] = columns.start_ns[rows[held]]
        is_inference[held] |= columns.is_inference[rows[held]]
        for name, text in columns.strings.items():
            mine = _texts(text, rows)
            strings[name] = mine if name not in strings else first_present([mine, strings[name]])
        for name, values in columns.numbers.items():
            own = np.full(n, np.nan)
            own[held] = values[rows[held]]
            numbers[name] = own if name not in numbers else np.where(np.isnan(own), numbers[name], own)
    ids = [np.frombuffer(b"".join(key[part] for key in keys), dtype=np.uint8) for part in (0, 1)]
    return Columns(
        signal="span",
        time_ns=start_ns,
        start_ns=start_ns,
        trace_id=ids[0].reshape(n, 16),
        span_id=ids[1].reshape(n, 8),
        parent_span_id=np.zeros((n, 8), dtype=np.uint8),
        name=StringColumn.missing(n),
        strings=strings,
        numbers=numbers,
        is_inference=is_inference,
    )


def _texts(column: StringColumn, rows: NDArray[np.intp]) -> StringColumn:
    """The values at ``rows``, missing where the row is -1."""
    return StringColumn(np.append(column.codes, np.int32(-1))[rows], column.values)


def _judged(requests: Columns, judgements: Sequence[FeedbackRow]) -> Columns:
    labels = StringColumn.of(row.label for row in judgements).optional()
    stated = [row.correct for row in judgements]
    correct = np.asarray(
        [
            float(label == prediction) if said is None and label and prediction else said
            for said, label, prediction in zip(stated, labels, requests.string("prediction").optional(), strict=True)
        ],
        dtype=np.float64,
    )
    doubt = requests.number("doubt")
    right, wrong = np.where(correct == 1, doubt, np.nan), np.where(correct == 0, doubt, np.nan)
    return replace(
        requests,
        time_ns=np.asarray([row.time_ns for row in judgements], dtype=np.int64),
        numbers={**requests.numbers, LABEL_CORRECT: correct, DOUBT_RIGHT: right, DOUBT_WRONG: wrong},
    )
