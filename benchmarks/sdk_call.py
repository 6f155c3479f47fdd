"""What one measured call costs, against a bare OpenTelemetry span with the same attributes.

Both sides use the stock BatchSpanProcessor with an exporter that throws batches away, so the ratio is that of the code
in the caller's thread. Rounds alternate; the medians are of CPU seconds. Usage:

    python benchmarks/sdk_call.py [--calls 5000] [--rounds 15] [--json benchmarks/results/sdk_call.json]
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import tailwatch_sdk as tailwatch
from opentelemetry._logs import NoOpLoggerProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Tracer
from tailwatch_sdk import providers
from tailwatch_sdk.identifiers import PrivateIdGenerator
from tailwatch_sdk.recording import RecordAll, RecordingProcessor


class Discard(SpanExporter):
    """Takes every batch and keeps none."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002  # the interface's
        """Forget the batch."""
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing to stop."""


def bare_tracer() -> Tracer:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Discard()))
    return provider.get_tracer("bare")


def use_sdk() -> None:
    provider = TracerProvider(sampler=RecordAll(), id_generator=PrivateIdGenerator(), shutdown_on_exit=False)
    provider.add_span_processor(RecordingProcessor(Discard()))
    providers.use(providers.of(provider, NoOpLoggerProvider()))


def bare(tracer: Tracer) -> None:
    """The cheapest way to the same record in OpenTelemetry's own API: two dicts, one call each."""
    started = time.perf_counter()
    with tracer.start_as_current_span(
        "chat model-a",
        kind=SpanKind.CLIENT,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "model-a",
            "gen_ai.provider.name": "self",
            "tailwatch.model.version": "v1",
            "tailwatch.tenant": "acme",
            "tailwatch.input.type": "chat",
        },
    ) as span:
        first = time.perf_counter() - started
        span.set_attributes(
            {
                "gen_ai.response.time_to_first_chunk": first,
                "gen_ai.usage.input_tokens": 120,
                "gen_ai.usage.output_tokens": 64,
                "tailwatch.queue.duration": 0.01,
                "tailwatch.batch.size": 8,
                "gen_ai.response.finish_reasons": ("stop",),
            }
        )


def measured() -> None:
    with tailwatch.inference_span(
        "chat", model="model-a", provider="self", model_version="v1", tenant="acme", input_type="chat"
    ) as call:
        call.first_token()
        call.input_tokens = 120
        call.output_tokens = 64
        call.queue_duration = 0.01
        call.batch_size = 8
        call.finish_reason = "stop"


@tailwatch.inference("chat", model="model-a", provider="self", model_version="v1", tenant="acme", input_type="chat")
def decorated() -> None:
    call = tailwatch.current_call()
    call.first_token()
    call.input_tokens = 120
    call.output_tokens = 64
    call.queue_duration = 0.01
    call.batch_size = 8
    call.finish_reason = "stop"


def cpu_seconds(work: Callable[[], None], calls: int) -> float:
    started = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - started) / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5000, help="calls a round")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="also write the result here")
    chosen = parser.parse_args()
    tracer = bare_tracer()
    use_sdk()
    ways: dict[str, Callable[[], None]] = {
        "bare OpenTelemetry span": lambda: bare(tracer),
        "inference_span": measured,
        "@inference": decorated,
    }
    rounds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(chosen.rounds + 1):
        for name, work in ways.items():
            seconds = cpu_seconds(work, chosen.calls)
            if turn:  # the first round warms up
                rounds[name].append(seconds)
    baseline = rounds["bare OpenTelemetry span"]
    result = {}
    print(f"{'':24} {'us a call':>10} {'ratio':>7}")
    for name, seconds in rounds.items():
        # The ratio is taken within each round, where both sides met the same machine.
        ratio = statistics.median(mine / bare for mine, bare in zip(seconds, baseline, strict=True))
        result[name] = {"us_a_call": statistics.median(seconds) * 1e6, "ratio": ratio}
        print(f"{name:24} {result[name]['us_a_call']:10.2f} {ratio:7.2f}")
    if chosen.json is not None:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
