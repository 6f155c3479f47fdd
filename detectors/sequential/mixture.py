"""Mixture e-detectors over many series at once: state in, state out; they read no data source and keep no history.

The alternative is unknown, so an e-detector is run for each of a geometric grid of alternatives and their statistics
are averaged. The average of e-detectors is one too (their sum minus time is a supermartingale), so the average run
length under the null stays at least the threshold, while the delay is within log(grid size) / KL of the delay for the
best alternative of the grid.

Guarantee: under the null of every step, E[steps to the first alarm] >= the target run length, for any dependence
between series; one step is one call with data for the series, whatever number of events it holds. Assumptions: those
of the increments (:mod:`detectors.sequential.increments`). Nulls belong at the objective, not at the historical mean.

Source: Shin, Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", NEJSDS 2024
(arXiv:2203.03532).

Example:
    >>> detector = BernoulliDetector.of(p0=0.001)
    >>> state = detector.start(series=2)
    >>> for _ in range(50):
    ...     state = detector.step(state, bad=[0, 2], total=[100, 100])
    >>> state.alarms(average_run_length=432_000)
    array([False,  True])
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.sequential.increments import bernoulli_log_increments, bounded_mean_log_increments
from detectors.sequential.recursions import Recursion, advance
from detectors.sequential.series import Series
from telemetry.errors import TailwatchError

ALTERNATIVES: Final = 10
ODDS_RATIOS: Final = (1.5, 100.0)
"""Smallest and largest odds of an alternative over the null's: below, a change hardly burns a budget; above, the
largest one is as quick to within an event."""
BETS: Final = (0.005, 0.9)
"""Smallest and largest fraction of the wealth that a bounded-mean alternative bets."""


def threshold(average_run_length: float) -> float:
    """The log of the statistic at which to alarm, for a mean of ``average_run_length`` steps between false alarms.

    Raises:
        TailwatchError: the run length is not above 1.
    """
    if not average_run_length > 1:
        raise TailwatchError(
            f"an average run length of {average_run_length:g} steps is not above 1", remedy="give steps, such as 432000"
        )
    return math.log(average_run_length)


@dataclass(frozen=True, slots=True)
class DetectorState(Series):
    """Where every series stands.

    Attributes:
        log_statistic: (series, alternatives) log M; -inf before the first step.
        steps: (series,) int64, steps with data since the start or the last reset.
    """

    log_statistic: NDArray[np.float64]
    steps: NDArray[np.int64]

    @classmethod
    def fresh(cls, series: int, alternatives: int) -> DetectorState:
        """``series`` series that have seen nothing."""
        return cls(np.full((series, alternatives), -np.inf), np.zeros(series, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.steps)

    def log_evidence(self) -> NDArray[np.float64]:
        """(series,) log of the mean statistic over the alternatives: compare with :func:`threshold`."""
        with np.errstate(divide="ignore"):
            total = np.logaddexp.reduce(self.log_statistic, axis=1)
        return np.asarray(total - math.log(self.log_statistic.shape[1]))

    def alarms(self, average_run_length: float) -> NDArray[np.bool_]:
        """(series,) whether the evidence stands at or above the threshold now."""
        return np.asarray(self.log_evidence() >= threshold(average_run_length))

    def best_alternative(self) -> NDArray[np.intp]:
        """(series,) index of the alternative with the largest statistic: a point estimate of the change."""
        return np.asarray(np.argmax(self.log_statistic, axis=1))

    def reset(self, which: NDArray[np.bool_] | None = None) -> DetectorState:
        """Start ``which`` (series,) series anew, all when None; after an incident, or it would stay alarmed."""
        mask = np.ones(len(self), dtype=np.bool_) if which is None else np.asarray(which, dtype=np.bool_)
        return DetectorState(
            np.where(mask[:, None], -np.inf, self.log_statistic), np.where(mask, 0, self.steps).astype(np.int64)
        )

    def extend(self, series: int) -> DetectorState:
        """Append ``series`` fresh series."""
        return self.joined(DetectorState.fresh(series, self.log_statistic.shape[1]))

    def advance(
        self, log_increments: NDArray[np.float64], present: NDArray[np.bool_], recursion: Recursion
    ) -> DetectorState:
        """One step for the series that are ``present`` (series,); the others stay as they are.

        Raises:
            TailwatchError: the data are not for as many series as the state.
        """
        if len(present) != len(self):
            raise TailwatchError(
                f"a step has data for {len(present)} series, the state holds {len(self)}",
                remedy="extend the state when series appear",
            )
        stepped = advance(self.log_statistic, log_increments, recursion)
        return DetectorState(
            np.where(present[:, None], stepped, self.log_statistic), (self.steps + present).astype(np.int64)
        )


@dataclass(frozen=True, slots=True, eq=False)
class BernoulliDetector:
    """Detects that events turn bad more often than ``p0``; a step is k bad of n events.

    Attributes:
        p0: (series or 1, 1) the largest rate that is still fine: 1 - objective.
        alternatives: (series or 1, alternatives) rates above it.
        recursion: ``sr`` (default) or ``cusum``.
    """

    p0: NDArray[np.float64]
    alternatives: NDArray[np.float64]
    recursion: Recursion = "sr"

    @classmethod
    def of(
        cls,
        p0: ArrayLike,
        *,
        alternatives: int = ALTERNATIVES,
        odds_ratios: tuple[float, float] = ODDS_RATIOS,
        recursion: Recursion = "sr",
    ) -> BernoulliDetector:
        """Alternatives whose odds are a geometric grid of multiples of the null's, which keeps every rate below 1.

        Args:
            p0: one rate for all series, or (series,) rates.
            alternatives: how many.
            odds_ratios: the smallest and the largest multiple, both above 1.
            recursion: ``sr`` or ``cusum``.

        Raises:
            TailwatchError: a rate outside (0, 1), or a multiple of at most 1.
        """
        null = np.atleast_1d(np.asarray(p0, dtype=np.float64))[:, None]
        if np.any(~(null > 0) | ~(null < 1)):
            raise TailwatchError(
                "a null rate is not strictly between 0 and 1", remedy="an objective of 99.9 % has p0 = 0.001"
            )
        if not 1 < odds_ratios[0] <= odds_ratios[1] or alternatives < 1:
            raise TailwatchError(
                "the alternatives are not above the null", remedy="give odds ratios above 1, ascending"
            )
        odds = null / (1 - null) * np.geomspace(*odds_ratios, alternatives)[None, :]
        return cls(null, odds / (1 + odds), recursion)

    def start(self, series: int) -> DetectorState:
        """The state before any data."""
        return DetectorState.fresh(series, self.alternatives.shape[1])

    def step(
        self, state: DetectorState, bad: ArrayLike, total: ArrayLike, dispersion: ArrayLike = 1.0
    ) -> DetectorState:
        """Take in (series,) counts; a series with a total of 0 has no step.

        Raises:
            TailwatchError: impossible counts, a dispersion below 1, or another number of series than the state's.
        """
        present = np.atleast_1d(np.asarray(total)) > 0
        increments = bernoulli_log_increments(bad, total, self.p0, self.alternatives, dispersion)
        return state.advance(increments, present, self.recursion)


@dataclass(frozen=True, slots=True, eq=False)
class BoundedMeanDetector:
    """Detects that the mean of non-negative values exceeds ``mean``; a step is one value a series.

    For shares of bad events of blocks it holds its run length however the errors cluster within a block.

    Attributes:
        mean: (series or 1, 1) the largest mean that is still fine.
        bets: (1, alternatives) fractions of the wealth that the alternatives bet.
        recursion: ``sr`` (default) or ``cusum``.
    """

    mean: NDArray[np.float64]
    bets: NDArray[np.float64]
    recursion: Recursion = "sr"

    @classmethod
    def of(
        cls,
        mean: ArrayLike,
        *,
        alternatives: int = ALTERNATIVES,
        bets: tuple[float, float] = BETS,
        recursion: Recursion = "sr",
    ) -> BoundedMeanDetector:
        """Bets on a geometric grid.

        Args:
            mean: one mean for all series, or (series,) means, above 0.
            alternatives: how many bets.
            bets: smallest and largest fraction, within (0, 1).
            recursion: ``sr`` or ``cusum``.

        Raises:
            TailwatchError: a mean of at most 0, or a bet outside (0, 1).
        """
        null = np.atleast_1d(np.asarray(mean, dtype=np.float64))[:, None]
        if np.any(~(null > 0)):
            raise TailwatchError("a null mean is not above 0", remedy="an objective of 99.9 % has the mean 0.001")
        if not 0 < bets[0] <= bets[1] < 1 or alternatives < 1:
            raise TailwatchError("a bet is outside (0, 1)", remedy="give fractions such as 0.005 and 0.9, ascending")
        return cls(null, np.geomspace(*bets, alternatives)[None, :], recursion)

    def start(self, series: int) -> DetectorState:
        """The state before any data."""
        return DetectorState.fresh(series, self.bets.shape[1])

    def step(self, state: DetectorState, values: ArrayLike) -> DetectorState:
        """Take in (series,) values; a series whose value is NaN has no step.

        Raises:
            TailwatchError: a negative value, or another number of series than the state's.
        """
        present = ~np.isnan(np.atleast_1d(np.asarray(values, dtype=np.float64)))
        return state.advance(bounded_mean_log_increments(values, self.mean, self.bets), present, self.recursion)
