"""What decoding costs: spans per CPU second of the compiled decoder and of the protobuf library, the glue included.

Payload: 512 spans a request, 12 attributes, about 480 bytes a span. Rounds alternate between the ways, so that all of
them meet the same machine; figures are medians of one thread's CPU seconds, the best round beside them. A request of
one span shows the fixed cost, and JSON what writing it as protobuf costs. Usage:

    python benchmarks/decode.py [--rounds 15] [--json benchmarks/results/decode.json]
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from payloads import NOW_NS, SPANS, trace_body

from collector.decode import CompiledDecoder, Decoder, Task
from collector.decode.otlp_json import decode_json
from collector.decode.protobuf import decode_protobuf
from collector.normalise import FIELD_ATTRIBUTES
from tailwatch.allocator import keep_freed_memory

RAW_KEPT = Task("span", FIELD_ATTRIBUTES, NOW_NS)
RAW_LEFT = replace(RAW_KEPT, keep_raw=False)


@dataclass(frozen=True)
class Way:
    """A decoder with what it is given, and how often in a round: short work is repeated to be measured at all."""

    decoder: Decoder
    bodies: Sequence[bytes]
    task: Task
    spans: int
    times: int = 1

    def seconds(self) -> float:
        """CPU seconds of one turn."""
        started = time.thread_time()
        for _ in range(self.times):
            self.decoder(self.bodies, self.task)
        return (time.thread_time() - started) / self.times


def to_json(body: bytes) -> bytes:
    """The request as OTLP/JSON, its ids as hex digits."""
    request = ExportTraceServiceRequest.FromString(body)
    document = MessageToDict(request)
    for frame, sent in zip(document["resourceSpans"], request.resource_spans, strict=True):
        for scope, scope_sent in zip(frame["scopeSpans"], sent.scope_spans, strict=True):
            for one, span in zip(scope["spans"], scope_sent.spans, strict=True):
                one["traceId"], one["spanId"] = span.trace_id.hex(), span.span_id.hex()
                one["parentSpanId"] = span.parent_span_id.hex()
    return json.dumps(document).encode()


def ways(compiled: Decoder) -> dict[str, Way]:
    bodies = [trace_body(seed) for seed in range(16)]
    found = {
        f"compiled, {count:2} x {SPANS} spans, raw bytes {kept}": Way(
            compiled, bodies[:count], task, count * SPANS, times=64 // count
        )
        for count in (1, 4, 16)
        for kept, task in (("left out", RAW_LEFT), ("kept", RAW_KEPT))
    }
    for kept, task in (("left out", RAW_LEFT), ("kept", RAW_KEPT)):
        found[f"protobuf library, 1 x {SPANS} spans, raw bytes {kept}"] = Way(decode_protobuf, bodies[:1], task, SPANS)
    found[f"JSON, 1 x {SPANS} spans, raw bytes kept"] = Way(
        partial(decode_json, compiled), [to_json(bodies[0])], RAW_KEPT, SPANS
    )
    lone = [trace_body(0, spans=1)]
    found["compiled, one span"] = Way(compiled, lone, RAW_KEPT, 1, times=200)
    found["protobuf library, one span"] = Way(decode_protobuf, lone, RAW_KEPT, 1, times=200)
    return found


def measure(chosen: dict[str, Way], rounds: int, tell: Callable[[str], None]) -> dict[str, dict[str, float]]:
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    for turn in range(rounds + 1):
        for name, way in chosen.items():
            taken = way.seconds()
            if turn:  # the first round warms up
                seconds[name].append(taken)
    tell(f"{'':48} {'spans per CPU s':>15} {'best':>10} {'us a span':>10} {'us a call':>10}")
    result = {}
    for name, taken_all in seconds.items():
        spans, median, best = chosen[name].spans, statistics.median(taken_all), min(taken_all)
        result[name] = {
            "spans_per_cpu_second": spans / median,
            "best_spans_per_cpu_second": spans / best,
            "us_a_span": median / spans * 1e6,
            "us_a_call": median * 1e6,
        }
        tell(
            f"{name:48} {spans / median:15,.0f} {spans / best:10,.0f} {median / spans * 1e6:10.2f} {median * 1e6:10.0f}"
        )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="also write the result here")
    chosen = parser.parse_args()
    keep_freed_memory()  # as the server does
    compiled = CompiledDecoder()
    compiled.warm().join()
    if compiled.state != "ready":
        sys.exit(f"the compiled decoder is {compiled.state}")
    result = measure(ways(compiled), chosen.rounds, print)
    if chosen.json is not None:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
