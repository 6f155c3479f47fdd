"""e-BH: which of many series are discoveries, given one e-value each, under any dependence; it makes no e-values.

k* = max{k : k e_(k) / K >= 1 / alpha} with e_(1) >= e_(2) >= ...; the k* largest are discoveries.

Assumes: E[e] <= 1 for every series whose null holds. A statistic of an e-detector is no e-value (its mean grows with
time); divided by the steps it has made it is one at that step, E[M_t] <= t.
Guarantee: false-discovery rate <= alpha for one look, whatever the dependence. It holds per look: for an alarm that is
always on, state the average run length, not this rate.

Source: Wang, Ramdas, "False discovery rate control with e-values", JRSS B 2022.

Example:
    >>> e_bh(np.log([500.0, 30.0, 0.5]), alpha=0.05)
    array([ True,  True, False])
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telemetry.errors import TailwatchError


def e_bh(log_e_values: ArrayLike, alpha: float) -> NDArray[np.bool_]:
    """(series,) whether each is a discovery at false-discovery rate ``alpha``.

    Raises:
        TailwatchError: ``alpha`` is not within (0, 1).
    """
    if not 0 < alpha < 1:
        raise TailwatchError(f"alpha {alpha:g} is not within (0, 1)", remedy="write 0.05 for five in a hundred")
    log_e = np.atleast_1d(np.asarray(log_e_values, dtype=np.float64))
    order = np.argsort(-log_e, kind="stable")
    ranks = np.arange(1, len(log_e) + 1)
    passing = np.flatnonzero(log_e[order] + np.log(ranks / max(len(log_e), 1)) >= -math.log(alpha))
    found = np.zeros(len(log_e), dtype=np.bool_)
    if len(passing):
        found[order[: passing[-1] + 1]] = True
    return found
