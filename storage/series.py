"""Percentiles, rates and heatmaps over time, merged from the counters; it draws nothing and keeps nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.database import Database
from storage.rollups import load_distributions, load_sli
from storage.selection import EVERYTHING
from telemetry.deltas import group_labels
from telemetry.matchers import Matchers
from telemetry.rules import SERIES_RULE_ID
from telemetry.sketches import DDSketch, merge
from telemetry.windows import BUCKET_NS

HEATMAP_ROWS: Final = 40
"""Bands of a heatmap, evenly spaced on a logarithmic scale."""


@dataclass(frozen=True, slots=True)
class MeasureSeries:
    """One measure of the groups that share ``labels``, over k steps.

    Attributes:
        time_ns: (k,) int64, starts of the steps.
        good, total: (k,) int64, events of the rule.
        sketches: k sketches of the measure; empty where nothing was measured.
    """

    labels: Mapping[str, str]
    time_ns: NDArray[np.int64]
    good: NDArray[np.int64]
    total: NDArray[np.int64]
    sketches: tuple[DDSketch, ...]

    def quantiles(self, q: float) -> NDArray[np.float64]:
        """(k,) values at rank ``q``; NaN where nothing was measured."""
        return np.asarray([sketch.quantile(q) for sketch in self.sketches], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Heatmap:
    """``counts`` (k, m) int64 of values between ``edges`` (m + 1,), for k steps from ``time_ns`` on."""

    time_ns: NDArray[np.int64]
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]


def steps(start_ns: int, end_ns: int, step_ns: int) -> NDArray[np.int64]:
    """Starts of the steps that cover [start, end), aligned to the epoch so that a later look sees the same ones."""
    return np.arange(start_ns - start_ns % step_ns, end_ns, step_ns, dtype=np.int64)


def measure_series(
    db: Database,
    measure: str,
    start_ns: int,
    end_ns: int,
    step_ns: int,
    *,
    rule: str = SERIES_RULE_ID,
    by: tuple[str, ...] = (),
    where: Matchers = EVERYTHING,
) -> tuple[MeasureSeries, ...]:
    """``measure`` over [start, end) in steps of ``step_ns``, one series for each combination of the labels ``by``.

    ``where`` selects groups by their labels. Steps are at least as wide as buckets are; where those were folded
    wider, a bucket counts in the step that holds its start.

    Raises:
        StorageError: the database cannot be used.
    """
    step_ns = max(step_ns, BUCKET_NS)
    time_ns = steps(start_ns, end_ns, step_ns)
    labels_of = _grouping(by, where)
    good: dict[tuple[str, ...], NDArray[np.int64]] = defaultdict(lambda: np.zeros(len(time_ns), dtype=np.int64))
    total: dict[tuple[str, ...], NDArray[np.int64]] = defaultdict(lambda: np.zeros(len(time_ns), dtype=np.int64))
    if not len(time_ns):
        return ()
    first = int(time_ns[0])
    for counters in load_sli(db, [rule], first, end_ns, step_ns):
        key = labels_of(counters.group)
        if key is not None:
            place = (counters.bucket_ns - first) // step_ns
            good[key][place] += counters.good
            total[key][place] += counters.total
    parts: dict[tuple[tuple[str, ...], int], list[DDSketch]] = defaultdict(list)
    for series in load_distributions(db, [rule], first, end_ns, width_ns=step_ns, field=measure):
        key = labels_of(series.group)
        if key is None:
            continue
        for place, sketch in zip(((series.bucket_ns - first) // step_ns).tolist(), series.distributions, strict=True):
            if isinstance(sketch, DDSketch):
                parts[key, place].append(sketch)
    return tuple(
        MeasureSeries(
            labels=dict(zip(by, key, strict=True)),
            time_ns=time_ns,
            good=good[key],
            total=total[key],
            sketches=tuple(merge(parts.get((key, place), ())) for place in range(len(time_ns))),
        )
        for key in sorted(total)
    )


def heatmap(
    db: Database,
    measure: str,
    start_ns: int,
    end_ns: int,
    step_ns: int,
    *,
    rule: str = SERIES_RULE_ID,
    where: Matchers = EVERYTHING,
    rows: int = HEATMAP_ROWS,
) -> Heatmap:
    """How the values of ``measure`` spread in each step; values of at most 0 count in the lowest band.

    Raises:
        StorageError: the database cannot be used.
    """
    found = measure_series(db, measure, start_ns, end_ns, step_ns, rule=rule, where=where)
    sketches = found[0].sketches if found else ()
    histograms = [sketch.histogram() for sketch in sketches]
    positive = [values[values > 0] for values, _ in histograms]
    time_ns = steps(start_ns, end_ns, max(step_ns, BUCKET_NS))
    if not any(len(values) for values in positive):
        return Heatmap(time_ns, np.zeros(0), np.zeros((len(time_ns), 0), dtype=np.int64))
    low = min(float(values.min()) for values in positive if len(values))
    high = max(float(values.max()) for values in positive if len(values))
    edges = np.geomspace(low * 0.99, high * 1.01, rows + 1)
    counts = np.zeros((len(time_ns), rows), dtype=np.int64)
    for step, (values, weights) in enumerate(histograms):
        band = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, rows - 1)
        np.add.at(counts[step], band, weights)
    return Heatmap(time_ns, edges, counts)


def _grouping(by: tuple[str, ...], where: Matchers) -> Callable[[str], tuple[str, ...] | None]:
    """From a group's text to its values of ``by``; None when ``where`` leaves it out."""

    def values(group: str) -> tuple[str, ...] | None:
        labels = group_labels(group)
        return tuple(labels.get(name, "") for name in by) if where.accepts(labels) else None

    return values
