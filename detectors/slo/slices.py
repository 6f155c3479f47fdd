"""Time slices judged as good or bad by the distributions of their events; the verdicts are counted elsewhere.

A slice is judged once it is complete (its end and a grace are past) and again when late data reach it, for an hour;
then its verdict stands.
A slice with too few events is neither good nor bad. Verdicts leave as deltas (+1, or the difference to the verdict
before), so that a ledger counts slices as it counts events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from detectors.slo.ledger import HOUR_NS
from detectors.slo.reference import FirstReference, RecentReference, Reference
from telemetry.deltas import Distribution, DistributionDelta, SliDelta, count_of, merge_distributions
from telemetry.windows import NANOS, bucket_start

GRACE_NS: Final = 10 * NANOS
"""How long after its end a slice is first judged: twice the delay of an OpenTelemetry batch exporter (5 s)."""
LATE_NS: Final = HOUR_NS
"""How long after its end a slice can still be judged anew."""

Distributions = Mapping[str, Distribution]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a slice is: ``good`` is None when it has too few events to say; ``detail`` is a JSON document."""

    good: bool | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FixedReference:
    """The reference of a group, complete: what its slices that start at ``end_ns`` or later are compared with."""

    rule: str
    group: str
    end_ns: int
    distributions: Distributions


class Judge(Protocol):
    """Decides about slices by the distributions of their events."""

    @property
    def slice_ns(self) -> int:
        """Length of a slice."""
        ...

    @property
    def reference(self) -> Reference | None:
        """What slices are compared with; None for judges that compare nothing."""
        ...

    def judge(self, current: Distributions, reference: Distributions) -> Verdict:
        """The verdict over one slice; ``reference`` is empty where there is none."""
        ...


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
class _Slice:
    parts: dict[str, list[Distribution]] = field(default_factory=dict)
    counted: tuple[int, int] = (0, 0)
    """Good and total as last counted: (0, 0), (1, 1) or (0, 1)."""

    @property
    def bad(self) -> bool:
        return self.counted == (0, 1)

    def distributions(self) -> Distributions:
        """One distribution a field; what was merged stays merged."""
        for name, parts in self.parts.items():
            if len(parts) > 1:
                self.parts[name] = [merge_distributions(parts)]
        return {name: parts[0] for name, parts in self.parts.items()}


@dataclass(slots=True)
class _Group:
    slices: dict[int, _Slice] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    """Starts of the slices that have changed since they were judged."""
    latest: tuple[int, Verdict] | None = None
    latest_bad: tuple[int, Verdict] | None = None
    fixed: Distributions = field(default_factory=dict)
    """The reference, once it is complete, for references that are fixed."""
    fixed_end_ns: int | None = None


