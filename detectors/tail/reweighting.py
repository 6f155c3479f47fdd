"""What a quantile would be, had the traffic kept its earlier mix: inverse-propensity weights over strata; no model.

Each record of ``after`` gets the weight (share of its stratum before) / (share of its stratum after), so that the
weighted ``after`` has the earlier mix and its own behaviour. The quantile of the weighted sample is the counterfactual.

Assumes: within a stratum the behaviour does not depend on the mix. Strata that only exist after have weight 0 (they
would not have been there); strata that vanished can not be put back and are left out.

Source: DiNardo, Fortin, Lemieux, "Labor market institutions and the distribution of wages", Econometrica 1996.

Example:
    >>> weights(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])).round(2)
    array([1.5, 1.5, 0.5, 0.5])
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def weights(before: NDArray[np.intp], after: NDArray[np.intp]) -> NDArray[np.float64]:
    """(m,) weights of the ``after`` records, mean 1 where no stratum vanished.

    Args:
        before: (n,) stratum of each earlier record, from 0.
        after: (m,) stratum of each later record.
    """
    strata = int(max(before.max(initial=-1), after.max(initial=-1))) + 1
    share_before = np.bincount(before, minlength=strata) / max(len(before), 1)
    share_after = np.bincount(after, minlength=strata) / max(len(after), 1)
    ratio = np.divide(share_before, share_after, out=np.zeros(strata), where=share_after > 0)
    return np.asarray(ratio[after])


def weighted_quantile(values: NDArray[np.float64], weight: NDArray[np.float64], quantile: float) -> float:
    """The least value at which the cumulative weight reaches ``quantile`` of the whole; NaN without weight."""
    order = np.argsort(values)
    cumulative = np.cumsum(weight[order])
    if not len(cumulative) or cumulative[-1] <= 0:
        return float("nan")
    place = int(np.searchsorted(cumulative, quantile * cumulative[-1]))
    return float(values[order][min(place, len(values) - 1)])
