"""What a span costs between decoding and commit: normalise, derive and roll up, by the size of the batch.

The rules are the built-in series and five SLOs as in the demo (errors per input type, two latencies, cost, drift); the
spans carry what a model server sends. CPU seconds of one thread; each figure is the median over rounds. Usage:

    python benchmarks/rollup.py [--rounds 15] [--json benchmarks/results/rollup.json]
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from payloads import NOW_NS, SERVICE, SPANS, trace_body

from collector.cardinality import CardinalityGuard
from collector.decode import DECODERS, RawColumns, Task
from collector.derive import derive
from collector.normalise import FIELD_ATTRIBUTES, attributes_among, normalise
from collector.rollup import Deltas, roll_up
from telemetry.matchers import parse_matchers
from telemetry.prices import Price, PriceTable
from telemetry.rules import SERIES_RULE, Below, NoError, Present, RollupRule

TEXT_LENGTH = 512
SIZES = (1, 64, 512, 8192)

RULES = (
    SERIES_RULE,
    RollupRule("request-errors", parse_matchers([f"service={SERVICE}"]), ("input_type",), NoError("ignore")),
    RollupRule("embedding-latency", parse_matchers([f"service={SERVICE}", "operation=embeddings"]), (),
               Below("duration", 2.0)),
    RollupRule("generation-ttft", parse_matchers([f"service={SERVICE}", "operation=chat"]), (), Below("ttft", 5.0)),
    RollupRule("generation-cost", parse_matchers([f"service={SERVICE}", "operation=chat"]), ("tenant",),
               Below("cost", 0.001)),
    RollupRule("input-drift", parse_matchers([f"service={SERVICE}", "operation=chat"]), (),
               Present(("tokens_in", "finish_reason")), ("tokens_in", "finish_reason")),
)  # fmt: skip
PRICES = PriceTable(
    tuple(
        Price(parse_matchers([f"model={model}"]), 0, input_token=1e-7, output_token=4e-7)
        for model in ("gpt-4o", "haiku-4.5", "smollm2-v2", "minilm-l6")
    )
)


NAMED = attributes_among(name for rule in RULES for name in rule.names)


def batch(spans: int) -> RawColumns:
    """The payload of ``benchmarks/ingest.py``, decoded: requests of at most 512 spans."""
    bodies = [trace_body(seed, min(spans, SPANS)) for seed in range(max(spans // SPANS, 1))]
    task = Task("span", FIELD_ATTRIBUTES | NAMED, NOW_NS, keep_raw=False)
    return DECODERS["protobuf"](bodies, task)


def way(raw: RawColumns, guard: CardinalityGuard, seconds: dict[str, float]) -> Deltas:
    """The three steps, the CPU seconds of each added to ``seconds``."""
    started = time.process_time()
    columns = normalise(raw, NAMED, TEXT_LENGTH)
    normalised = time.process_time()
    columns = derive(columns, raw, PRICES, None)
    derived = time.process_time()
    deltas = roll_up(columns, RULES, guard, NOW_NS)
    ended = time.process_time()
    for step, took in (
        ("normalise", normalised - started), ("derive", derived - normalised), ("roll up", ended - derived),
    ):  # fmt: skip
        seconds[step] = seconds.get(step, 0.0) + took
    return deltas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=32_768, help="spans a round, in at most 300 batches")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="also write the result here")
    chosen = parser.parse_args()
    result = {}
    print(
        f"{'us a span; spans a batch':>24} {'normalise':>10} {'derive':>10} {'roll up':>10} {'all':>10} {'deltas':>7}"
    )
    for size in SIZES:
        raw, guard = batch(size), CardinalityGuard()
        batches = min(max(chosen.spans // size, 1), 300)
        rounds: list[dict[str, float]] = []
        for _ in range(chosen.rounds + 1):  # the first round warms up
            rounds.append({})
            for _ in range(batches):
                deltas = way(raw, guard, rounds[-1])
        us = {
            step: statistics.median(one[step] for one in rounds[1:]) / batches / size * 1e6
            for step in ("normalise", "derive", "roll up")
        }
        us["all"] = statistics.median(sum(one.values()) for one in rounds[1:]) / batches / size * 1e6
        count = len(deltas.sli) + len(deltas.distributions)
        result[str(size)] = {f"{step}_us_a_span": value for step, value in us.items()} | {"deltas": count}
        print(f"{size:24} " + " ".join(f"{value:10.3f}" for value in us.values()) + f" {count:7}")
    if chosen.json is not None:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
