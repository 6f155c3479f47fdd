"""Slices of time that are judged: when one is, and what its verdict adds to counts; what is good is up to each book.

A slice is judged once it is complete (its end and a wait are past), and again when late data reach it, for an hour;
then its verdict stands. Verdicts leave as deltas (+1, or the difference to the verdict before), so that a ledger counts
slices as it counts events.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from detectors.slo.ledger import HOUR_NS
from telemetry.deltas import SliDelta
from telemetry.windows import NANOS, bucket_start

GRACE_NS: Final = 10 * NANOS
"""How long after its end a slice is first judged: twice the delay of an OpenTelemetry batch exporter (5 s)."""
LATE_NS: Final = HOUR_NS
"""How long after its end a slice can still be judged anew."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a slice is: ``good`` is None when it has too few events to say; ``detail`` is a JSON document."""

    good: bool | None
    detail: Mapping[str, Any]


class Slices(Protocol):
    """A book of the slices of one SLO by group, whatever judges them."""

    @property
    def wait_ns(self) -> int:
        """How long after its end a slice is first judged."""
        ...

    def restore(self, rows: Iterable[SliDelta]) -> None:
        """Know verdicts that were counted before a restart, so that judging again counts only the difference."""
        ...

    def judge(self, now_ns: int) -> list[SliDelta]:
        """The verdicts that are new or have changed at ``now_ns``, as differences to what was counted."""
        ...

    def latest(self, group: str) -> tuple[int, Verdict] | None:
        """Start and verdict of the group's newest judged slice."""
        ...

    def latest_bad(self, group: str) -> tuple[int, Verdict] | None:
        """Start and verdict of the group's newest bad slice."""
        ...

    def keep(self, groups: Iterable[str]) -> None:
        """Forget every other group."""
        ...


@dataclass(slots=True)
class HeldGroup(Generic[T]):
    """The slices of one group, by their start."""

    held: dict[int, T] = field(default_factory=dict)
    counted: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Good and total parts as last counted."""
    waiting: set[int] = field(default_factory=set)
    """Starts of the slices that have changed since they were judged."""
    covered_ns: int = -1
    """Start of the newest slice that was judged before a restart."""
    latest: tuple[int, Verdict] | None = None
    latest_bad: tuple[int, Verdict] | None = None


class HeldSlices(ABC, Generic[T]):
    """The slices of one SLO, by group."""

    def __init__(self, rule: str, slice_ns: int, wait_ns: int = GRACE_NS, back_ns: int = 0) -> None:
        """Judge slices ``wait_ns`` after their end; verdicts are deltas of ``rule``.

        ``back_ns``: how far beyond what can still be judged slices are held, for others to be compared with.
        """
        self._rule = rule
        self._slice_ns = slice_ns
        self.wait_ns = wait_ns
        self.retention_ns = LATE_NS + slice_ns + back_ns
        """How far back slices are held; older ones are not needed."""
        self._floor_ns = 0
        self._groups: dict[str, HeldGroup[T]] = {}
        self.too_late = 0
        """What came after its slice was closed for good."""

    @abstractmethod
    def _judged(self, name: str, start_ns: int, held: T) -> tuple[Verdict, tuple[int, int]] | None:
        """The verdict over a slice of the group ``name``, and the good and total parts that it counts as.

        The parts are (0, 0) when the verdict says nothing. None for a slice that is not judged at all.
        """

    def _stands(self, group: HeldGroup[T], start_ns: int) -> bool:
        """Whether a slice that is closed has its verdict; what is held of it may be folded to wider buckets by now."""
        return start_ns <= group.covered_ns

    def _is_kept(self, group: HeldGroup[T], name: str) -> bool:  # noqa: ARG002 - for books that keep more
        """Whether all slices of a group are still needed, however old."""
        return False

    def restore(self, rows: Iterable[SliDelta]) -> None:
        """Know verdicts that were counted before a restart: judging again counts only the difference."""
        for row in rows:
            group = self._groups.setdefault(row.group, HeldGroup())
            good, total = group.counted.get(row.bucket_ns, (0, 0))
            group.counted[row.bucket_ns] = good + row.good, total + row.total
            group.covered_ns = max(group.covered_ns, row.bucket_ns)

    def judge(self, now_ns: int) -> list[SliDelta]:
        """Judge every complete slice that has changed, oldest first; forget those that are closed."""
        deltas = []
        open_from_ns = now_ns - LATE_NS - self._slice_ns
        for name, group in self._groups.items():
            for start_ns in sorted(s for s in group.waiting if s + self._slice_ns + self.wait_ns <= now_ns):
                group.waiting.discard(start_ns)
                if start_ns >= open_from_ns or not self._stands(group, start_ns):
                    deltas.extend(self._verdict(name, group, start_ns))
        self._forget(now_ns - self.retention_ns)
        return deltas

    def latest(self, group: str) -> tuple[int, Verdict] | None:
        """Start and verdict of the group's newest judged slice."""
        found = self._groups.get(group)
        return None if found is None else found.latest

    def latest_bad(self, group: str) -> tuple[int, Verdict] | None:
        """Start and verdict of the group's newest bad slice."""
        found = self._groups.get(group)
        return None if found is None else found.latest_bad

    def keep(self, groups: Iterable[str]) -> None:
        """Forget every other group."""
        wanted = set(groups)
        self._groups = {name: group for name, group in self._groups.items() if name in wanted}

    def _touched(self, group: str, time_ns: int) -> tuple[HeldGroup[T], int] | None:
        """The group and the start of the slice that data of ``time_ns`` belong to; None when that is closed.

        Who changes what is held of it adds it to ``waiting``.
        """
        start_ns = bucket_start(time_ns, self._slice_ns)
        if start_ns < self._floor_ns:
            self.too_late += 1
            return None
        return self._groups.setdefault(group, HeldGroup()), start_ns

    def _verdict(self, name: str, group: HeldGroup[T], start_ns: int) -> list[SliDelta]:
        judged = self._judged(name, start_ns, group.held[start_ns])
        if judged is None:
            return []
        verdict, parts = judged
        if group.latest is None or start_ns >= group.latest[0]:
            group.latest = (start_ns, verdict)
        if verdict.good is False and (group.latest_bad is None or start_ns >= group.latest_bad[0]):
            group.latest_bad = (start_ns, verdict)
        before = group.counted.get(start_ns, (0, 0))
        if parts == before:
            return []
        group.counted[start_ns] = parts
        return [SliDelta(self._rule, name, start_ns, parts[0] - before[0], parts[1] - before[1])]

    def _forget(self, before_ns: int) -> None:
        self._floor_ns = max(self._floor_ns, before_ns)
        for name, group in self._groups.items():
            for held in () if self._is_kept(group, name) else (group.held, group.counted):
                for start_ns in [start for start in held if start < before_ns]:
                    del held[start_ns]
