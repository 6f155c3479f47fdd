"""How likely each record is to be bad when nothing is wrong: the baseline's rates, by its most telling dimension.

Chat is slower than classification at all times, so a larger share of chat is no excess of slow events. The expected
rate of a record is the baseline's rate for its value of one dimension, r_v = (b_v + r) / (m_v + 1), where r is the rate
of the whole baseline: the dimension that predicts the baseline's bad events best (largest gain of binomial likelihood,
after a penalty of ln(m) / 2 a value), or none. Records without a value are a value of their own; unseen values have r.

Assumes: the baseline's rates hold but for the trouble. Without a baseline every rate is 0 and every bad event excess.

Source: direct standardisation, Rothman, Greenland, Modern Epidemiology, 1998; the penalty: Schwarz, Annals of
Statistics 1978.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from detectors.attribution.dimensions import UNNAMED, CodedDimension


def expected_rates(
    dimensions: Sequence[CodedDimension], bad_before: NDArray[np.bool_], after: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,), (m,) expected probability of being bad, of every earlier and every later record.

    Args:
        dimensions: of n earlier and m later records.
        bad_before: (n,) which earlier records are bad.
        after: m.
    """
    n = len(bad_before)
    if not n:
        return np.zeros(0), np.zeros(after)
    overall = float(bad_before.mean())
    best, gain = None, 0.0
    for dimension in dimensions:
        found = _gain(dimension, bad_before, overall)
        if found > gain:
            best, gain = dimension, found
    if best is None:
        return np.full(n, overall), np.full(after, overall)
    total, bad = _counts(best, bad_before)
    rates = (bad + overall) / (total + 1)
    return rates[best.before], rates[best.after]


def _gain(dimension: CodedDimension, bad: NDArray[np.bool_], overall: float) -> float:
    total, wrong = _counts(dimension, bad)
    rate = np.divide(wrong, total, out=np.zeros_like(total), where=total > 0)
    xlogy, xlog1py = scipy.special.xlogy, scipy.special.xlog1py
    separate = float((xlogy(wrong, rate) + xlog1py(total - wrong, -rate)).sum())
    together = float(xlogy(bad.sum(), overall) + xlog1py((~bad).sum(), -overall))
    return separate - together - (int((total > 0).sum()) - 1) * math.log(len(bad)) / 2


def _counts(dimension: CodedDimension, bad: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Events and bad events a value; the last place is that of the unnamed, as their code -1 reads it."""
    size = len(dimension.values) + 1
    codes = np.where(dimension.before == UNNAMED, size - 1, dimension.before)
    total = np.bincount(codes, minlength=size).astype(np.float64)
    return total, np.bincount(codes[bad], minlength=size).astype(np.float64)
