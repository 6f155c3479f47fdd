"""Multi-window, multi-burn-rate conditions over all groups at once; it knows no time and no alert state.

burn = error ratio / (1 - objective): 1 spends the budget exactly within the SLO's window. A pair holds where its long
and its short window both exceed its factor, strictly: the long one says that enough is spent to matter, the short one
that it is still being spent (Site Reliability Workbook, chapter 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.slo.spec import BurnPair
from detectors.slo.tier import Counts

MIN_BAD_YOUNG: Final = 10
"""Bad events that a pair needs while a group's history is shorter than the long window. A window that is only partly
there exaggerates: two minutes after a start, one failure among fifty would read as 20x over the hour."""
MIN_BAD_YOUNG_SLICES: Final = 2
"""The same for slices, each of them a verdict over many events."""
_ROUNDING: Final = 1e-9
"""Relative excess below which a burn counts as equal to a factor: the float's noise, not the service's."""


def burn_rates(good: Counts, total: Counts, error_budget: ArrayLike) -> NDArray[np.float64]:
    """Burn rates, same shape; 0 where there were no events: silence burns nothing."""
    ratio = np.divide(total - good, total, out=np.zeros(np.shape(total)), where=total > 0)
    return np.asarray(ratio / error_budget)


def pair_holds(
    pair: BurnPair,
    burn: Mapping[int, NDArray[np.float64]],
    bad: Mapping[int, Counts],
    age_ns: Counts,
    min_bad_young: int,
) -> NDArray[np.bool_]:
    """(groups,) where the plain rule of a pair holds, before the statistical gate.

    Args:
        pair: the two windows and the factor.
        burn: (groups,) burn rates by window length.
        bad: (groups,) bad events by window length.
        age_ns: (groups,) how long ago each group's history began.
        min_bad_young: bad events that a group younger than the long window needs.
    """
    least = pair.factor * (1 + _ROUNDING)
    grown = (age_ns >= pair.long_ns) | (bad[pair.long_ns] >= min_bad_young)
    return np.asarray((burn[pair.long_ns] > least) & (burn[pair.short_ns] > least) & grown)
