"""How many requests of each slice end in each 10 s bucket: a Poisson process whose rate follows day, week and chance.

rate(t) = mean x (1 + daily cos(2 pi (hour - peak) / 24)) x weekend(t) x jitter(minute) x bursts(t) x incidents(t).
The first two are scaled to the mean over the run. jitter is gamma distributed with mean 1 and the given coefficient of
variation, so that counts of a minute are negative binomial. Bursts begin as a Poisson process, last exponentially long,
and multiply where they meet. Within a bucket the rate is constant.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tailwatch.simulation.scenario import DAY_NS, Disturbance, Scenario, Traffic
from telemetry.windows import BUCKET_NS, NANOS

_MINUTE_BUCKETS: Final = 60 * NANOS // BUCKET_NS
_THURSDAY: Final = 3
"""Weekday of the epoch's first day, Monday being 0."""

Series = NDArray[np.float64]


def counts(scenario: Scenario, generator: np.random.Generator) -> NDArray[np.int64]:
    """(slices, buckets) requests."""
    rate = profile(scenario) * _chance(scenario, generator)
    expected = np.outer([piece.share for piece in scenario.slices], rate) * (BUCKET_NS / NANOS)
    for one in scenario.disturbances:
        if one.traffic != 1.0:
            first, strength = course(one, scenario.buckets)
            struck = [place for place, piece in enumerate(scenario.slices) if one.strikes(piece)]
            expected[struck, first : first + len(strength)] *= 1.0 + (one.traffic - 1.0) * strength
    return generator.poisson(expected)


def profile(scenario: Scenario) -> Series:
    """(buckets,) requests a second that are expected at each time of day and week."""
    traffic = scenario.traffic
    middle_ns = scenario.start_ns + np.arange(scenario.buckets) * BUCKET_NS + BUCKET_NS // 2
    hour = middle_ns % DAY_NS / (DAY_NS / 24)
    weekday = (middle_ns // DAY_NS + _THURSDAY) % 7
    shape = 1.0 + traffic.daily * np.cos(2 * np.pi * (hour - traffic.peak_hour) / 24)
    shape *= np.where(weekday >= 5, traffic.weekend, 1.0)
    return np.asarray(traffic.rate * shape / shape.mean())


def course(one: Disturbance, buckets: int) -> tuple[int, Series]:
    """The bucket in which a disturbance begins, and how strong it is in each of its buckets, within 0..1."""
    first = one.start_ns // BUCKET_NS
    last = min(-(-(one.start_ns + one.duration_ns) // BUCKET_NS), buckets)
    since_ns = (np.arange(first, last) * BUCKET_NS + BUCKET_NS // 2) - one.start_ns
    strength = np.clip(since_ns / one.ramp_ns, 0.0, 1.0) if one.ramp_ns else np.ones(max(last - first, 0))
    return first, strength


def _chance(scenario: Scenario, generator: np.random.Generator) -> Series:
    buckets, traffic = scenario.buckets, scenario.traffic
    factor = np.ones(buckets)
    if traffic.jitter > 0:
        shape = 1.0 / traffic.jitter**2
        minutes = generator.gamma(shape, 1.0 / shape, -(-buckets // _MINUTE_BUCKETS))
        factor *= np.repeat(minutes, _MINUTE_BUCKETS)[:buckets]
    _burst(factor, traffic, scenario.duration_ns, generator)
    return factor


def _burst(factor: Series, traffic: Traffic, duration_ns: int, generator: np.random.Generator) -> None:
    if traffic.bursts is None:
        return
    number = generator.poisson(traffic.bursts.per_day * duration_ns / DAY_NS)
    starts = generator.integers(0, len(factor), number)
    lengths = np.ceil(generator.exponential(traffic.bursts.duration_ns / BUCKET_NS, number)).astype(np.int64)
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        factor[start : start + length] *= traffic.bursts.factor
