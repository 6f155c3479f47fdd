"""Time slices judged by the counts of their events, for the budgeting methods that speak of slices; it tests nothing.

A slice is judged once it is complete (its end and a grace are past) and again when late events reach it, for an hour;
then its verdict stands. A slice without events is neither good nor bad. Verdicts leave as deltas, so that a ledger
counts slices as it counts events: of timeslices a good or a bad one, of ratio-timeslices ``RATIO_UNIT`` parts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from detectors.slo.slices import GRACE_NS, LATE_NS, Verdict
from detectors.slo.spec import RATIO_UNIT, RatioTimeslices, Timeslices
from telemetry.deltas import SliDelta
from telemetry.windows import bucket_start

_ROUNDING = 1e-9
"""A share that misses its target by less is the float's noise."""


@dataclass(slots=True)
class _Group:
    events: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Good and total events by start of the slice."""
    counted: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Good and total parts as last counted, by start of the slice."""
    waiting: set[int] = field(default_factory=set)
    """Starts of the slices that have changed since they were judged."""
    covered_ns: int = -1
    """Start of the newest slice that was judged before a restart."""
    latest: tuple[int, Verdict] | None = None
    latest_bad: tuple[int, Verdict] | None = None


class CountedSlices:
    """The slices of one SLO that counts events, by group."""

    def __init__(self, budgeting: Timeslices | RatioTimeslices, rule: str) -> None:
        """Judge slices as ``budgeting`` says; verdicts are deltas of ``rule``."""
        self._budgeting = budgeting
        self._rule = rule
        self._slice_ns = budgeting.slice_ns
        self._floor_ns = 0
        self._groups: dict[str, _Group] = {}
        self.too_late = 0
        """Counts that came after their slice was closed for good."""

    def add(self, rows: Iterable[SliDelta]) -> None:
        """Take in counts of events; the slices that they touch are judged (again)."""
        for row in rows:
            start_ns = bucket_start(row.bucket_ns, self._slice_ns)
            if start_ns < self._floor_ns:
                self.too_late += 1
                continue
            group = self._groups.setdefault(row.group, _Group())
            good, total = group.events.get(start_ns, (0, 0))
            group.events[start_ns] = good + row.good, total + row.total
            group.waiting.add(start_ns)

    def restore(self, rows: Iterable[SliDelta]) -> None:
        """Know verdicts that were counted before a restart: judging again counts only the difference."""
        for row in rows:
            group = self._groups.setdefault(row.group, _Group())
            good, total = group.counted.get(row.bucket_ns, (0, 0))
            group.counted[row.bucket_ns] = good + row.good, total + row.total
            group.covered_ns = max(group.covered_ns, row.bucket_ns)

    def judge(self, now_ns: int) -> list[SliDelta]:
        """Judge every complete slice that has changed, oldest first; forget those that are closed."""
        deltas = []
        open_from_ns = now_ns - LATE_NS - self._slice_ns
        for name, group in self._groups.items():
            for start_ns in sorted(s for s in group.waiting if s + self._slice_ns + GRACE_NS <= now_ns):
                group.waiting.discard(start_ns)
                # Counts of closed slices may be folded to wider buckets by now: where a verdict was made, it stands.
                if start_ns >= open_from_ns or start_ns > group.covered_ns:
                    deltas.extend(self._verdict(name, group, start_ns))
        self._forget(open_from_ns)
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

    def _verdict(self, name: str, group: _Group, start_ns: int) -> list[SliDelta]:
        total = group.events[start_ns][1]
        good = min(max(group.events[start_ns][0], 0), total)
        if total <= 0:
            return []
        parts, is_good = self._parts(good, total)
        verdict = Verdict(is_good, {"events": total, "good_share": good / total})
        if group.latest is None or start_ns >= group.latest[0]:
            group.latest = (start_ns, verdict)
        if not is_good and (group.latest_bad is None or start_ns >= group.latest_bad[0]):
            group.latest_bad = (start_ns, verdict)
        before = group.counted.get(start_ns, (0, 0))
        group.counted[start_ns] = parts
        if parts == before:
            return []
        return [SliDelta(self._rule, name, start_ns, parts[0] - before[0], parts[1] - before[1])]

    def _parts(self, good: int, total: int) -> tuple[tuple[int, int], bool]:
        """What a slice counts as, and whether it is good."""
        match self._budgeting:
            case Timeslices(target=target):
                is_good = good + _ROUNDING * total >= target * total
                return (int(is_good), 1), is_good
            case RatioTimeslices():
                return ((2 * RATIO_UNIT * good + total) // (2 * total), RATIO_UNIT), good == total

    def _forget(self, before_ns: int) -> None:
        self._floor_ns = max(self._floor_ns, before_ns)
        for group in self._groups.values():
            for held in (group.events, group.counted):
                for start_ns in [start for start in held if start < before_ns]:
                    del held[start_ns]
