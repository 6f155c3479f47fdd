"""Time slices judged by whether telemetry arrived in them, and on time; silence is judged, not passed over.

A group is expected from its first event on, and no longer once it has been silent for a week: then it is gone, and has
no slices rather than bad ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from detectors.slo.slices import GRACE_NS, HeldGroup, HeldSlices, Verdict
from telemetry.deltas import SliDelta
from telemetry.windows import NANOS

EXPECTED_NS: Final = 7 * 86400 * NANOS
"""How long a group that has fallen silent is still waited for."""


@dataclass(slots=True)
class Arrived:
    """What arrived of one slice: events, those of them that were on time, and whether there was a sign of life."""

    events: int = 0
    on_time: int = 0
    heartbeat: bool = False


class ArrivalSlices(HeldSlices[Arrived]):
    """The slices of one SLO; good: events arrived and most were on time, or there were none but a sign of life."""

    def __init__(self, rule: str, slice_ns: int, max_delay_ns: int, names: frozenset[str] = frozenset()) -> None:
        """Judge slices once what is on time must have arrived; verdicts are deltas of ``rule``.

        ``names``: gauges whose values are signs of life.
        """
        super().__init__(rule, slice_ns, max_delay_ns + GRACE_NS)
        self.names = names
        self._alive_ns: dict[str, int] = {}
        """Start of the newest slice in which anything came, by group."""
        self._awaited_ns: dict[str, int] = {}
        """Start of the newest slice that was waited for, by group."""

    def add(self, rows: Iterable[SliDelta]) -> None:
        """Take in counts of events, good ones being those on time; the slices that they touch are judged (again)."""
        for row in rows:
            found = self._touched(row.group, row.bucket_ns)
            if found is not None:
                group, start_ns = found
                arrived = group.held.setdefault(start_ns, Arrived())
                arrived.events += row.total
                arrived.on_time += row.good
                group.waiting.add(start_ns)
                self._hear(row.group, start_ns)

    def add_sign(self, group_name: str, time_ns: int) -> None:
        """Take in a sign of life, which is on time if it is there when its slice is judged; it is no event."""
        found = self._touched(group_name, time_ns)
        if found is not None:
            group, start_ns = found
            self._hear(group_name, start_ns)
            if start_ns not in group.counted:
                group.held.setdefault(start_ns, Arrived()).heartbeat = True
                group.waiting.add(start_ns)

    def judge(self, now_ns: int) -> list[SliDelta]:
        """Judge every complete slice that has changed, and those in which nothing came; see the base."""
        due_ns = (now_ns - self._slice_ns - self.wait_ns) // self._slice_ns * self._slice_ns
        for name, group in self._groups.items():
            self._expect(name, group, due_ns)
        return super().judge(now_ns)

    def keep(self, groups: Iterable[str]) -> None:
        """Forget every other group."""
        super().keep(groups)
        self._alive_ns = {name: at_ns for name, at_ns in self._alive_ns.items() if name in self._groups}
        self._awaited_ns = {name: at_ns for name, at_ns in self._awaited_ns.items() if name in self._groups}

    def _hear(self, name: str, start_ns: int) -> None:
        before_ns = self._alive_ns.get(name, start_ns)
        self._alive_ns[name] = max(before_ns, start_ns)
        if start_ns > before_ns + EXPECTED_NS:
            self._awaited_ns[name] = start_ns - self._slice_ns

    def _expect(self, name: str, group: HeldGroup[Arrived], due_ns: int) -> None:
        """Hold an empty slice for each up to ``due_ns`` in which nothing came."""
        first_ns = min(group.held, default=due_ns)
        known_ns = max(group.covered_ns, self._awaited_ns.get(name, -1))
        begin_ns = first_ns if known_ns < 0 else known_ns + self._slice_ns
        end_ns = min(due_ns, self._alive_ns.get(name, group.covered_ns) + EXPECTED_NS)
        for start_ns in range(begin_ns, end_ns + 1, self._slice_ns):
            if start_ns not in group.held:
                group.held[start_ns] = Arrived()
                group.waiting.add(start_ns)
        if due_ns >= begin_ns:
            self._awaited_ns[name] = due_ns

    def _judged(self, name: str, start_ns: int, held: Arrived) -> tuple[Verdict, tuple[int, int]]:  # noqa: ARG002
        late = held.events - held.on_time
        good = held.on_time >= late if held.events else held.heartbeat
        detail: dict[str, int | bool] = {"events": held.events, "late": late}
        if self.names:
            detail["heartbeat"] = held.heartbeat
        return Verdict(good, detail), (int(good), 1)
