"""Reproducible OTLP trace requests for the benchmarks: 512 GenAI spans of 12 attributes, about 480 bytes a span.

A template is built once through the protobuf library. A body is a copy of it with new trace ids, span ids and times, so
that no two bodies are equal, and making one costs little. It sends nothing. Usage, to see the shape:

    python benchmarks/payloads.py
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

SPANS: Final = 512
"""Spans a request, as SDKs batch them."""

SPANS_A_TRACE: Final = 4
ATTRIBUTES: Final = 12
"""Attributes a span."""

SERVICE: Final = "bench-inference"
NOW_NS: Final = 1_767_225_600_000_000_000
"""2026-01-01, for bodies whose age does not matter."""

_TEMPLATES: Final = 16
"""Templates that ``trace_body`` draws from; what attributes say repeats after as many seeds."""

_NANOS: Final = 1_000_000_000
_CALLS: Final = (  # operation, provider, requested model, model that answered, median duration in s, weight
    ("chat", "openai", "gpt-4o", "gpt-4o", 1.2, 40),
    ("chat", "anthropic", "haiku-4.5", "haiku-4.5", 2.0, 25),
    ("text_completion", "self", "smollm2", "smollm2-v2", 0.6, 15),
    ("embeddings", "self", "minilm-l6", "minilm-l6", 0.03, 20),
)
_TENANTS: Final = ("acme", "globex", "initech", "umbrella", "stark", "wayne", "hooli", "wonka")
_INPUT_TYPES: Final = ("chat", "code", "long")
_FINISH_REASONS: Final = ("stop", "stop", "stop", "length", "tool_calls")
_ERRORS: Final = ("timeout", "rate_limit_exceeded", "500")
_ERROR_SHARE: Final = 0.01

Bytes: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Template:
    """A request whose ids and times are to be written in.

    Attributes:
        spans: how many it has, n.
        request: its bytes, with ids and times of no meaning.
        trace_at, span_at, parent_at, time_at: where the bytes of the trace ids (n, 16), span ids (n, 8), parent span
            ids (children, 8), and start and end times (n, 16) lie.
        trace_of: the trace of each span (n,); the first span of a trace is its root.
        children: the spans that have a parent.
        end_lag_ns, duration_ns: how long before now each span ended, and how long it took (n,).
    """

    spans: int
    request: Bytes
    trace_at: NDArray[np.intp]
    span_at: NDArray[np.intp]
    parent_at: NDArray[np.intp]
    time_at: NDArray[np.intp]
    trace_of: NDArray[np.intp]
    children: NDArray[np.intp]
    end_lag_ns: NDArray[np.int64]
    duration_ns: NDArray[np.int64]

    def body(self, rng: np.random.Generator, now_ns: int) -> bytes:
        """A request that was never seen before, as if sent at ``now_ns``; its spans ended within the last second."""
        out = self.request.copy()
        traces = int(self.trace_of[-1]) + 1
        trace_ids = _random_bytes(rng, traces, 16)
        span_ids = _random_bytes(rng, self.spans, 8)
        out[self.trace_at] = trace_ids[self.trace_of]
        out[self.span_at] = span_ids
        roots = np.searchsorted(self.trace_of, np.arange(traces))
        out[self.parent_at] = span_ids[roots[self.trace_of[self.children]]]
        times = np.empty((self.spans, 2), "<u8")
        times[:, 1] = now_ns - self.end_lag_ns
        times[:, 0] = times[:, 1] - self.duration_ns.astype("<u8")
        out[self.time_at] = times.view(np.uint8)
        return out.tobytes()


def trace_body(
    seed: int,
    spans: int = SPANS,
    now_ns: int = NOW_NS,
    *,
    spans_a_trace: int = SPANS_A_TRACE,
    service: str = SERVICE,
) -> bytes:
    """The Export request number ``seed``: equal for equal arguments, and unlike that of any other seed."""
    made = template(seed % _TEMPLATES, spans, spans_a_trace, service)
    return made.body(np.random.default_rng(seed), now_ns)


@lru_cache(maxsize=4 * _TEMPLATES)
def template(seed: int, spans: int = SPANS, spans_a_trace: int = SPANS_A_TRACE, service: str = SERVICE) -> Template:
    """The template of a seed, whose attributes, durations and errors come from it."""
    rng = random.Random(seed)
    calls = [_call(rng, number, spans_a_trace) for number in range(spans)]
    resource = ResourceSpans(scope_spans=[ScopeSpans(spans=[span for span, _ in calls])])
    resource.scope_spans[0].scope.name = "opentelemetry.instrumentation.genai"
    for key, value in (
        ("service.name", service),
        ("service.version", f"1.{seed % 3}.0"),
        ("service.instance.id", f"{service}-{seed:04d}"),
        ("deployment.environment.name", "prod"),
        ("cloud.region", "eu-central-1"),
        ("telemetry.sdk.name", "opentelemetry"),
        ("telemetry.sdk.language", "python"),
    ):
        resource.resource.attributes.append(_attribute(key, value))
    body = ExportTraceServiceRequest(resource_spans=[resource]).SerializeToString()
    places = np.array(_places(body, [span for span, _ in calls]), np.intp)
    trace_of = np.arange(spans) // spans_a_trace
    children = np.flatnonzero(np.diff(trace_of, prepend=-1) == 0)
    return Template(
        spans=spans,
        request=np.frombuffer(body, np.uint8),
        trace_at=_span_of_bytes(places[:, 0], np.arange(16)),
        span_at=_span_of_bytes(places[:, 1], np.arange(8)),
        parent_at=_span_of_bytes(places[children, 1] + 10, np.arange(8)),  # 8 of the span id, tag, length
        # start and end are fixed64 after each other, the second one behind its tag
        time_at=_span_of_bytes(places[:, 2], np.r_[0:8, 9:17]),
        trace_of=trace_of,
        children=children,
        end_lag_ns=np.array([rng.randrange(_NANOS) for _ in calls], np.int64),
        duration_ns=np.array([round(seconds * _NANOS) for _, seconds in calls], np.int64),
    )


def _call(rng: random.Random, number: int, spans_a_trace: int) -> tuple[Span, float]:
    """Span ``number`` of a template, with ids and times of no meaning, and its duration in seconds."""
    operation, provider, asked, answered, median_s, _ = rng.choices(_CALLS, [call[-1] for call in _CALLS])[0]
    seconds = median_s * rng.lognormvariate(0, 0.5)
    span = Span(
        trace_id=rng.randbytes(16),
        span_id=rng.randbytes(8),
        parent_span_id=rng.randbytes(8) if number % spans_a_trace else b"",
        name=f"{operation} {asked}",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=NOW_NS,
        end_time_unix_nano=NOW_NS,
    )
    if rng.random() < _ERROR_SHARE:
        outcome = _attribute("error.type", rng.choice(_ERRORS))
        span.status.code = Status.STATUS_CODE_ERROR
    else:
        reason = AnyValue(string_value=rng.choice(_FINISH_REASONS))
        array = AnyValue(array_value=ArrayValue(values=[reason]))
        outcome = KeyValue(key="gen_ai.response.finish_reasons", value=array)
    span.attributes.extend(
        [
            _attribute("gen_ai.operation.name", operation),
            _attribute("gen_ai.provider.name", provider),
            _attribute("gen_ai.request.model", asked),
            _attribute("gen_ai.response.model", answered),
            _attribute("gen_ai.usage.input_tokens", rng.randrange(20, 4000)),
            _attribute("gen_ai.usage.output_tokens", rng.randrange(1, 800)),
            _attribute("gen_ai.response.time_to_first_chunk", seconds * rng.uniform(0.05, 0.4)),
            _attribute("server.port", 443),
            _attribute("tailwatch.tenant", rng.choice(_TENANTS)),
            _attribute("tailwatch.input.type", rng.choice(_INPUT_TYPES)),
            _attribute("user.id", rng.randbytes(3).hex()),
            outcome,
        ]
    )
    return span, seconds


def _places(body: bytes, spans: list[Span]) -> list[tuple[int, int, int]]:
    """Where in ``body`` the trace id, the span id and the start time of each span begin."""
    found = []
    at = 0
    for span in spans:
        trace_at = body.index(span.trace_id + b"\x12\x08" + span.span_id, at)
        # what stands between the ids and the times is as in the span on its own
        alone = span.SerializeToString()
        times = alone.index(b"\x39" + span.start_time_unix_nano.to_bytes(8, "little") + b"\x41")
        found.append((trace_at, trace_at + 18, trace_at - alone.index(span.trace_id) + times + 1))
        at = trace_at
    return found


def _span_of_bytes(start: NDArray[np.intp], offsets: NDArray[np.intp]) -> NDArray[np.intp]:
    return start[:, None] + offsets


def _random_bytes(rng: np.random.Generator, rows: int, width: int) -> Bytes:
    """Ids, none of which is all zero."""
    ids = np.frombuffer(rng.bytes(rows * width), np.uint8).reshape(rows, width).copy()
    ids[:, 0] |= 1
    return ids


def _attribute(key: str, value: str | float) -> KeyValue:
    if isinstance(value, str):
        return KeyValue(key=key, value=AnyValue(string_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(double_value=value))


def main() -> None:
    body = trace_body(0)
    rng = np.random.default_rng(0)
    made = template(0)
    began = time.process_time()
    for _ in range(200):
        made.body(rng, NOW_NS)
    seconds = (time.process_time() - began) / 200
    print(f"{SPANS} spans a request, {ATTRIBUTES} attributes and {len(body) / SPANS:.0f} bytes a span")
    print(f"{seconds * 1e6:.0f} us to make a request, {seconds * 1e6 / SPANS:.2f} us a span")


if __name__ == "__main__":
    main()
