"""Where the rise of a tail quantile sits: in which part of a request, and in which change of the traffic.

Components (queue, prefill, decode, other) add up to the measure, and their shares to 1. The contribution of a part to
a quantile is its mean among the records at that quantile (Euler allocation), c_i = E[part_i | measure = Q]; since the
parts sum to the measure, the c_i sum to Q, and the rise of Q is the sum of the rises of the c_i. The conditional mean
is taken over the ranks around the quantile.

Factors (warm-up, batch, input length, output length, cache) are no parts: for each, ``after`` is reweighted to the
factor's earlier distribution, and the share is how much of the rise then disappears. Factors overlap with components
and with each other, so their shares do not add up.

Assumes: enough records around the quantile (ten a window); factors act within strata as they did before.
Guarantee: components add up exactly; no error rate is claimed, these are estimates beside the quantiles' intervals.

Source: Tasche, "Risk contributions and performance measurement", 1999; Gourieroux, Laurent, Scaillet, "Sensitivity
analysis of values at risk", J. Empirical Finance 2000; DiNardo, Fortin, Lemieux, Econometrica 1996.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.tail.parts import split
from detectors.tail.reweighting import weighted_quantile, weights
from telemetry.columns import Columns

SMALLEST_WINDOW: Final = 10
"""Records around the quantile over which the parts are averaged, at least."""
STRATA: Final = 10
"""A numeric factor is cut at the deciles of both windows together."""
FACTORS: Final = (
    ("warm-up", "warmup"), ("batch", "batch_size"), ("input length", "tokens_in"), ("output length", "tokens_out"),
    ("cache", "cache_hit"),
)  # fmt: skip
"""Factors by the name that people use, and the field that tells."""


@dataclass(frozen=True, slots=True)
class TailPart:
    """One part's or factor's part in the rise.

    Attributes:
        part: ``queue``, ``prefill``, ``decode``, ``other``, or a factor's name.
        kind: ``component`` or ``factor``.
        before_s: a component's seconds in the earlier quantile; for a factor, the later quantile without its change.
        after_s: a component's seconds in the later quantile; for a factor, the later quantile.
        share: of the rise; components sum to 1.
    """

    part: str
    kind: str
    before_s: float
    after_s: float
    share: float


@dataclass(frozen=True, slots=True)
class TailDecomposition:
    """The rise of a quantile and what it is made of.

    Attributes:
        measure: which measure.
        quantile: which quantile.
        before_s, after_s: the quantile in either window; None without records.
        parts: components and factors, largest share first within each kind; empty when nothing rose.
        reason: why there are no parts; empty when there are.
    """

    measure: str
    quantile: float
    before_s: float | None
    after_s: float | None
    parts: tuple[TailPart, ...] = ()
    reason: str = ""

    def share(self, part: str) -> float:
        """The share of ``part``; 0 when it has none."""
        return next((item.share for item in self.parts if item.part == part), 0.0)

    def evidence(self) -> list[dict[str, Any]]:
        """The parts as a JSON document."""
        return [
            {
                "part": item.part, "kind": item.kind, "before_s": item.before_s, "after_s": item.after_s,
                "share": item.share,
            }
            for item in self.parts
        ]  # fmt: skip


def decompose(
    before: Columns, after: Columns, quantile: float = 0.99, *, measure: str = "duration"
) -> TailDecomposition:
    """Split the rise of a quantile of ``measure`` from ``before`` to ``after``; missing columns are left out.

    Args:
        before: records of the baseline.
        after: records since the onset.
        quantile: within (0, 1).
        measure: ``duration``, ``ttft``, or any single measure in seconds.
    """
    first, second = _present(before, measure), _present(after, measure)
    if min(len(first), len(second)) < SMALLEST_WINDOW:
        fewest = "baseline" if len(first) < SMALLEST_WINDOW else "window"
        reason = f"the {fewest} has fewer than {SMALLEST_WINDOW} records of {measure}"
        return TailDecomposition(measure, quantile, None, None, reason=reason)
    low, high = _quantile(first.number(measure), quantile), _quantile(second.number(measure), quantile)
    rise = high - low
    if rise <= 0:
        return TailDecomposition(measure, quantile, low, high, reason=f"the {measure} did not rise")
    components = _components(first, second, quantile, measure, rise)
    factors = _factors(first, second, quantile, measure, high=high, rise=rise)
    return TailDecomposition(measure, quantile, low, high, (*components, *factors))


def _components(before: Columns, after: Columns, quantile: float, measure: str, rise: float) -> list[TailPart]:
    first, second = _contributions(before, quantile, measure), _contributions(after, quantile, measure)
    # A part that one window does not report is inside that window's ``other``: comparing it would invent a rise.
    shared = [name for name in second if name in first]
    rest = (
        sum(v for name, v in first.items() if name not in shared),
        sum(v for name, v in second.items() if name not in shared),
    )
    result = []
    for name in shared:
        extra = rest if name == "other" else (0.0, 0.0)
        was, now = first[name] + extra[0], second[name] + extra[1]
        result.append(TailPart(name, "component", was, now, (now - was) / rise))
    return sorted(result, key=lambda item: -item.share)


def _contributions(columns: Columns, quantile: float, measure: str) -> dict[str, float]:
    values = columns.number(measure)
    order = np.argsort(values, kind="stable")
    n = len(values)
    centre = math.floor(quantile * (n - 1))
    half = max(SMALLEST_WINDOW // 2, math.ceil(n * (1 - quantile) / 2))
    window = order[max(0, centre - half) : min(n, centre + half + 1)]
    parts = {name: float(part[window].mean()) for name, part in split(columns, measure).items()}
    whole = sum(parts.values())
    target = _quantile(values, quantile)
    return {name: part * target / whole if whole > 0 else 0.0 for name, part in parts.items()}


def _factors(
    before: Columns, after: Columns, quantile: float, measure: str, *, high: float, rise: float
) -> list[TailPart]:
    result = []
    for name, field in FACTORS:
        strata = _strata(before, after, field)
        if strata is None:
            continue
        without = weighted_quantile(after.number(measure), weights(*strata), quantile)
        if math.isnan(without):
            continue
        share = min(max((high - without) / rise, 0.0), 1.0)
        if share > 0:
            result.append(TailPart(name, "factor", without, high, share))
    return sorted(result, key=lambda item: -item.share)


def _strata(before: Columns, after: Columns, field: str) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Stratum of each record, on a cut that both windows share; None when a window does not report the field."""
    n = len(before)
    if field in before.strings or field in after.strings:
        texts = np.asarray([*before.string(field).tolist(), *after.string(field).tolist()])
        codes = np.unique(texts, return_inverse=True)[1]
        # A flag that only marks its exceptions (warmup) is legitimately missing from a whole baseline.
        return codes[:n], codes[n:]
    numbers = np.concatenate([before.number(field), after.number(field)])
    known = ~np.isnan(numbers)
    if not known[:n].any() or not known[n:].any():
        return None
    edges = np.unique(np.quantile(numbers[known], np.linspace(0, 1, STRATA + 1)[1:-1]))
    codes = np.where(known, np.searchsorted(edges, numbers, side="left"), len(edges) + 1).astype(np.intp)
    return codes[:n], codes[n:]


def _present(columns: Columns, measure: str) -> Columns:
    return columns.take(~np.isnan(columns.number(measure)))


def _quantile(values: NDArray[np.float64], quantile: float) -> float:
    return float(np.sort(values)[math.floor(quantile * (len(values) - 1))])
