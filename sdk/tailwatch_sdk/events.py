"""Builds inference logs and feedback as OTLP log records; sends nothing itself."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from tailwatch_sdk import fields, notices, providers, semantics, values

_TRACE_ID: Final = re.compile(r"[0-9a-fA-F]{32}")
_NO_LIMIT: Final = 2**31
_SPAN_ID: Final = re.compile(r"[0-9a-fA-F]{16}")


def emit_inference(
    *,
    identity: Mapping[str, Any],
    context: Context | None,
    features: Mapping[str, object] | None,
    prediction: object,
    confidence: float | None,
    embedding: object,
) -> None:
    """Send one inference log; bad values are dropped one by one.

    Args:
        identity: Attributes that say whose call it was.
        context: The context whose span the log belongs to; None for the current one.
        features: Model inputs by name.
        prediction: A class or a number.
        confidence: A finite number.
        embedding: A vector of finite numbers.
    """
    attributes: dict[str, Any] = {}
    if features is not None:
        fields.put_all(attributes, semantics.FEATURE_PREFIX, features, fields.MAX_FEATURES)
    fields.put(attributes, semantics.PREDICTION, prediction, values.scalar, _NO_LIMIT)
    fields.put(attributes, semantics.CONFIDENCE, confidence, values.finite, _NO_LIMIT)
    fields.put(attributes, semantics.EMBEDDING, embedding, values.vector, _NO_LIMIT)
    # Last, because an attribute limit set in the environment drops the oldest first, and a log must keep its owner.
    attributes.update(identity)
    _emit(semantics.INFERENCE_EVENT, attributes, context)


def emit_feedback(*, trace_id: str, span_id: str, label: object, correct: bool | None, score: float | None) -> None:
    """Send a judgement on an earlier call; see `tailwatch_sdk.feedback`."""
    context = linked(trace_id, span_id)
    if context is None:
        return
    attributes: dict[str, Any] = {}
    fields.put(attributes, semantics.FEEDBACK_LABEL, label, values.text)
    fields.put(attributes, semantics.FEEDBACK_CORRECT, correct, values.flag)
    fields.put(attributes, semantics.FEEDBACK_SCORE, score, values.finite)
    if attributes:
        _emit(semantics.FEEDBACK_EVENT, attributes, context)
    else:
        notices.once("feedback", "Feedback needs a label, correct or score; feedback without any is dropped.")


def linked(trace_id: str, span_id: str) -> Context | None:
    """A context that names a span of another time or process; None, with one notice, if the ids are no ids."""
    span_context = SpanContext(
        _id(trace_id, _TRACE_ID),
        _id(span_id, _SPAN_ID),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    if not span_context.is_valid:
        notices.once(
            "ids",
            "trace_id must be 32 and span_id 16 hexadecimal digits, not all zero, as `call.trace_id` and "
            "`call.span_id` give them; a record for other ids is dropped.",
        )
        return None
    return trace.set_span_in_context(NonRecordingSpan(span_context), Context())


def _id(text: object, pattern: re.Pattern[str]) -> int:
    return int(text, 16) if isinstance(text, str) and pattern.fullmatch(text) else 0


def _emit(name: str, attributes: dict[str, Any], context: Context | None) -> None:
    try:
        providers.current().logger.emit(
            LogRecord(
                timestamp=time.time_ns(),
                context=context,
                severity_number=SeverityNumber.INFO,
                attributes=attributes,
                event_name=name,
            )
        )
    except Exception as problem:  # noqa: BLE001  # a host's own logger provider and processors run here
        notices.once(f"emit:{name}", "A %s record is lost: emitting it raised %r.", name, problem)
