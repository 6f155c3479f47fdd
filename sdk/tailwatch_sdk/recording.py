"""Keeps every inference span, whatever the host samples, and leaves the host's own sampling as it is.

SLIs are exact only if no request is missing. But a host that samples one trace in a hundred would, with the stock
parent-based sampler, take ninety-nine of a hundred inference spans away; and with an always-on sampler our spans would
carry the sampled flag on to the host's own children and to services downstream, which would then record everything.
So a span below an unsampled parent is recorded without the flag, and exported all the same.
"""

from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.util.types import Attributes


class RecordAll(Sampler):
    """Records every span; hands on the parent's sampled flag, and sets it on a root."""

    def should_sample(  # the interface's
        self,
        parent_context: Context | None,
        trace_id: int,  # noqa: ARG002  # the interface's
        name: str,  # noqa: ARG002
        kind: SpanKind | None = None,  # noqa: ARG002
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,  # noqa: ARG002
        trace_state: TraceState | None = None,  # noqa: ARG002
    ) -> SamplingResult:
        """RECORD_ONLY below an unsampled parent, RECORD_AND_SAMPLE otherwise."""
        parent = trace.get_current_span(parent_context).get_span_context()
        if not parent.is_valid:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)
        decision = Decision.RECORD_AND_SAMPLE if parent.trace_flags.sampled else Decision.RECORD_ONLY
        return SamplingResult(decision, attributes, parent.trace_state)

    def get_description(self) -> str:
        """The name under which a sampler shows itself."""
        return "TailwatchRecordAll"


class RecordingProcessor(BatchSpanProcessor):
    """A BatchSpanProcessor that also exports spans which are recorded but not sampled."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue an ended span for export."""
        context = span.context
        if context is not None and not context.trace_flags.sampled:
            span = _with_flag(span, context)
        super().on_end(span)


def _with_flag(span: ReadableSpan, context: SpanContext) -> ReadableSpan:
    """The same span with the sampled flag, without which the stock processor passes it over."""
    sampled = SpanContext(
        context.trace_id,
        context.span_id,
        context.is_remote,
        TraceFlags(context.trace_flags | TraceFlags.SAMPLED),
        context.trace_state,
    )
    return ReadableSpan(
        name=span.name,
        context=sampled,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
