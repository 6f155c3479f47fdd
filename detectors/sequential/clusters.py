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

from copy import copy
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from detectors.sequential.series import Series

BLOCK: Final = 100
"""Requests for which a dispersion is stated, and the least that a block holds."""
DISPERSIONS: Final = (1.0, 3.0)
"""Independent errors, and errors as they come in real serving traffic."""
PRIOR: Final = (0.1, 0.9)
"""What is thought before anything is learnt. A group whose errors cluster and that is taken for independent pages for
its clusters, so independence is what a history has to show."""
LEAST_LOG_WEIGHT: Final = -12.0
"""No model is ever given up, or a change would take as long to learn as what was learnt before."""
MOST_LEARNT: Final = 4.0
"""Most that one block adds to a log weight."""
GOES_ON: Final = 0.5
"""Chance that a block goes on with the share of the block before it, if that one had a share of its own."""
RATE_BLOCKS: Final = 50
"""Blocks over which the rate is averaged that learning takes for granted."""

LEAST_RECENT: Final = 1e-6
"""Bad events of the last blocks, at least: days without one must not make their rate 0, at which nothing is finite."""
_LOWEST_SHARES: Final = (0.0, 0.5, 1.0)
_HIGHEST_SHARES: Final = (0.5, 1.0, 1.0)
"""Of bad events, good ones, and all: beyond a half, bad ones are taken for an incident."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NullState(Series):
    """Where every series stands; counts are (series, 3): bad events, good ones, and all.

    Attributes:
        block: counts of the open block.
        before: of the block before it.
        fresh: (series, models - 1) chance that the open block has a share of its own, by its events.
        before_fresh: the same of the block before it.
        log_prefix: (series,) log of the open block's probability so far.
        log_taught: (series, models) log of what each model makes of it at the rate of the last blocks.
        log_weights: (series, models) of the models.
        scale: (series,) how many times ``BLOCK`` a block is thought to hold, at least 1.
        recent: counts of the last blocks, the older the less.
    """

    block: Floats
    before: Floats
    fresh: Floats
    before_fresh: Floats
    log_prefix: Floats
    log_taught: Floats
    log_weights: Floats
    scale: Floats
    recent: Floats

    def clusters(self) -> Floats:
        """(series,) chance that errors cluster, by the blocks before the open one."""
        return -np.expm1(self.log_weights[:, 0])


class ClusteredNull:
    """The null "bad with a probability of at most ``p0``", for errors that cluster as little or as much as they do."""

    def __init__(self, p0: ArrayLike, *, clusters: bool = True) -> None:
        """``p0``: (series,) or one for all. Without ``clusters`` errors are taken to be independent."""
        models = len(DISPERSIONS) if clusters else 1
        rates = np.atleast_1d(np.asarray(p0, dtype=np.float64))
        self._shares = np.stack([rates, 1 - rates, np.ones_like(rates)], axis=1)
        self._prior = np.log(np.asarray(PRIOR[:models]) / sum(PRIOR[:models]))
        spread = np.asarray(DISPERSIONS[1:models])
        self._size = (BLOCK - spread) / (spread - 1)

    def of(self, series: NDArray[np.intp]) -> ClusteredNull:
        """The null of the series at these positions."""
        part = copy(self)
        part._shares = self._shares[series]
        return part

    def start(self, series: int) -> NullState:
        """Series that have seen nothing."""
        nothing, certain = np.zeros((series, 3)), np.ones((series, len(self._size)))
        # Half a bad event of prior knowledge: the rate is p0 until there are events.
        return NullState(
            block=nothing, before=nothing, fresh=certain, before_fresh=certain, log_prefix=np.zeros(series),
            log_taught=np.zeros((series, len(self._prior))), log_weights=np.tile(self._prior, (series, 1)),
            scale=np.ones(series),
            recent=np.broadcast_to(0.5 / self._shares[:, :1] * self._shares, (series, 3)),
        )  # fmt: skip

    def step(self, state: NullState, counts: Floats, teaches: NDArray[np.bool_]) -> tuple[NullState, Floats]:
        """Take in one step of every series, all of which have events.

        Args:
            state: where they stand.
            counts: (series, 3) events: bad, good, and all.
            teaches: (series,) whether the open block may be learnt from once it is complete.

        Returns:
            The state after it, and (series,) log probability of the step, given all that came before.
        """
        full = state.block[:, 2] >= BLOCK
        if full.any():
            state = self._closed(state, full, full & teaches)
        block = state.block + counts
        (log_models, log_taught), fresh = self._read(state, block)
        log_prefix = np.logaddexp.reduce(log_models + state.log_weights, axis=1)
        after = NullState(
            block, state.before, fresh, state.before_fresh, log_prefix, log_taught, state.log_weights, state.scale,
            state.recent,
        )  # fmt: skip
        return after, log_prefix - state.log_prefix

    def _closed(self, state: NullState, full: NDArray[np.bool_], teaches: NDArray[np.bool_]) -> NullState:
        """Begin a new block where the open one is ``full`` (series,)."""
        new = full[:, None]
        recent = np.maximum(state.recent * (1 - 1 / RATE_BLOCKS) + state.block, LEAST_RECENT)
        return replace(
            state, block=np.where(new, 0.0, state.block), before=np.where(new, state.block, state.before),
            before_fresh=np.where(new, state.fresh, state.before_fresh),
            log_prefix=np.where(full, 0.0, state.log_prefix), log_weights=_learnt(state, teaches),
            scale=np.where(full, state.block[:, 2] / BLOCK, state.scale),
            recent=np.where(teaches[:, None], recent, state.recent),
        )  # fmt: skip

    def _read(self, state: NullState, block: Floats) -> tuple[Floats, Floats]:
        """What the counts of the open block say, its events in one order.

        Args:
            state: what came before it.
            block: (series, 3) its counts.

        Returns:
            (2, series, models) log probability: at the rate p0, and at that of the last blocks; (series, models - 1)
            chance that the block has a share of its own.
        """
        shares = np.empty((2, *block.shape))
        shares[0] = self._shares
        shares[1] = np.minimum(np.maximum(state.recent / state.recent[:, 2:], _LOWEST_SHARES), _HIGHEST_SHARES)
        size = self._size * state.scale[:, None]
        urns = np.empty((2, *shares.shape[:2], size.shape[1], 3))
        own, after_before = urns
        np.multiply(shares[:, :, None], size[:, :, None], out=own)
        np.add(own, state.before[:, None], out=after_before)
        rising = scipy.special.gammaln(urns + block[:, None]) - scipy.special.gammaln(urns)
        fresh, goes_on = rising[..., 0] + rising[..., 1] - rising[..., 2]
        chance = GOES_ON * state.before_fresh
        fresh += np.log1p(-chance)
        goes_on += np.log(chance)
        models = np.empty((2, len(block), 1 + size.shape[1]))
        models[..., 0] = (np.log(shares) * block).sum(axis=2)
        models[..., 1:] = np.logaddexp(fresh, goes_on)
        return models, scipy.special.expit(fresh[0] - goes_on[0])


def anew(state: NullState, teaches: NDArray[np.bool_]) -> NullState:
    """Drop every open block: it belongs to an alarm. Those of ``teaches`` (series,) are an alarm's first."""
    nothing = np.zeros_like(state.block)
    return replace(
        state, block=nothing, before=nothing, log_prefix=np.zeros(len(nothing)),
        log_taught=np.zeros_like(state.log_taught), log_weights=_learnt(state, teaches),
    )  # fmt: skip


def _learnt(state: NullState, teaches: NDArray[np.bool_]) -> Floats:
    """(series, models) log weights after the open block, where it ``teaches``."""
    best = state.log_taught.max(axis=1, keepdims=True)
    weights = state.log_weights + np.maximum(state.log_taught - best, -MOST_LEARNT)
    weights = np.maximum(_normalised(weights), LEAST_LOG_WEIGHT)
    return np.where(teaches[:, None], _normalised(weights), state.log_weights)


def _normalised(log_weights: Floats) -> Floats:
    """The same with a sum of one in each row."""
    return np.asarray(log_weights - np.logaddexp.reduce(log_weights, axis=1, keepdims=True))
