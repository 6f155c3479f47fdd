"""The null of a sequential test whose errors may come in clusters: the probability of events under it, no alarm.

Requests are cut into blocks. Within one, the share of bad events is Beta(p0 s, (1 - p0) s), which is Polya's urn: a bad
event makes the next one likelier, with the chance (p0 s + K) / (s + N) after K bad of N. A block's count then varies
d = 1 + (m - 1) / (s + 1) times as much as a binomial one, for m = 100 requests. How much errors cluster is unknown, so
the null is a mixture over ``DISPERSIONS``:

    P(block) = sum_d w_d B(p0 s_d + K, (1 - p0) s_d + N - K) / B(p0 s_d, (1 - p0) s_d),    d = 1: p0^K (1 - p0)^(N - K)

A cluster ends where it likes, so with a chance of one half a block goes on with the share of the block before it,
unless that one did so itself: more would call an incident a cluster. The weights w_d are learnt block by block, by
Bayes' rule; of an alarm the first block teaches and no other.

Guarantee: whatever q says beforehand, q(events) / P(events) is a martingale under the mixture, so an e-detector over
such ratios keeps its average run length, on average over the mixture. Under one of the models alone, the ratio of a
block is at most 1 / w_d times the fair one, and w_d tends to 1 where d is the truth.

Assumes: rate at most p0; clusters no longer than a block. A block ends with the step in which it reaches 100 requests;
where the last one held more, the next is thought to hold as many more independent clusters. What is learnt takes the
rate of the last blocks for granted, and no block changes a weight by more than ``MOST_LEARNT``.

Source: Skellam, "A probability distribution derived from the binomial distribution by regarding the probability of
success as variable between the sets of trials", JRSS B 1948; mixtures as nulls: Wasserman, Ramdas, Balakrishnan,
"Universal inference", PNAS 2020.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln

from detectors.sequential.series import Series

BLOCK: Final = 100
"""Requests for which a dispersion is stated, and the least that a block holds."""
DISPERSIONS: Final = (1.0, 3.0)
"""Independent errors, and errors as they come in real serving traffic."""
PRIOR: Final = (0.8, 0.2)
LEAST_LOG_WEIGHT: Final = -12.0
"""No model is ever given up, or a change would take as long to learn as what was learnt before."""
MOST_LEARNT: Final = 4.0
"""Most that one block adds to a log weight."""
GOES_ON: Final = 0.5
"""Chance that a block goes on with the share of the block before it, if that one had a share of its own."""
RATE_BLOCKS: Final = 50
"""Blocks over which the rate is averaged that learning takes for granted."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NullState(Series):
    """Where every series stands; arrays are (series,), or (series, models).

    Attributes:
        bad, total: events of the open block.
        before_bad, before_total: events of the block before it.
        before_fresh: (series, models - 1) chance that the block before it had a share of its own.
        log_prefix: log of its probability so far.
        log_weights: of the models.
        scale: how many times ``BLOCK`` a block is thought to hold, at least 1.
        rate_bad, rate_total: events of the last blocks, the older the less.
    """

    bad: Floats
    total: Floats
    before_bad: Floats
    before_total: Floats
    before_fresh: Floats
    log_prefix: Floats
    log_weights: Floats
    scale: Floats
    rate_bad: Floats
    rate_total: Floats


