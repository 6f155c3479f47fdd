"""Budgets that are an amount, money so far: how fast one burns, what is left of it, since when it burns too fast.

An amount B for a period P is spent evenly at B / P. What is spent within a time L burns at spent / (B L / P): 1 spends
the budget exactly within the period, as for budgets that are a share of events. Nothing here is a sample, so nothing is
tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.slo.tier import Counts


@dataclass(frozen=True, slots=True)
class Allowance:
    """``amount`` parts may be spent within ``period_ns``."""

    amount: int
    period_ns: int

    def burn(self, spent: Counts, lengths_ns: Sequence[int]) -> NDArray[np.float64]:
        """(windows, groups) burn rates of what was spent within windows of these lengths; 0 for a length of 0."""
        even = self.amount * np.asarray(lengths_ns, dtype=np.float64) / self.period_ns
        rates = np.zeros(np.shape(spent))
        return np.divide(spent, even[:, None], out=rates, where=even[:, None] > 0)

    def remaining(self, spent: Counts) -> NDArray[np.float64]:
        """(groups,) share of the amount that is left of the period's, negative once it is overspent.

        NaN where nothing was spent: who is silent and who is thrifty look alike.
        """
        return np.where(spent > 0, 1.0 - spent / self.amount, np.nan)

    def onset_ns(self, starts_ns: Counts, spent: Counts) -> int:
        """Since when more than evenly is spent, of (k,) buckets, oldest first, at least one: the start of the last run.

        A run is what a CUSUM (Page, 1954) of the excess over even spending calls one: it ends where all that was spent
        beyond it is made up for.
        """
        excess, onset_ns, before_ns = 0.0, int(starts_ns[0]), int(starts_ns[0])
        for start_ns, amount in zip(starts_ns.tolist(), spent.tolist(), strict=True):
            excess -= self.amount * (start_ns - before_ns) / self.period_ns
            if excess <= 0:
                excess, onset_ns = 0.0, start_ns
            excess += amount
            before_ns = start_ns
        return onset_ns
