"""What a value costs in a DDSketch: inserted in NumPy batches, in many sketches at once, and merged.

Beside it stands the reference package ``ddsketch``, which takes one value at a time. CPU seconds of one thread; each
figure is the median over rounds, and the ratio is taken within each round. Usage:

    python benchmarks/sketch.py [--rounds 15] [--json benchmarks/results/sketch.json]
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ddsketch import DDSketch as ReferenceSketch
from numpy.typing import NDArray

from telemetry.sketch_batch import sketch_slots
from telemetry.sketches import ALPHA, DDSketch, merge

SLOTS = 200
PARTS = 360
"""Sketches that are merged: an hour of 10 s buckets."""

REFERENCE_VALUES = 2000


def reference(values: NDArray[np.float64]) -> ReferenceSketch:
    sketch = ReferenceSketch(relative_accuracy=ALPHA)
    for value in values.tolist():
        sketch.add(value)
    return sketch


def merge_reference(parts: list[ReferenceSketch]) -> None:
    total = ReferenceSketch(relative_accuracy=ALPHA)
    for part in parts:
        total.merge(part)


def cpu_seconds(work: Callable[[], object], least_s: float = 0.01) -> float:
    """Of one call, out of as many as take ``least_s``."""
    calls, started = 0, time.process_time()
    while (took := time.process_time() - started) < least_s:
        work()
        calls += 1
    return took / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="also write the result here")
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    latencies = rng.lognormal(-0.5, 1.0, 65_536)
    slot = rng.integers(0, SLOTS, len(latencies))
    pieces = np.array_split(latencies, PARTS)
    own, theirs = [DDSketch.of(piece) for piece in pieces], [reference(piece) for piece in pieces]
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "ddsketch package": (lambda: reference(latencies[:REFERENCE_VALUES]), REFERENCE_VALUES),
        **{
            f"one sketch, batch of {size}": (lambda part=latencies[:size]: DDSketch.of(part), size)
            for size in (64, 512, 8192, 65_536)
        },
        **{
            f"{SLOTS} sketches, batch of {size}": (
                lambda part=latencies[:size], to=slot[:size]: sketch_slots(part, to, SLOTS), size
            )
            for size in (8192, 65_536)
        },
        "merge, ddsketch package": (lambda: merge_reference(theirs), PARTS),
        "merge": (lambda: merge(own), PARTS),
    }  # fmt: skip
    rounds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(chosen.rounds + 1):
        for name, (work, count) in ways.items():
            seconds = cpu_seconds(work) / count
            if turn:  # the first round warms up
                rounds[name].append(seconds)
    result = {}
    print(f"{'':30} {'ns a value or sketch':>21} {'times cheaper':>14}")
    for name, seconds in rounds.items():
        base = rounds["merge, ddsketch package" if name.startswith("merge") else "ddsketch package"]
        ratio = statistics.median(theirs / mine for theirs, mine in zip(base, seconds, strict=True))
        result[name] = {"ns": statistics.median(seconds) * 1e9, "times_cheaper": ratio}
        print(f"{name:30} {result[name]['ns']:21.1f} {ratio:14.1f}")
    if chosen.json is not None:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
