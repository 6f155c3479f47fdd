"""Sums over windows that end now, moved on with the time instead of added up anew; it holds no counts by time.

What came since the last time is added and what has left is subtracted, so that a step costs what changed. Where a
fold cuts through the edge of a window, or the time goes back, the sums are asked for anew. They always equal those of
:meth:`detectors.slo.ledger.Ledger.window_sums`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from detectors.slo.tier import Counts, Places

Between = Callable[[int, int], Counts]
"""(2, groups) counts of the buckets that start in [start, end)."""


class RollingSums:
    """(2, windows, groups) good and total of each window."""

    def __init__(self, lengths_ns: Sequence[int], period_start: Callable[[int], int] | None = None) -> None:
        """Windows of these lengths, shortest first; after them, that of the calendar period, if there is one.

        ``period_start`` gives the start of the period that a time lies in.
        """
        self.lengths_ns = tuple(lengths_ns)
        self._period_start = period_start
        windows = len(self.lengths_ns) + (period_start is not None)
        self.sums: Counts = np.zeros((2, windows, 0), dtype=np.int64)
        self._newest_ns = -1
        self._behind = False
        self._edges = [0] * windows
        self._stale = set(range(windows))

    def widen(self, groups: int) -> None:
        """Have ``groups`` groups, the new ones at the end."""
        more = np.zeros((*self.sums.shape[:2], groups - self.sums.shape[2]), dtype=np.int64)
        self.sums = np.concatenate([self.sums, more], axis=2)

    def keep(self, groups: Places) -> None:
        """Forget every other group."""
        self.sums = np.ascontiguousarray(self.sums[:, :, groups])

    def leave(self, now_ns: int, between: Between) -> None:
        """Move the edges on to ``now_ns`` and subtract what lies before them; ``between`` is as of before any fold."""
        edges = self._edges_at(now_ns)
        # A time before the newest one has counts after it, which its sums leave out and later ones must not.
        was_behind, self._behind = self._behind, now_ns < self._newest_ns
        if self._behind or was_behind:
            self._stale.update(range(len(edges)))
        for i, (before, after) in enumerate(zip(self._edges, edges, strict=True)):
            if i in self._stale or before == after:
                continue
            if i == len(self.lengths_ns):
                self._stale.add(i)
            else:
                self.sums[:, i] -= between(before, after)
        self._newest_ns, self._edges = max(now_ns, self._newest_ns), edges

    def folded(self, start_ns: int, end_ns: int) -> None:
        """Buckets that start in [start, end) have become wider ones."""
        self._stale.update(i for i, edge in enumerate(self._edges) if start_ns < edge < end_ns)

    def enter(self, starts_ns: Counts, groups: Places, counts: Counts) -> None:
        """Count (2, n) good and total of buckets with these starts, as they are held."""
        if len(self._stale) == len(self._edges):
            return
        width = self.sums.shape[2]
        # Shorter windows begin later: a bucket is in all windows from the first on whose edge it has reached.
        edges = np.asarray(self._edges, dtype=np.int64)
        order = np.argsort(-edges, kind="stable")
        first = np.searchsorted(-edges[order], -starts_ns, side="left")
        came = np.zeros((2, (len(edges) + 1) * width), dtype=np.int64)
        cells = first * width + groups
        for side in range(2):
            np.add.at(came[side], cells, counts[side])
        entered = came.reshape(2, len(edges) + 1, width)[:, :-1].cumsum(axis=1)
        if np.array_equal(order, np.arange(len(edges))):
            self.sums += entered
        else:
            self.sums[:, order] += entered

    def refresh(self, anew: Callable[[Sequence[int]], Counts]) -> None:
        """Ask for the sums that could not be moved on; ``anew`` gives (2, k, groups) from k edges."""
        if self._stale:
            stale = sorted(self._stale)
            self.sums[:, stale] = anew([self._edges[i] for i in stale])
            self._stale.clear()

    def _edges_at(self, now_ns: int) -> list[int]:
        edges = [now_ns - length_ns for length_ns in self.lengths_ns]
        return edges if self._period_start is None else [*edges, self._period_start(now_ns)]
