"""The part of an hour that lies after a boundary within it, for hours that a ledger holds whole; it folds nothing.

Zones whose offset is no whole hour (Asia/Kolkata, Asia/Kathmandu) begin their days within an hour of UTC. Beside such
an hour's counts stand those of its end, so that what began at the boundary is exact at every age.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Boundaries = Callable[[int, int], Sequence[int]]
"""The boundaries (ns) within [start, end) that are no whole hour."""


def no_boundaries(_start_ns: int, _end_ns: int) -> Sequence[int]:
    """Rolling windows have none."""
    return ()


class Splits:
    """Counts of the ends of split hours, by boundary; (groups,) good and total each."""

    def __init__(self, boundaries: Boundaries) -> None:
        """Know where hours are split; none has counts yet."""
        self.boundaries = boundaries
        self._groups = 0
        self._tails: dict[int, tuple[Counts, Counts]] = {}

    def widen(self, groups: int) -> None:
        """Know more groups, at the end."""
        more = np.zeros(groups - self._groups, dtype=np.int64)
        self._tails = {
            at: (np.concatenate([good, more]), np.concatenate([total, more]))
            for at, (good, total) in self._tails.items()
        }
        self._groups = groups

    def keep(self, groups: NDArray[np.intp]) -> None:
        """Forget every other group."""
        self._tails = {at: (good[groups], total[groups]) for at, (good, total) in self._tails.items()}
        self._groups = len(groups)

    def add(self, boundary_ns: int, good: Counts, total: Counts) -> None:
        """Count (groups,) events that lie after a boundary, within its hour."""
        tail = self._tails.setdefault(boundary_ns, (np.zeros_like(good), np.zeros_like(total)))
        tail[0][:] += good
        tail[1][:] += total

    def forget(self, before_ns: int) -> None:
        """Drop what is older than every window."""
        self._tails = {at: tail for at, tail in self._tails.items() if at >= before_ns}

    def after(self, boundary_ns: int) -> tuple[Counts, Counts] | None:
        """(groups,) good and total from the boundary to the end of its hour, if that hour is held whole."""
        return self._tails.get(boundary_ns)

    def within(self, start_ns: int, end_ns: int) -> list[int]:
        """The boundaries in [start, end) that have counts, oldest first."""
        return sorted(at for at in self._tails if start_ns <= at < end_ns)
