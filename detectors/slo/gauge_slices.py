"""Time slices judged by the values of gauges; it reads no storage and converts no unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from detectors.slo.slices import HeldSlices, Verdict
from telemetry.gauges import GaugeReading
from telemetry.points import GaugeState

Aggregate = Literal["max", "mean", "last"]

AGGREGATES: Final[dict[Aggregate, Callable[[GaugeState], float]]] = {
    "max": lambda state: state.high,
    "mean": lambda state: state.total / state.count,
    "last": lambda state: state.last,
}
"""What a series' values within a slice are taken for."""


@dataclass(slots=True)
class HeldGauges:
    """The states of the group's series within one slice, by series and bucket."""

    states: dict[tuple[int, int], GaugeState] = field(default_factory=dict)

    def highest(self, aggregate: Aggregate) -> float:
        """The aggregate of the series that has the highest."""
        by_series: dict[int, GaugeState] = {}
        for (series, _), state in self.states.items():
            before = by_series.get(series)
            by_series[series] = state if before is None else before.merged(state)
        return max(map(AGGREGATES[aggregate], by_series.values()))


class GaugeSlices(HeldSlices[HeldGauges]):
    """The slices of one SLO; good: the gauge is below the bound in every series of the group.

    A slice without a value is neither good nor bad.
    """

    def __init__(self, rule: str, slice_ns: int, names: frozenset[str], aggregate: Aggregate, below: float) -> None:
        """Judge the gauges called ``names``; verdicts are deltas of ``rule``."""
        super().__init__(rule, slice_ns)
        self.names = names
        self._aggregate = aggregate
        self._below = below

    def add(self, group_name: str, reading: GaugeReading) -> int:
        """Take in a reading; the slice that it changes is judged (again). How many values are new in it."""
        found = self._touched(group_name, reading.bucket_ns)
        if found is None:
            return 0
        group, start_ns = found
        states = group.held.setdefault(start_ns, HeldGauges()).states
        key = reading.series.id, reading.bucket_ns
        before = states.get(key)
        if before != reading.state:
            states[key] = reading.state
            group.waiting.add(start_ns)
        return reading.state.count - (0 if before is None else before.count)

    def _judged(self, name: str, start_ns: int, held: HeldGauges) -> tuple[Verdict, tuple[int, int]]:  # noqa: ARG002
        value = held.highest(self._aggregate)
        good = value < self._below
        series = len({number for number, _ in held.states})
        return Verdict(good, {self._aggregate: value, "series": series}), (int(good), 1)
