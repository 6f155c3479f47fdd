"""The gauges of a simulation: a value of each series every 10 s, drawn for the whole run. It judges none.

ln x(t) = ln median + sigma z(t) + load ln(expected traffic(t) / its mean) + incidents(t), where z is a first-order
autoregression whose correlation halves within the series' memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tailwatch.simulation.scenario import Gauge, Scenario
from tailwatch.simulation.traffic import course, profile
from telemetry.deltas import group_key
from telemetry.gauges import GaugeReading
from telemetry.metric_names import KNOWN_METRICS
from telemetry.points import GaugeState, MetricSeries
from telemetry.windows import BUCKET_NS

_STREAM: Final = 1
"""Which of a seed's further streams of random numbers the gauges are drawn from."""
Values = NDArray[np.float64]


class GaugeSource:
    """Draws the gauges of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self._start_ns = scenario.start_ns
        seeds = np.random.SeedSequence(scenario.seed, spawn_key=(_STREAM,)).spawn(len(scenario.gauges))
        load = _load(scenario) if scenario.gauges else np.zeros(0)
        self._series = [
            (_series(scenario.service, one), _values(scenario, one, load, np.random.default_rng(seed)))
            for one, seed in zip(scenario.gauges, seeds, strict=True)
        ]

    def readings(self, since_ns: int, until_ns: int) -> Iterator[tuple[int, GaugeReading]]:
        """The values of buckets in [since, until), each with the time (ns) from which on it is known."""
        first, end = ((at_ns - self._start_ns) // BUCKET_NS for at_ns in (since_ns, until_ns))
        for series, values in self._series:
            for place, value in enumerate(values[first:end].tolist(), first):
                if value >= 0:
                    bucket_ns = self._start_ns + place * BUCKET_NS
                    yield bucket_ns + BUCKET_NS, GaugeReading(series, bucket_ns, GaugeState.of(bucket_ns, value))


def _series(service: str, one: Gauge) -> MetricSeries:
    known = KNOWN_METRICS.get(one.name)
    labels = {name: text for name, text in one.labels.items() if name != "instance"}
    unit = known.unit if known else ""
    return MetricSeries(one.name, unit, "gauge", "", service, one.labels.get("instance", ""), group_key(labels))


def _load(scenario: Scenario) -> Values:
    """(buckets,) expected traffic over its mean, rushes and lulls of the whole service included."""
    load = profile(scenario) / scenario.traffic.rate
    for one in scenario.disturbances:
        if one.traffic != 1.0 and not one.where:
            first, strength = course(one, scenario.buckets)
            load[first : first + len(strength)] *= 1.0 + (one.traffic - 1.0) * strength
    return load


def _values(scenario: Scenario, one: Gauge, load: Values, generator: np.random.Generator) -> Values:
    """(buckets,) the values of a series; -1 where none is sent."""
    logs = np.log(one.median) + one.sigma * _wandering(scenario.buckets, one.memory_ns, generator)
    values = np.exp(logs) * load**one.load
    silent = np.zeros(scenario.buckets, dtype=np.bool_)
    for trouble in scenario.disturbances:
        if not trouble.strikes(one):
            continue
        first, strength = course(trouble, scenario.buckets)
        struck = slice(first, first + len(strength))
        values[struck] *= trouble.gauges.get(one.key, 1.0) ** strength
        silent[struck] |= trouble.silent
    if one.highest is not None:
        values = np.minimum(values, one.highest)
    return np.where(silent, -1.0, values)


def _wandering(n: int, memory_ns: int, generator: np.random.Generator) -> Values:
    """(n,) standard normal numbers, each like the one before to 2^(-bucket / memory)."""
    kept = float(2.0 ** (-BUCKET_NS / memory_ns))
    drawn = (generator.standard_normal(n) * np.sqrt(1.0 - kept * kept)).tolist()
    at = float(generator.standard_normal())
    for place, step in enumerate(drawn):
        at = kept * at + step
        drawn[place] = at
    return np.asarray(drawn)
