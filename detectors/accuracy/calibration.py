"""Expected accuracy of unlabelled predictions from their confidence, calibrated by labelled ones; it alarms nobody.

Method: confidence-based performance estimation (CBPE, NannyML, "Estimation of performance of a monitored model",
https://nannyml.readthedocs.io). What confidence means is learnt from labelled predictions: those of similar doubt
(1 - confidence) form bins of at least ``_BIN_LABELS``; the shares that were right are made monotone in doubt
by isotonic regression (pool adjacent violators, Barlow et al. 1972), which keeps their mean. With weights w_b, the
share of the unlabelled predictions in block b, and R_b of M_b right there,

    accuracy = sum w_b R_b / M_b,  variance = sum w_b^2 v_b + sum w_b q_b (1 - q_b) / n

with v_b and q_b variance and mean of Jeffreys' Beta(R_b + 1/2, M_b - R_b + 1/2): what the calibration does not know
yet, and the chance of n predictions themselves. The interval is that of a Beta of this mean and variance.

Assumes that a doubt means for unlabelled predictions what it meant for labelled ones. A model that is as confident as
ever and wrong more often (concept drift), or labels given to a choice of predictions that differ otherwise than in
confidence, break that and do not show: an estimate is no measurement. Where predictions are as doubtful as no labelled
one was, there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

from telemetry.sketches import DDSketch

_BIN_LABELS: Final = 30
_LEVEL: Final = 0.95
_MOST_OUTSIDE: Final = 0.05
"""Share of predictions with doubts outside those of the labelled ones beyond which nothing is said."""
_EDGE: Final = 1.05
"""Doubts that differ by less are the same to a sketch of 1 %, give or take."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected share of right predictions.

    Attributes:
        accuracy: the estimate, within [0, 1].
        low, high: where the share of right ones among these very predictions lies with 95 %.
        predictions: how many it is about.
        labels: how many labelled predictions it rests on.
        mean_confidence: what the model itself would say.
    """

    accuracy: float
    low: float
    high: float
    predictions: int
    labels: int
    mean_confidence: float


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why there is no estimate, in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """What doubt means: blocks of doubt, ascending, and how many of how many labelled predictions were right in each.

    Attributes:
        upper: (blocks,) largest doubt of each block, as labelled.
        right, labels: (blocks,) counts.
        low, high: the smallest and the largest doubt that was labelled.
    """

    upper: Floats
    right: Floats
    labels: Floats
    low: float
    high: float

    @classmethod
    def of(cls, right: DDSketch, wrong: DDSketch) -> Calibration:
        """Learn from the doubts of predictions that were right, and of those that were wrong; one of either at least.

        Raises:
            ValueError: there are none.
        """
        doubts, counts = _aligned(right, wrong)
        edges = _bin_ends(counts.sum(axis=0))
        binned = np.add.reduceat(counts, np.concatenate([[0], edges[:-1] + 1]), axis=1)
        starts = _monotone_blocks(binned[0], binned.sum(axis=0))
        blocks = np.add.reduceat(binned, starts, axis=1)
        ends = edges[np.append(starts[1:] - 1, len(edges) - 1)]
        return cls(doubts[ends], blocks[0], blocks.sum(axis=0), float(doubts[0]), float(doubts[-1]))

    def estimate(self, doubts: DDSketch, min_labels: int) -> Estimate | Unknown:
        """The expected accuracy of predictions with these doubts."""
        labels = int(self.labels.sum())
        values, counts = doubts.histogram()
        n = int(counts.sum())
        if labels < min_labels:
            return Unknown(f"{labels} labelled predictions have a confidence; an estimate needs {min_labels}")
        if not n:
            return Unknown("no prediction has a confidence")
        outside = counts[(values < self.low / _EDGE) | (values > self.high * _EDGE)].sum() / n
        if outside > _MOST_OUTSIDE:
            return Unknown(f"{100 * outside:.0f} % of predictions are as confident as no labelled one was")
        block = np.minimum(np.searchsorted(self.upper, values), len(self.upper) - 1)
        weights = np.bincount(block, weights=counts, minlength=len(self.upper)) / n
        accuracy = float(weights @ (self.right / self.labels))
        a, b = self.right + 0.5, self.labels - self.right + 0.5
        q = a / (a + b)
        unsure = q * (1 - q)
        variance = float(weights**2 @ (unsure / (a + b + 1)) + weights @ unsure / n)
        low, high = _beta_interval(float(weights @ q), variance)
        confidence = 1.0 - doubts.total / n
        return Estimate(accuracy, min(low, accuracy), max(high, accuracy), n, labels, confidence)


def _aligned(right: DDSketch, wrong: DDSketch) -> tuple[Floats, Floats]:
    """The doubts of either, ascending, and (2, doubts) how many of them were right and wrong."""
    sides = [right.histogram(), wrong.histogram()]
    doubts, place = np.unique(np.concatenate([side[0] for side in sides]), return_inverse=True)
    if not len(doubts):
        raise ValueError("there are no labelled predictions with a confidence")
    counts = np.zeros((2, len(doubts)))
    first = len(sides[0][0])
    np.add.at(counts[0], place[:first], sides[0][1])
    np.add.at(counts[1], place[first:], sides[1][1])
    return doubts, counts


def _bin_ends(labels: Floats) -> NDArray[np.intp]:
    """(bins,) the last doubt of each bin, so that every one has enough labels; what is left over joins the last."""
    least = max(_BIN_LABELS, float(np.sqrt(labels.sum())))
    ends: list[int] = []
    held = 0.0
    for i, count in enumerate(labels.tolist()):
        held += count
        if held >= least:
            ends.append(i)
            held = 0.0
    return np.asarray([*ends[:-1], len(labels) - 1], dtype=np.intp)


def _monotone_blocks(right: Floats, labels: Floats) -> NDArray[np.intp]:
    """(blocks,) the first bin of each run of bins that isotonic regression makes one."""
    fitted = scipy.optimize.isotonic_regression(right / labels, weights=labels, increasing=False)
    return np.asarray(fitted.blocks[:-1], dtype=np.intp)


def _beta_interval(mean: float, variance: float) -> tuple[float, float]:
    """The central interval of the Beta distribution of this mean and variance."""
    size = mean * (1 - mean) / variance - 1
    tail = (1 - _LEVEL) / 2
    low, high = scipy.special.betaincinv(mean * size, (1 - mean) * size, [tail, 1 - tail])
    return float(low), float(high)
