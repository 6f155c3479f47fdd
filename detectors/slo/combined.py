"""Time slices judged by the weighted mean of several SLOs' shares of good; it knows no SLO, only its counts by number.

A component without events in a slice has no say in it: the others' weights count alone. A slice without events of any
is neither good nor bad. A verdict counts as ``RATIO_UNIT`` parts, as of ratio-timeslices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from detectors.slo.slices import GRACE_NS, HeldSlices, Verdict
from detectors.slo.spec import RATIO_UNIT
from telemetry.deltas import SliDelta, group_key, group_labels
from telemetry.windows import NANOS

_VERDICT_WAIT_NS = GRACE_NS + 30 * NANOS
"""Where components judge slices themselves: by then their verdicts are there, at the usual pace of evaluations."""


@dataclass(frozen=True, slots=True)
class Source:
    """One component.

    Attributes:
        name: the SLO's.
        weight: of its share of good, above 0.
        rule: whose deltas count it.
        unit: parts that each of these deltas counts a slice in, for a component that judges slices itself; None for one
            that counts events.
    """

    name: str
    weight: float
    rule: str
    unit: int | None = None


class CombinedSlices(HeldSlices[dict[str, tuple[int, int]]]):
    """The slices of one composite: good and total are held by the rule of the component."""

    def __init__(self, rule: str, slice_ns: int, sources: Sequence[Source], per: tuple[str, ...]) -> None:
        """Judge slices by ``sources``; groups of verdicts are brought together by the fields ``per``."""
        wait_ns = GRACE_NS if all(source.unit is None for source in sources) else _VERDICT_WAIT_NS
        super().__init__(rule, slice_ns, wait_ns)
        self._sources = {source.rule: source for source in sources}
        self._per = per
        self._groups_of: dict[str, str] = {}

    @property
    def followed(self) -> frozenset[str]:
        """The rules of components that judge slices themselves: their verdicts are wanted too."""
        return frozenset(source.rule for source in self._sources.values() if source.unit is not None)

    def add(self, rows: Iterable[SliDelta]) -> None:
        """Take in counts of components; the slices that they touch are judged (again). Other rows are passed over."""
        for row in rows:
            source = self._sources.get(row.rule)
            # Old verdicts are kept by the hour: a row of many slices says nothing about one.
            if source is None or (source.unit is not None and row.total > source.unit):
                continue
            found = self._touched(self.group_of(row.group), row.bucket_ns)
            if found is not None:
                group, start_ns = found
                held = group.held.setdefault(start_ns, {})
                good, total = held.get(row.rule, (0, 0))
                held[row.rule] = good + row.good, total + row.total
                group.waiting.add(start_ns)

    def _judged(self, name: str, start_ns: int, held: dict[str, tuple[int, int]]) -> tuple[Verdict, tuple[int, int]]:  # noqa: ARG002
        shares: dict[str, float] = {}
        weighted = weights = 0.0
        for rule, source in self._sources.items():
            good, total = held.get(rule, (0, 0))
            if total > 0:
                share = min(max(good, 0), total) / total
                shares[source.name] = share
                weighted += source.weight * share
                weights += source.weight
        if not weights:
            return Verdict(None, {"shares": {}}), (0, 0)
        share = weighted / weights
        parts = round(RATIO_UNIT * share)
        return Verdict(parts == RATIO_UNIT, {"good_share": share, "shares": shares}), (parts, RATIO_UNIT)

    def group_of(self, text: str) -> str:
        """The composite's group that a component's belongs to."""
        if text not in self._groups_of:
            labels = group_labels(text)
            self._groups_of[text] = group_key({name: labels.get(name, "") for name in self._per})
        return self._groups_of[text]
