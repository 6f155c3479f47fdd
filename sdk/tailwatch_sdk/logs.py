"""Inference logs and feedback for code that has no open call at hand; the call's own are `InferenceCall.log`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tailwatch_sdk import events, fields, semantics, values
from tailwatch_sdk.call import current_call


def log_inference(
    operation: str | None = None,
    *,
    model: str | None = None,
    provider: str | None = None,
    model_version: str | None = None,
    tenant: str | None = None,
    input_type: str | None = None,
    features: Mapping[str, object] | None = None,
    prediction: object = None,
    confidence: float | None = None,
    embedding: object = None,
    trace_id: str | None = None,
    span_id: str | None = None,
) -> None:
    """Send an inference log: what went into a model, what came out, and how sure it was.

    Inside a call, whatever is left out (operation, model, ...) is the call's. Bad values are dropped one by one with a
    notice; nothing is raised.

    Args:
        operation: `chat`, `classify`, ...
        model: The model.
        provider: Who runs it.
        model_version: Its deployed version.
        tenant: On whose behalf.
        input_type: A kind of input that is watched apart.
        features: The model's inputs by name: numbers, text or booleans.
        prediction: The output as a class or a number.
        confidence: How sure the model is of it, usually in [0, 1].
        embedding: A vector of finite numbers, all of one length for each model.
        trace_id: 32 hexadecimal digits of the call that this belongs to; with `span_id`. Default: the current span.
        span_id: 16 hexadecimal digits.
    """
    context = None
    if trace_id is not None or span_id is not None:
        context = events.linked(trace_id or "", span_id or "")
        if context is None:
            return
    identity: dict[str, Any] = current_call().identity() if context is None else {}
    fields.put(identity, semantics.OPERATION, operation, values.text)
    fields.put(identity, semantics.REQUEST_MODEL, model, values.text)
    fields.put(identity, semantics.PROVIDER, provider, values.text)
    fields.put(identity, semantics.MODEL_VERSION, model_version, values.text)
    fields.put(identity, semantics.TENANT, tenant, values.text)
    fields.put(identity, semantics.INPUT_TYPE, input_type, values.text)
    events.emit_inference(
        identity=identity,
        context=context,
        features=features,
        prediction=prediction,
        confidence=confidence,
        embedding=embedding,
    )


def feedback(
    *,
    trace_id: str,
    span_id: str,
    label: str | float | bool | None = None,
    correct: bool | None = None,
    score: float | None = None,
) -> None:
    """Judge an earlier call: a true label that arrived late, right or wrong, or a score. Give at least one.

    Args:
        trace_id: `call.trace_id` of the call: 32 hexadecimal digits.
        span_id: `call.span_id` of the call: 16 hexadecimal digits.
        label: The true class, compared with the call's prediction.
        correct: Whether the answer was right.
        score: A finite number of your own scale.
    """
    events.emit_feedback(trace_id=trace_id, span_id=span_id, label=label, correct=correct, score=score)
