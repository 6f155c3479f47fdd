"""One inference call: a span that is open while the model works, and what is known about it.

It never raises into the code that it measures and never swallows that code's exceptions.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, Self

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode

from tailwatch_sdk import events, fields, notices, providers, semantics, values
from tailwatch_sdk.failures import error_type
from tailwatch_sdk.fields import Field

_CALL_KEY: Final = otel_context.create_key("tailwatch-call")
_NS: Final = 1_000_000_000


class InferenceCall:
    """A context manager (`with` and `async with`) around one inference; make it with `inference_span`.

    Fields may be assigned from any thread, at any time before the call ends; each is sent as the attribute named in
    its declaration. A value of the wrong kind, or one that comes after the end, is dropped with one log line, never
    an exception.
    """

    __slots__ = (
        "_ended",
        "_handed_over",
        "_initial",
        "_recorded",
        "_span",
        "_start_ns",
        "_started_ns",
        "_token",
        "context",
        "name",
    )

    provider = Field(semantics.PROVIDER, values.text)
    model = Field(semantics.REQUEST_MODEL, values.text)
    response_model = Field(semantics.RESPONSE_MODEL, values.text)
    model_version = Field(semantics.MODEL_VERSION, values.text)
    tenant = Field(semantics.TENANT, values.text)
    input_type = Field(semantics.INPUT_TYPE, values.text)
    user = Field(semantics.USER, values.text)
    session = Field(semantics.SESSION, values.text)
    prompt_hash = Field(semantics.PROMPT_HASH, values.text)
    input_tokens = Field(semantics.INPUT_TOKENS, values.count, "1")
    """All tokens of the input, the cached ones included."""
    output_tokens = Field(semantics.OUTPUT_TOKENS, values.count, "1")
    cached_tokens = Field(semantics.CACHED_TOKENS, values.count, "1")
    """Those of `input_tokens` that came from the prompt cache."""
    cache_write_tokens = Field(semantics.CACHE_WRITE_TOKENS, values.count, "1")
    reasoning_tokens = Field(semantics.REASONING_TOKENS, values.count, "1")
    queue_duration = Field(semantics.QUEUE_DURATION, values.amount, "s")
    prefill_duration = Field(semantics.PREFILL_DURATION, values.amount, "s")
    decode_duration = Field(semantics.DECODE_DURATION, values.amount, "s")
    gpu_duration = Field(semantics.GPU_DURATION, values.amount, "s")
    """GPU seconds spent on this call: a batch's time divided among its calls."""
    batch_size = Field(semantics.BATCH_SIZE, values.count, "1")
    cost_usd = Field(semantics.COST_USD, values.amount, "USD")
    cache_hit = Field(semantics.CACHE_HIT, values.flag)
    """Whether the whole answer came from a response cache."""
    stream = Field(semantics.STREAM, values.flag)
    warmup = Field(semantics.WARMUP, values.flag)
    """Whether the call only warms the model up; an SLO leaves such calls out with ``warmup!="true"``."""

    def __init__(self, name: str, attributes: Mapping[str, Any]) -> None:
        self.name = name
        self.context: Context | None = None
        self._initial = attributes
        self._recorded: dict[str, Any] = {}
        self._span: Span = trace.INVALID_SPAN
        self._start_ns = 0
        self._started_ns = 0
        self._token: Any = None
        self._ended = False
        self._handed_over = False

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped (`stop`, `length`, `tool_calls`, ...)."""
        reasons = self._recorded.get(semantics.FINISH_REASONS)
        return reasons[0] if reasons else None

    @finish_reason.setter
    def finish_reason(self, reason: str | None) -> None:
        if reason is None:
            self._recorded.pop(semantics.FINISH_REASONS, None)
        else:
            fields.put(self._recorded, semantics.FINISH_REASONS, reason, lambda text: (values.text(text),))

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; all zero before the call starts and when telemetry is off."""
        return f"{self._span.get_span_context().trace_id:032x}"

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits; all zero before the call starts and when telemetry is off."""
        return f"{self._span.get_span_context().span_id:016x}"

    @property
    def started(self) -> bool:
        """Whether the span was opened."""
        return self._started_ns != 0

    def first_token(self) -> None:
        """Mark the arrival of the first token (of the first chunk of a stream); later marks are ignored."""
        if semantics.TIME_TO_FIRST_CHUNK not in self._recorded and self._started_ns:
            self._recorded[semantics.TIME_TO_FIRST_CHUNK] = (time.perf_counter_ns() - self._started_ns) / _NS

    def set(self, attribute: str, value: object) -> None:
        """Record any other attribute: a str, bool, int, float or a list of these (NumPy and PyTorch too)."""
        if self._ended:
            fields.late(attribute)
        elif isinstance(attribute, str) and attribute:
            fields.put(self._recorded, attribute, value, values.attribute)
        else:
            fields.refuse("an attribute's name", ValueError(f"must be a non-empty str, got {type(attribute).__name__}"))

    def fail(self, error: str | BaseException) -> None:
        """Mark the call as failed although no exception leaves it.

        Args:
            error: The value of `error.type` (`timeout`, `429`, `content_filter`: few different values, no messages),
                or the exception that was handled.
        """
        if isinstance(error, BaseException):
            self._record_failure(error)
        else:
            fields.put(self._recorded, semantics.ERROR_TYPE, error, values.text)

    def log(
        self,
        *,
        features: Mapping[str, object] | None = None,
        prediction: object = None,
        confidence: float | None = None,
        embedding: object = None,
    ) -> None:
        """Send an inference log linked to this call; also possible after the call ended.

        Args:
            features: The model's inputs by name: numbers, text or booleans. Drift is watched field by field.
            prediction: The model's output as a class or a number.
            confidence: How sure the model is of it, usually in [0, 1].
            embedding: A vector of finite numbers (list, tuple, array or tensor), all of one length for each model.
        """
        events.emit_inference(
            identity=self.identity(),
            context=self.context,
            features=features,
            prediction=prediction,
            confidence=confidence,
            embedding=embedding,
        )

    def stage(self, name: str, *, offset_s: float, duration_s: float) -> None:
        """Add a child span for a part of the call that is already over (`queue`, `prefill`, `decode`, ...).

        Args:
            name: The part's name.
            offset_s: Seconds from the start of the call to the start of the part.
            duration_s: Length of the part in seconds.
        """
        try:
            start_ns = self._start_ns + round(values.amount(offset_s) * _NS)
            end_ns = start_ns + round(values.amount(duration_s) * _NS)
            span = providers.current().tracer.start_span(values.text(name), self.context, start_time=start_ns)
            span.end(end_ns)
        except Exception as problem:  # noqa: BLE001  # telemetry never fails its host
            fields.refuse("stage", problem)

    def identity(self) -> dict[str, Any]:
        """The attributes that say whose call this is: operation, model, version, tenant, input type, ..."""
        known = {**self._initial, **self._recorded}
        return {name: known[name] for name in semantics.IDENTITY if name in known}

    def start(self) -> None:
        """Open the span below the current one, without making it current."""
        if self._started_ns:
            notices.once("reuse", "A call can be measured once; make a new inference_span for every call.")
            return
        parent = otel_context.get_current()
        self._start_ns = time.time_ns()
        self._started_ns = time.perf_counter_ns()
        self.context = parent
        try:
            self._span = span = providers.current().tracer.start_span(
                self.name, parent, SpanKind.CLIENT, self._initial, start_time=self._start_ns
            )
            self.context = otel_context.set_value(_CALL_KEY, self, trace.set_span_in_context(span, parent))
        except Exception as problem:  # noqa: BLE001  # a host's own provider and processors run here
            notices.once("start", "A call is not measured: starting its span raised %r.", problem)

    def end(self, error: BaseException | None = None) -> None:
        """Close the span; a second end is ignored.

        Args:
            error: The exception that ended the call, if one did.
        """
        if self._ended:
            return
        self._ended = True
        # The length comes from the monotonic clock, so that a step of the wall clock cannot bend a latency.
        end_ns = self._start_ns + time.perf_counter_ns() - self._started_ns
        span = self._span
        try:
            if error is not None:
                self._record_failure(error)
            if span.is_recording():
                span.set_attributes(self._recorded)
                failure = self._recorded.get(semantics.ERROR_TYPE)
                if failure is not None:
                    span.set_status(StatusCode.ERROR, failure)
            span.end(end_ns)
        except Exception as problem:  # noqa: BLE001  # as in start
            notices.once("end", "A call is lost: ending its span raised %r.", problem)

    def abandon(self) -> None:
        """Close the span of a stream whose consumer stopped reading: finish reason `cancelled`, not an error."""
        if not self._ended:
            self._recorded.setdefault(semantics.FINISH_REASONS, ("cancelled",))
            self.end()

    def hand_over(self) -> None:
        """Leave the call open when its block ends: a stream that outlives the block will end it."""
        self._handed_over = True

    def _record_failure(self, error: BaseException) -> None:
        """Keep the exception as an event of the span, and its type unless `fail` has named one."""
        try:
            self._recorded.setdefault(semantics.ERROR_TYPE, error_type(error))
            if isinstance(error, Exception):
                self._span.record_exception(error)
        except Exception as problem:  # noqa: BLE001  # an exception's __str__ and properties are the application's code
            self._recorded.setdefault(semantics.ERROR_TYPE, type(error).__qualname__)
            notices.once("exception", "An exception's details are dropped: reading them raised %r.", problem)

    def __enter__(self) -> Self:
        self.start()
        if self.context is not None and self._token is None:
            self._token = otel_context.attach(self.context)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace_back: object) -> None:
        if self._token is not None:
            otel_context.detach(self._token)
            self._token = None
        if error is not None or not self._handed_over:
            self.end(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: object
    ) -> None:
        self.__exit__(kind, error, trace_back)


def current_call() -> InferenceCall:
    """The innermost call that is open here; outside any call, one that takes everything and sends nothing.

    Inside a decorated function this is how to record tokens: `tailwatch.current_call().output_tokens = 12`.
    """
    found = otel_context.get_value(_CALL_KEY)
    return found if isinstance(found, InferenceCall) else InferenceCall("", {})
