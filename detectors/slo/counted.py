"""Time slices judged by the counts of their events, for the budgeting methods that speak of slices; it tests nothing.

A slice without events is neither good nor bad. Of timeslices a verdict counts as a good or a bad slice, of
ratio-timeslices as ``RATIO_UNIT`` parts.
"""

from __future__ import annotations

from collections.abc import Iterable

from detectors.slo.slices import HeldSlices, Verdict
from detectors.slo.spec import RATIO_UNIT, RatioTimeslices, Timeslices
from telemetry.deltas import SliDelta

_ROUNDING = 1e-9
"""A share that misses its target by less is the float's noise."""


class CountedSlices(HeldSlices[tuple[int, int]]):
    """The slices of one SLO that counts events: good and total events are held."""

    def __init__(self, budgeting: Timeslices | RatioTimeslices, rule: str) -> None:
        """Judge slices as ``budgeting`` says; verdicts are deltas of ``rule``."""
        super().__init__(rule, budgeting.slice_ns)
        self._budgeting = budgeting

    def add(self, rows: Iterable[SliDelta]) -> None:
        """Take in counts of events; the slices that they touch are judged (again)."""
        for row in rows:
            found = self._touched(row.group, row.bucket_ns)
            if found is not None:
                group, start_ns = found
                good, total = group.held.get(start_ns, (0, 0))
                group.held[start_ns] = good + row.good, total + row.total
                group.waiting.add(start_ns)

    def _judged(self, name: str, start_ns: int, held: tuple[int, int]) -> tuple[Verdict, tuple[int, int]]:  # noqa: ARG002
        total = held[1]
        good = min(max(held[0], 0), total)
        if total <= 0:
            return Verdict(None, {"events": 0}), (0, 0)
        detail = {"events": total, "good_share": good / total}
        match self._budgeting:
            case Timeslices(target=target):
                is_good = good + _ROUNDING * total >= target * total
                return Verdict(is_good, detail), (int(is_good), 1)
            case RatioTimeslices():
                return Verdict(good == total, detail), ((2 * RATIO_UNIT * good + total) // (2 * total), RATIO_UNIT)
