"""Why requests cost more: which token bucket grew, in which slice, or since which release.

A request's cost is linear in its exclusive token buckets. Their prices are read off the baseline by least squares, so
that each bucket's part in the rise of the mean cost is its price times its growth; what the buckets at the old prices
do not explain is a change of prices or models.

Assumes: one price list per model, and a mix of models that the prices average over.
Source: ordinary least squares; the split is Laspeyres' (old prices, new quantities).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.attribution import attribute
from detectors.diagnosis.releases import release_of, releases
from detectors.diagnosis.situation import Situation, Verdict, described, matching, percent, worst_first
from telemetry.columns import Columns
from telemetry.rules import Below

DEARER: Final = 1.1
"""Growth of the mean cost below which requests are not said to cost more."""
FEWEST: Final = 20
MOST_ROWS: Final = 20_000
"""Baseline rows from which prices are read; more do not make them any better."""

BUCKETS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "tokens_in": ("input tokens", ("tokens_cached", "tokens_cache_write")),
    "tokens_cached": ("cached input tokens", ()),
    "tokens_cache_write": ("cache-write tokens", ()),
    "tokens_out": ("output tokens", ("tokens_reasoning",)),
    "tokens_reasoning": ("reasoning tokens", ()),
    "gpu_seconds": ("GPU seconds", ()),
}
"""Fields, what they are called, and the fields that they include and that are counted apart."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket's part in the rise of the mean cost: mean units a request, and the share of the rise."""

    field: str
    before: float
    after: float
    share: float

    def evidence(self) -> dict[str, Any]:
        """The bucket as an entry of ``changes``."""
        name = BUCKETS[self.field][0] if self.field in BUCKETS else "cost at the old prices"
        text = f"{name} a request went from {self.before:.3g} to {self.after:.3g}"
        text += f", {percent(self.share)} of the rise in cost"
        return {"what": self.field, "before": self.before, "after": self.after, "share": self.share, "text": text}


def diagnose_cost(situation: Situation) -> Verdict:
    """Find the cause of dearer requests."""
    measure = situation.good.measure if isinstance(situation.good, Below) else situation.measure or "cost"
    values = [_known(columns.number(measure)) for columns in (situation.before, situation.after)]
    worst = worst_first(situation.after.number(measure), np.isfinite(situation.after.number(measure)))
    if min(len(side) for side in values) < FEWEST:
        return Verdict("unknown", f"too few requests have a {measure} to compare", None, situation.scope, worst=worst)
    threshold = situation.good.threshold if isinstance(situation.good, Below) else float(np.quantile(values[0], 0.99))
    found = attribute(situation.before, situation.after, Below(measure, threshold))
    labels = found.labels
    was, now = (float(side.mean()) for side in values)
    inside = [side.take(matching(side, labels)) for side in (situation.before, situation.after)]
    parts = cost_parts(inside[0], inside[1])
    evidence = {"attribution": found.evidence(), "changes": [part.evidence() for part in parts]}
    rows = matching(situation.after, labels) & np.isfinite(situation.after.number(measure))
    worst = worst_first(situation.after.number(measure), rows)
    if now < DEARER * was and not found.risen:
        return Verdict("unknown", f"a request costs {now:.3g} on average, {was:.3g} before", None, situation.scope,
                       evidence, worst)  # fmt: skip
    where = f" with {described(labels)}" if labels else ""
    summary = f"a request costs {now:.3g} USD on average, {was:.3g} before"
    if labels:
        summary += f"; {percent(found.explained)} of the excess is in requests{where}"
    if parts:
        summary += f"; {parts[0].evidence()['text']}"
    release = release_of(labels, releases(situation.before, situation.after))
    if release is not None:
        return Verdict("bad-release", f"{summary}; {release.text(situation.onset_ns)}", found.explained, labels,
                       evidence, worst)  # fmt: skip
    confidence = min(max(parts[0].share, 0.0), 1.0) if parts else None
    return Verdict("cost-explosion", summary, confidence, labels or situation.scope, evidence, worst)


def cost_parts(before: Columns, after: Columns) -> list[Bucket]:
    """The buckets with a part in the rise of the mean cost, largest first; empty when the cost did not rise.

    ``price`` stands for what the buckets do not explain; its units are USD a request at old and new prices.
    """
    sides = [columns.take(np.isfinite(columns.number("cost"))) for columns in (before, after)]
    if min(len(side) for side in sides) < FEWEST:
        return []
    names = [name for name in BUCKETS if any(_units(side, name).any() for side in sides)]
    first, second = (np.column_stack([np.ones(len(side)), *(_units(side, name) for name in names)]) for side in sides)
    cost = [side.number("cost") for side in sides]
    rise = float(cost[1].mean() - cost[0].mean())
    if rise <= 0:
        return []
    prices = _prices(first[:MOST_ROWS], cost[0][:MOST_ROWS])
    means = first.mean(axis=0), second.mean(axis=0)
    parts = [
        Bucket(name, float(means[0][place]), float(means[1][place]),
               float(prices[place] * (means[1][place] - means[0][place])) / rise)
        for place, name in enumerate(names, start=1)
    ]  # fmt: skip
    at_old_prices = float(means[1] @ prices)
    parts.append(Bucket("price", at_old_prices, float(cost[1].mean()), (float(cost[1].mean()) - at_old_prices) / rise))
    return sorted((part for part in parts if part.share > 0.01), key=lambda part: -part.share)


def _prices(design: NDArray[np.float64], cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """Non-negative prices of one, a fixed part and each bucket; columns are scaled, as tokens and seconds differ."""
    scale = np.maximum(np.abs(design).max(axis=0), 1e-300)
    solved = np.linalg.lstsq(design / scale, cost, rcond=1e-9)[0] / scale
    return np.asarray(np.maximum(solved, 0.0))


def _units(columns: Columns, name: str) -> NDArray[np.float64]:
    own = np.nan_to_num(columns.number(name))
    included = sum((np.nan_to_num(columns.number(other)) for other in BUCKETS[name][1]), np.zeros(len(columns)))
    return np.asarray(np.maximum(own - included, 0.0))


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]
