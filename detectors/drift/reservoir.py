"""A uniform sample of fixed size from a stream of vectors; it keeps no more, and has no randomness of its own.

After n vectors every one of them is in the sample with probability size / n (algorithm R).

Assumes: a generator that is seeded by the caller.
Source: Vitter, "Random sampling with a reservoir", ACM TOMS 1985.

Example:
    >>> kept = Reservoir(size=2).add(np.arange(6.0).reshape(3, 2), np.random.default_rng(0))
    >>> kept.seen, kept.rows.shape
    (3, (2, 2))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry.errors import TailwatchError

LIMIT: Final = 500
"""Vectors a side that the MMD test looks at; its cost grows with their square."""


@dataclass(frozen=True, slots=True, eq=False)
class Reservoir:
    """A sample so far.

    Attributes:
        size: how many vectors it keeps.
        rows: (at most size, d) float64.
        seen: how many were offered.
    """

    size: int = LIMIT
    rows: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    seen: int = 0

    def add(self, vectors: NDArray[np.floating], generator: np.random.Generator) -> Reservoir:
        """The sample after ``vectors`` (n, d); rows with a NaN are none.

        Raises:
            TailwatchError: the vectors have another length than those before.
        """
        offered = np.asarray(vectors, dtype=np.float64)
        offered = offered[np.isfinite(offered).all(axis=1)]
        if not len(offered):
            return self
        if len(self.rows) and offered.shape[1] != self.rows.shape[1]:
            raise TailwatchError(
                f"embeddings have {offered.shape[1]} dimensions, earlier ones {self.rows.shape[1]}",
                remedy="compare embeddings of one model only",
            )
        room = self.size - len(self.rows)
        rows = np.concatenate([self.rows.reshape(-1, offered.shape[1]), offered[:room]])
        seen = self.seen + min(room, len(offered))
        rest = offered[room:]
        places = generator.integers(0, seen + 1 + np.arange(len(rest)))
        for place, vector in zip(places, rest, strict=True):
            if place < self.size:
                rows[place] = vector
        return Reservoir(self.size, rows, seen + len(rest))
