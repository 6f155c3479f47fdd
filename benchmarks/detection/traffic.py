"""Requests and errors of many replicas of a service in virtual time; they share their arrivals, not their errors."""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from telemetry.windows import BUCKET_NS, NANOS

Clustering = Literal["independent", "blocks", "bursts"]
BLOCK: Final = 100
DISPERSION: Final = 3.0
DAY_S: Final = 86_400
BUCKET_S: Final = BUCKET_NS // NANOS
SWING: Final = 0.6
"""Traffic goes this share above its mean by day and below it by night."""
MINUTE_BUCKETS: Final = 60 // BUCKET_S

Counts = NDArray[np.int64]


class Traffic:
    """A stream of buckets of 10 s."""

    def __init__(self, per_hour: float, replicas: int, clustering: Clustering, rng: np.random.Generator) -> None:
        """``per_hour`` requests on average over a day.

        Args:
            per_hour: mean traffic.
            replicas: how many services.
            clustering: ``independent`` errors; ``blocks`` of 100 requests in a row with a beta share of errors;
                ``bursts``: minutes of many errors and minutes of none. The last two have a dispersion index of 3.0 in
                blocks of 100 requests.
            rng: randomness.
        """
        self.per_hour = per_hour
        self.replicas = replicas
        self._clustering = clustering
        self._rng = rng
        self._swing = SWING
        self._bucket = 0
        self._left = rng.integers(1, BLOCK + 1, replicas)
        self._share: NDArray[np.float64] | None = None
        self._burst = np.zeros(replicas)

    def reseed(self, seed: int, swing: float) -> None:
        """Go on with other randomness, and so far above and below the mean by day and night."""
        self._rng = np.random.default_rng(seed)
        self._swing = swing

    def next(self, rate: float) -> tuple[int, Counts]:
        """Requests of the next bucket, of every replica, and the (replicas,) bad ones at a mean error rate."""
        swing = 1 + self._swing * math.sin(2 * math.pi * self._bucket * BUCKET_S / DAY_S)
        total = int(self._rng.poisson(self.per_hour * BUCKET_S / 3600 * swing))
        bursts = self._clustering == "bursts" and self._bucket % MINUTE_BUCKETS == 0
        self._bucket += 1
        if bursts:
            self._burst = self._bursts(rate)
        if not total:
            return 0, np.zeros(self.replicas, dtype=np.int64)
        if self._clustering == "independent":
            return total, self._rng.binomial(total, rate, self.replicas)
        if self._clustering == "bursts":
            return total, self._rng.binomial(total, self._burst)
        return total, self._in_blocks(total, rate)

    def _in_blocks(self, total: int, rate: float) -> Counts:
        size = (BLOCK - DISPERSION) / (DISPERSION - 1)
        if self._share is None:
            self._share = self._rng.beta(rate * size, (1 - rate) * size, self.replicas)
        bad = np.zeros(self.replicas, dtype=np.int64)
        due = np.full(self.replicas, total)
        while due.any():
            taken = np.minimum(due, self._left)
            bad += self._rng.binomial(taken, self._share)
            due -= taken
            self._left -= taken
            over = np.flatnonzero(self._left == 0)
            self._left[over] = BLOCK
            self._share[over] = self._rng.beta(rate * size, (1 - rate) * size, len(over))
        return bad

    def _bursts(self, rate: float) -> NDArray[np.float64]:
        """(replicas,) error rate of the next minute.

        A block of 100 requests averages over as many minutes as it lasts, and its share must have a variance of
        2 rate / 100.
        """
        minutes = max(BLOCK / (self.per_hour / 60), 1.0)
        peak = min((DISPERSION - 1) / BLOCK * minutes, 1.0)
        return np.where(self._rng.random(self.replicas) < rate / peak, peak, 0.0)
