"""One measured round: a load on a server, with what the server used meanwhile; and medians of rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.rig.generator import Generator, Load, Outcome
from benchmarks.rig.processes import MemorySampler, cpu_seconds

_SETTLE_S: Final = 0.3
"""What a server still does for requests that it has answered belongs to them."""

Cpu = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Round:
    """What one load cost.

    Attributes:
        spans: spans acknowledged, over all loads.
        cpu_s: CPU seconds of each process tree watched, by name.
        peak_mib: most resident memory of each server, by name.
        outcomes: of each load.
    """

    spans: int
    cpu_s: dict[str, float]
    peak_mib: dict[str, float]
    outcomes: list[Outcome]

    @property
    def wall_s(self) -> float:
        """From the first request to the last answer."""
        return max(outcome.wall_s for outcome in self.outcomes)

    @property
    def spans_a_second(self) -> float:
        """Spans acknowledged a second of wall time."""
        return self.spans / self.wall_s

    def spans_a_cpu_second(self, name: str) -> float:
        """Spans acknowledged a CPU second of one process tree."""
        return self.spans / self.cpu_s[name]


def measure(loads: Sequence[Load], servers: dict[str, int], others: dict[str, Cpu] | None = None) -> Round:
    """Run ``loads`` at once and watch ``servers`` (pid by name) and ``others`` (CPU seconds so far by name)."""
    with ExitStack() as stack:
        generators = [stack.enter_context(Generator(load)) for load in loads]
        for generator in generators:
            generator.wait_ready()
        watched: dict[str, Cpu] = {name: lambda pid=pid: cpu_seconds(pid) for name, pid in servers.items()}  # type: ignore[misc]
        watched |= others or {}
        samplers = {name: stack.enter_context(MemorySampler(pid)) for name, pid in servers.items()}
        before = {name: cpu() for name, cpu in watched.items()}
        for generator in generators:
            generator.go()
        outcomes = [generator.outcome() for generator in generators]
        time.sleep(_SETTLE_S)
        used = {name: cpu() - before[name] for name, cpu in watched.items()}
    return Round(
        spans=sum(outcome.acknowledged * load.spans for outcome, load in zip(outcomes, loads, strict=True)),
        cpu_s=used,
        peak_mib={name: sampler.memory.peak_mib for name, sampler in samplers.items()},
        outcomes=outcomes,
    )


def median_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """The median, and half the range as a share of it."""
    middle = statistics.median(values)
    return middle, (max(values) - min(values)) / 2 / middle if middle else 0.0


def as_json(one: Round) -> dict[str, Any]:
    """A round for the results file."""
    return {
        "spans": one.spans,
        "wall_s": one.wall_s,
        "cpu_s": one.cpu_s,
        "peak_mib": one.peak_mib,
        "statuses": [outcome.statuses for outcome in one.outcomes],
        "ack_ms": [outcome.latencies_ms for outcome in one.outcomes],
        "generator_cpu_s": [outcome.cpu_s for outcome in one.outcomes],
    }
