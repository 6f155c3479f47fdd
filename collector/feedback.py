"""Picks feedback (labels that arrive after the request) out of log records; joining it is whoever reads it's."""

from __future__ import annotations

import numpy as np

from collector.decode import AttributeColumn, RawColumns
from collector.normalise import as_numbers, as_text
from storage.feedback import FeedbackRow
from telemetry.columns import StringColumn
from telemetry.schema import FEEDBACK_ATTRIBUTES, FEEDBACK_EVENT

_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})


def feedback_of(raw: RawColumns, text_length: int) -> list[tuple[int, FeedbackRow]]:
    """The feedback among ``raw``, each with the number of the body it came in.

    One that names no request is counted among its body's rejections.
    """
    is_feedback = raw.name.mask([value == FEEDBACK_EVENT for value in raw.name.values], missing=False)
    if raw.signal != "log" or not is_feedback.any():
        return []
    nothing = AttributeColumn(StringColumn.missing(len(raw)), np.full(len(raw), np.nan))
    label, correct, score = (raw.attributes.get(name, nothing) for name in FEEDBACK_ATTRIBUTES)
    labels, verdicts, scores = as_text(label).optional(), as_text(correct).tolist(), as_numbers(score)
    found: list[tuple[int, FeedbackRow]] = []
    for row in np.flatnonzero(is_feedback):
        body = int(raw.body[row])
        trace_id, span_id = raw.trace_id[row].tobytes(), raw.span_id[row].tobytes()
        if not any(trace_id) or not any(span_id):
            raw.reports[body].rejections.add("feedback_without_request")
            continue
        text = labels[row]
        feedback = FeedbackRow(
            time_ns=int(raw.time_ns[row]),
            trace_id=trace_id,
            span_id=span_id,
            label=None if text is None else text[:text_length],
            correct=_verdict(verdicts[row]),
            score=None if np.isnan(scores[row]) else float(scores[row]),
        )
        found.append((body, feedback))
    return found


def _verdict(text: str) -> bool | None:
    lowered = text.lower()
    return True if lowered in _TRUE else False if lowered in _FALSE else None