class SliceBook:
    """The slices of one SLO, by group."""

    wait_ns: Final = GRACE_NS

    def __init__(self, judge: Judge, rule: str) -> None:
        """Judge slices by ``judge``; verdicts are deltas of ``rule``."""
        self._rule = rule
        self._slice_ns = judge.slice_ns
        self._judge = judge
        self._reference = judge.reference
        back_ns = self._reference.window_ns if isinstance(self._reference, RecentReference) else 0
        self.retention_ns = LATE_NS + back_ns + judge.slice_ns
        """How far back distributions are held; older ones are not needed."""
        self._floor_ns = 0
        self._groups: dict[str, _Group] = {}
        self.completed: list[FixedReference] = []
        """Fixed references that became complete; whoever stores them takes them out."""
        self.too_late = 0
        """Distributions that came after their slice was closed for good."""

    @property
    def remembers_beginning(self) -> bool:
        """Whether the reference is the beginning of the history, which a restart must hand over again."""
        return isinstance(self._reference, FirstReference)

    def add(self, rows: Iterable[DistributionDelta]) -> None:
        """Take in distributions; the slices that they touch are judged (again)."""
        for row in rows:
            start_ns = bucket_start(row.bucket_ns, self._slice_ns)
            if start_ns < self._floor_ns:
                self.too_late += 1
                continue
            group = self._groups.setdefault(row.group, _Group())
            piece = group.slices.setdefault(start_ns, _Slice())
            piece.parts.setdefault(row.field, []).append(row.distribution)
            group.waiting.add(start_ns)

    def restore(self, rows: Iterable[SliDelta]) -> None:
        """Know verdicts that were counted before a restart, so that judging again counts only the difference."""
        for row in rows:
            piece = self._groups.setdefault(row.group, _Group()).slices.setdefault(row.bucket_ns, _Slice())
            piece.counted = (piece.counted[0] + row.good, piece.counted[1] + row.total)

    def restore_reference(self, reference: FixedReference) -> None:
        """Know a reference that was complete before a restart."""
        group = self._groups.setdefault(reference.group, _Group())
        group.fixed, group.fixed_end_ns = reference.distributions, reference.end_ns

    def judge(self, now_ns: int) -> list[SliDelta]:
        """Judge every complete slice that has changed, oldest first; forget those that are closed."""
        deltas = []
        for name, group in self._groups.items():
            due = sorted(start for start in group.waiting if start + self._slice_ns + GRACE_NS <= now_ns)
            for start_ns in due:
                group.waiting.discard(start_ns)
                closed = start_ns + self._slice_ns + LATE_NS < now_ns
                delta = self._verdict(name, group, start_ns, closed=closed)
                deltas.extend([delta] if delta else [])
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

    def _verdict(self, name: str, group: _Group, start_ns: int, *, closed: bool) -> SliDelta | None:
        piece = group.slices[start_ns]
        if isinstance(self._reference, FirstReference) and self._belongs_to_reference(name, group, start_ns):
            return None
        if closed and piece.counted != (0, 0):
            return None
        verdict = self._judge.judge(piece.distributions(), self._reference_of(group, start_ns))
        if group.latest is None or start_ns >= group.latest[0]:
            group.latest = (start_ns, verdict)
        if verdict.good is False and (group.latest_bad is None or start_ns >= group.latest_bad[0]):
            group.latest_bad = (start_ns, verdict)
        counted = (0, 0) if verdict.good is None else (int(verdict.good), 1)
        good, total = counted[0] - piece.counted[0], counted[1] - piece.counted[1]
        piece.counted = counted
        return SliDelta(self._rule, name, start_ns, good, total) if good or total else None

    def _reference_of(self, group: _Group, start_ns: int) -> Distributions:
        match self._reference:
            case FirstReference():
                return group.fixed
            case RecentReference(window_ns):
                inside = [
                    piece for start, piece in group.slices.items()
                    if start_ns - window_ns <= start and start + self._slice_ns <= start_ns and piece.parts
                ]  # fmt: skip
                # Drifted slices would teach the reference the drift. Once nothing else is left within the window,
                # the drift has lasted that long and is what is normal now.
                return _together([piece for piece in inside if not piece.bad] or inside)
            case None:
                return {}

    def _belongs_to_reference(self, name: str, group: _Group, start_ns: int) -> bool:
        """Whether a slice is part of the fixed reference; completes the reference when it fills it."""
        if group.fixed_end_ns is not None:
            return start_ns < group.fixed_end_ns
        assert isinstance(self._reference, FirstReference)
        pieces = [group.slices[start] for start in sorted(group.slices) if start <= start_ns]
        reference = _together(pieces)
        if max(map(records, reference.values()), default=0) >= self._reference.events:
            group.fixed, group.fixed_end_ns = reference, start_ns + self._slice_ns
            self.completed.append(FixedReference(self._rule, name, group.fixed_end_ns, reference))
        return True

    def _forget(self, before_ns: int) -> None:
        self._floor_ns = max(self._floor_ns, before_ns)
        for group in self._groups.values():
            if isinstance(self._reference, FirstReference) and group.fixed_end_ns is None:
                continue
            for start_ns in [start for start in group.slices if start < before_ns]:
                del group.slices[start_ns]
                group.waiting.discard(start_ns)

    def keep(self, groups: Iterable[str]) -> None:
        """Forget every other group."""
        wanted = set(groups)
        self._groups = {name: group for name, group in self._groups.items() if name in wanted}


def records(distribution: Distribution | None) -> int:
    """How many values a distribution holds; none when there is none."""
    return 0 if distribution is None else count_of(distribution)


def _together(pieces: Sequence[_Slice]) -> Distributions:
    by_field: dict[str, list[Distribution]] = {}
    for piece in pieces:
        for name, distribution in piece.distributions().items():
            by_field.setdefault(name, []).append(distribution)
    return {name: merge_distributions(parts) for name, parts in by_field.items()}
