"""What an SLO's arithmetic depends on, its objective apart: SLOs of one layout share arrays. It holds no counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from detectors.slo.alerts import DEFAULT_ARL_NS
from detectors.slo.burn import MIN_BAD_YOUNG, MIN_BAD_YOUNG_SLICES
from detectors.slo.calendar import Calendar
from detectors.slo.evidence import MIN_BAD_EVENTS, MIN_BAD_SLICES, Evidence
from detectors.slo.ledger import Ledger
from detectors.slo.spec import Policy, Slo
from detectors.slo.splits import no_boundaries
from detectors.slo.states import RATE_WINDOW_NS
from telemetry.windows import BUCKET_NS


@dataclass(frozen=True)
class Layout:
    """What decides how an SLO is reckoned.

    Attributes:
        sliced: whether slices of time are counted, each a verdict, instead of events.
        step_ns: length of a slice, or of a bucket of events.
        unit: parts that an event, a slice or a dollar is counted in.
        allowance: parts that may be spent within the window; None where a share of events or slices may be bad.
    """

    window_ns: int
    longest_ns: int
    calendar: Calendar | None
    policy: Policy
    sliced: bool
    step_ns: int
    unit: int
    allowance: int | None = None

    @classmethod
    def of(cls, slo: Slo, *, sliced: bool) -> Layout:
        """That of ``slo``."""
        return cls(
            slo.window_ns, slo.longest_window_ns, slo.calendar, slo.policy, sliced, slo.slice_ns or BUCKET_NS,
            slo.unit, slo.allowance,
        )  # fmt: skip

    @cached_property
    def windows(self) -> list[int]:
        """Lengths (ns) of the rolling windows, shortest first: the alerts', and the budget's own if it rolls."""
        lengths = {length for pair in self.policy.pairs for length in (pair.long_ns, pair.short_ns)}
        return sorted(lengths if self.calendar else {*lengths, self.window_ns})

    @property
    def horizon_ns(self) -> int:
        """The longest time that anything looks back."""
        return max(*self.windows, self.longest_ns, RATE_WINDOW_NS)

    @property
    def min_bad(self) -> int:
        """Bad events (or slices) without which nothing is concluded."""
        if self.allowance is not None:
            return 0
        return MIN_BAD_SLICES if self.sliced else MIN_BAD_EVENTS

    @property
    def min_bad_young(self) -> int:
        """Parts that must be bad while a group's history is shorter than a window."""
        if self.allowance is not None:
            return 0
        return (MIN_BAD_YOUNG_SLICES if self.sliced else MIN_BAD_YOUNG) * self.unit

    def ledger(self, windows_ns: Sequence[int] = ()) -> Ledger:
        """A new ledger whose sums of ``windows_ns`` and of the calendar period move with the time."""
        if self.calendar is None:
            return Ledger(self.horizon_ns, no_boundaries, windows_ns)
        calendar = self.calendar
        return Ledger(
            self.horizon_ns, calendar.splits, windows_ns, lambda now_ns: calendar.period(now_ns).start_ns
        )  # fmt: skip

    def evidence(self) -> Evidence | None:
        """A new sequential test of no group yet; None for policies that ask for no evidence."""
        policy = self.policy
        if policy.sequential is None and not (policy.gate and policy.pairs):
            return None
        arl_ns = policy.sequential.arl_ns if policy.sequential else DEFAULT_ARL_NS
        return Evidence([], arl_ns, self.step_ns, self.min_bad, self.unit)
