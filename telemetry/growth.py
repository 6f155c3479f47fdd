"""What was added and when, from increments or from first and last values, laid over steps of time; it is pure.

Between two looks at a counter nobody knows when it grew, so what was added is spread evenly over that time, as a
rate is. The sum over all steps is exact; a reset counts what the counter holds afterwards, and never a fall.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from telemetry.points import Increment, Quantity, Segment, plus, since


@dataclass(frozen=True, slots=True)
class Growth:
    """``quantity`` was added after ``since_ns`` and until ``until_ns``."""

    since_ns: int
    until_ns: int
    quantity: Quantity


class Steps:
    """``n`` steps of ``step_ns`` from ``first_ns`` on, and what was added in each; growth outside of them is left out.

    Attributes:
        added: what was added, a step each; None where nothing was observed.
    """

    def __init__(self, first_ns: int, step_ns: int, n: int) -> None:
        self._first_ns = first_ns
        self._step_ns = step_ns
        self._end_ns = first_ns + step_ns * n
        self.added: list[Quantity | None] = [None] * n
        self._observed: list[tuple[int, int]] = []

    def add(self, growth: Growth) -> None:
        """Lay ``growth`` over the steps that it touches."""
        since_ns, until_ns = max(growth.since_ns, self._first_ns), min(growth.until_ns, self._end_ns)
        whole_ns = growth.until_ns - growth.since_ns
        if whole_ns <= 0:
            if self._first_ns <= growth.until_ns < self._end_ns:
                self._put((growth.until_ns - self._first_ns) // self._step_ns, growth.quantity)
            return
        if since_ns >= until_ns:
            return
        self._observed.append((since_ns, until_ns))
        for index, share_ns in self._shares(since_ns, until_ns):
            whole = share_ns == whole_ns
            self._put(index, growth.quantity if whole else growth.quantity.scaled(share_ns / whole_ns))

    def observed_ns(self) -> list[int]:
        """For how long of each step something was observed, however many did; what came in a moment has no time."""
        observed = [0] * len(self.added)
        until_ns = self._first_ns
        for begin_ns, end_ns in sorted(self._observed):
            if end_ns > until_ns:
                for index, share_ns in self._shares(max(begin_ns, until_ns), end_ns):
                    observed[index] += share_ns
                until_ns = end_ns
        return observed

    def _put(self, index: int, quantity: Quantity) -> None:
        found = self.added[index]
        self.added[index] = quantity if found is None else plus(found, quantity)

    def _shares(self, since_ns: int, until_ns: int) -> Iterator[tuple[int, int]]:
        """The steps that a time within them touches, and for how long."""
        first, last = ((at_ns - self._first_ns) // self._step_ns for at_ns in (since_ns, until_ns - 1))
        for index in range(first, last + 1):
            begin_ns = self._first_ns + index * self._step_ns
            yield index, min(until_ns, begin_ns + self._step_ns) - max(since_ns, begin_ns)


def of_increments(increments: Iterable[Increment]) -> list[Growth]:
    """The growth that increments state themselves."""
    return [Growth(one.since_ns, one.until_ns, one.quantity) for one in increments]


def of_segments(start_ns: int, segments: Sequence[Segment], known_from_ns: int) -> list[Growth]:
    """The growth of one cumulative series from ``start_ns`` (0: unknown).

    Args:
        start_ns: when it counted 0.
        segments: what is stored of it, in any order.
        known_from_ns: from when on everything stored was read: a start before it is not where the first value grew
            from, since values in between were left out.
    """
    growths: list[Growth] = []
    before: Segment | None = None
    for one in _apart(segments):
        if before is not None:
            growths.append(Growth(before.last_ns, one.first_ns, since(one.first, before.last)))
        elif start_ns and start_ns >= known_from_ns:
            growths.append(Growth(start_ns, one.first_ns, one.first))
        if one.last_ns > one.first_ns:
            growths.append(Growth(one.first_ns, one.last_ns, since(one.last, one.first)))
        before = one
    return growths


def _apart(segments: Iterable[Segment]) -> Iterator[Segment]:
    """The segments by time; those that overlap, since one arrived late, merged into one."""
    pending: Segment | None = None
    for one in sorted(segments, key=lambda segment: segment.first_ns):
        if pending is None:
            pending = one
        elif one.first_ns <= pending.last_ns:
            pending = pending.merged(one)
        else:
            yield pending
            pending = one
    if pending is not None:
        yield pending
