"""Time slices judged by the distributions of their events; the verdicts are counted elsewhere.

A slice with too few events is neither good nor bad.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from detectors.slo.reference import FirstReference, RecentReference, Reference
from detectors.slo.slices import HeldGroup, HeldSlices, Verdict
from telemetry.deltas import Distribution, DistributionDelta, count_of, merge_distributions

Distributions = Mapping[str, Distribution]


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


@dataclass(slots=True)
class Gathered:
    """The distributions of a slice's events, as they came, by field."""

    parts: dict[str, list[Distribution]] = field(default_factory=dict)

    def distributions(self) -> Distributions:
        """One distribution a field; what was merged stays merged."""
        for name, parts in self.parts.items():
            if len(parts) > 1:
                self.parts[name] = [merge_distributions(parts)]
        return {name: parts[0] for name, parts in self.parts.items()}


class SliceBook(HeldSlices[Gathered]):
    """The slices of one SLO, by group."""

    def __init__(self, judge: Judge, rule: str) -> None:
        """Judge slices by ``judge``; verdicts are deltas of ``rule``."""
        self._judge = judge
        self._reference = judge.reference
        back_ns = self._reference.window_ns if isinstance(self._reference, RecentReference) else 0
        super().__init__(rule, judge.slice_ns, back_ns=back_ns)
        self._fixed: dict[str, FixedReference] = {}
        """By group, the references that are complete, where they are fixed."""
        self.completed: list[FixedReference] = []
        """Fixed references that became complete; whoever stores them takes them out."""

    @property
    def remembers_beginning(self) -> bool:
        """Whether the reference is the beginning of the history, which a restart must hand over again."""
        return isinstance(self._reference, FirstReference)

    def add(self, rows: Iterable[DistributionDelta]) -> None:
        """Take in distributions; the slices that they touch are judged (again)."""
        for row in rows:
            found = self._touched(row.group, row.bucket_ns)
            if found is not None:
                group, start_ns = found
                group.held.setdefault(start_ns, Gathered()).parts.setdefault(row.field, []).append(row.distribution)
                group.waiting.add(start_ns)

    def restore_reference(self, reference: FixedReference) -> None:
        """Know a reference that was complete before a restart."""
        self._fixed[reference.group] = reference

    def keep(self, groups: Iterable[str]) -> None:
        """Forget every other group."""
        super().keep(groups)
        self._fixed = {name: fixed for name, fixed in self._fixed.items() if name in self._groups}

    def _judged(self, name: str, start_ns: int, held: Gathered) -> tuple[Verdict, tuple[int, int]] | None:
        group = self._groups[name]
        if isinstance(self._reference, FirstReference) and self._belongs_to_reference(name, group, start_ns):
            return None
        verdict = self._judge.judge(held.distributions(), self._reference_of(name, group, start_ns))
        return verdict, (0, 0) if verdict.good is None else (int(verdict.good), 1)

    def _stands(self, group: HeldGroup[Gathered], start_ns: int) -> bool:
        return group.counted.get(start_ns, (0, 0)) != (0, 0)

    def _is_kept(self, group: HeldGroup[Gathered], name: str) -> bool:  # noqa: ARG002
        return isinstance(self._reference, FirstReference) and name not in self._fixed

    def _reference_of(self, name: str, group: HeldGroup[Gathered], start_ns: int) -> Distributions:
        match self._reference:
            case FirstReference():
                return self._fixed[name].distributions
            case RecentReference(window_ns):
                inside = [
                    start for start in group.held
                    if start_ns - window_ns <= start and start + self._slice_ns <= start_ns
                ]  # fmt: skip
                # Drifted slices would teach the reference the drift. Once nothing else is left within the window,
                # the drift has lasted that long and is what is normal now.
                usual = [start for start in inside if group.counted.get(start) != (0, 1)]
                return _together([group.held[start] for start in usual or inside])
            case None:
                return {}

    def _belongs_to_reference(self, name: str, group: HeldGroup[Gathered], start_ns: int) -> bool:
        """Whether a slice is part of the fixed reference; completes the reference when it fills it."""
        if name in self._fixed:
            return start_ns < self._fixed[name].end_ns
        assert isinstance(self._reference, FirstReference)
        reference = _together([group.held[start] for start in sorted(group.held) if start <= start_ns])
        if max(map(records, reference.values()), default=0) >= self._reference.events:
            self._fixed[name] = FixedReference(self._rule, name, start_ns + self._slice_ns, reference)
            self.completed.append(self._fixed[name])
        return True


def records(distribution: Distribution | None) -> int:
    """How many values a distribution holds; none when there is none."""
    return 0 if distribution is None else count_of(distribution)


def _together(pieces: Sequence[Gathered]) -> Distributions:
    by_field: dict[str, list[Distribution]] = {}
    for piece in pieces:
        for name, distribution in piece.distributions().items():
            by_field.setdefault(name, []).append(distribution)
    return {name: merge_distributions(parts) for name, parts in by_field.items()}