class ClusteredNull:
    """The null "bad with a probability of at most ``p0``", for errors that cluster as little or as much as they do."""

    def __init__(self, p0: float, *, clusters: bool = True) -> None:
        """Without ``clusters`` errors are taken to be independent."""
        models = len(DISPERSIONS) if clusters else 1
        self.p0 = p0
        self._prior = np.log(np.asarray(PRIOR[:models]) / sum(PRIOR[:models]))
        spread = np.asarray(DISPERSIONS[1:models])
        self._size = (BLOCK - spread) / (spread - 1)

    def start(self, series: int) -> NullState:
        """Series that have seen nothing."""
        zeros = np.zeros(series)
        # Half an event of prior knowledge: the rate is p0 until there are events.
        return NullState(
            bad=zeros, total=zeros, before_bad=zeros, before_total=zeros,
            before_fresh=np.ones((series, len(self._size))),
            log_prefix=zeros, log_weights=np.tile(self._prior, (series, 1)), scale=np.ones(series),
            rate_bad=np.full(series, 0.5), rate_total=np.full(series, 0.5 / self.p0),
        )  # fmt: skip

    def step(
        self, state: NullState, bad: Floats, total: Floats, teaches: NDArray[np.bool_]
    ) -> tuple[NullState, Floats]:
        """Take in one step of every series, all of which have events.

        Args:
            state: where they stand.
            bad: (series,) counts.
            total: (series,) counts, above 0.
            teaches: (series,) whether the open block may be learnt from once it is complete.

        Returns:
            The state after it, and (series,) log probability of the step, given all that came before.
        """
        full = np.flatnonzero(state.total >= BLOCK)
        if len(full) == len(state.bad):
            state = self._closed(state, teaches)
        elif len(full):
            state = state.replaced(full, self._closed(state.take(full), teaches[full]))
        after = replace(state, bad=state.bad + bad, total=state.total + total)
        prefix = np.logaddexp.reduce(self._log_models(after, np.full(1, self.p0)) + state.log_weights, axis=1)
        return replace(after, log_prefix=prefix), prefix - state.log_prefix

    def anew(self, state: NullState, teaches: NDArray[np.bool_]) -> NullState:
        """Drop every open block: it belongs to an alarm. Those of ``teaches`` (series,) are an alarm's first."""
        nothing = np.zeros(len(state.bad))
        return replace(
            state, bad=nothing, total=nothing, before_bad=nothing, before_total=nothing, log_prefix=nothing,
            log_weights=np.where(teaches[:, None], self._learnt(state), state.log_weights),
        )  # fmt: skip

    def _closed(self, state: NullState, teaches: NDArray[np.bool_]) -> NullState:
        """Begin a new block everywhere."""
        nothing = np.zeros(len(state.bad))
        _, fresh, goes_on = self._log_parts(state, np.full(1, self.p0))
        kept = 1 - 1 / RATE_BLOCKS
        return NullState(
            bad=nothing, total=nothing, before_bad=state.bad, before_total=state.total,
            before_fresh=expit(fresh - goes_on), log_prefix=nothing,
            log_weights=np.where(teaches[:, None], self._learnt(state), state.log_weights),
            scale=state.total / BLOCK,
            rate_bad=np.where(teaches, state.rate_bad * kept + state.bad, state.rate_bad),
            rate_total=np.where(teaches, state.rate_total * kept + state.total, state.rate_total),
        )  # fmt: skip

    def _learnt(self, state: NullState) -> Floats:
        """(series, models) log weights after the open block."""
        models = self._log_models(state, np.minimum(state.rate_bad / state.rate_total, 0.5))
        weights = state.log_weights + np.maximum(models - models.max(axis=1, keepdims=True), -MOST_LEARNT)
        weights -= np.logaddexp.reduce(weights, axis=1)[:, None]
        weights = np.maximum(weights, LEAST_LOG_WEIGHT)
        return np.asarray(weights - np.logaddexp.reduce(weights, axis=1)[:, None])

    def _log_models(self, state: NullState, rate: Floats) -> Floats:
        """(series, models) log probability of the open block's events in one order."""
        independent, fresh, goes_on = self._log_parts(state, rate)
        return np.concatenate([independent[:, None], np.logaddexp(fresh, goes_on)], axis=1)

    def _log_parts(self, state: NullState, rate: Floats) -> tuple[Floats, Floats, Floats]:
        """Log probability of the open block's events in one order.

        Returns:
            (series,) if errors are independent; (series, models - 1) if they cluster and the block has a share of its
            own, and if it goes on with that of the block before it.
        """
        good = state.total - state.bad
        independent = state.bad * np.log(rate) + good * np.log1p(-rate)
        s = self._size * state.scale[:, None]
        a, b, k, n = rate[:, None] * s, (1 - rate[:, None]) * s, state.bad[:, None], good[:, None]
        before_bad = state.before_bad[:, None]
        before_good = state.before_total[:, None] - before_bad
        fresh = _log_urn(a, b, k, n) + np.log1p(-GOES_ON * state.before_fresh)
        goes_on = _log_urn(a + before_bad, b + before_good, k, n) + np.log(GOES_ON * state.before_fresh)
        return independent, fresh, goes_on


def _log_urn(bad: Floats, good: Floats, more_bad: Floats, more_good: Floats) -> Floats:
    """Log probability of draws in one order from Polya's urn."""
    return np.asarray(_rising(bad, more_bad) + _rising(good, more_good) - _rising(bad + good, more_bad + more_good))


def _rising(start: Floats, steps: Floats) -> Floats:
    """Log of start (start + 1) ... (start + steps - 1)."""
    return np.asarray(gammaln(start + steps) - gammaln(start))
