"""The model of an SLO: values that the parser makes and everything else reads. It checks nothing and computes little.

Durations are nanoseconds (``*_ns``), thresholds are in the unit of the measure (seconds, US dollars).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from detectors.slo.calendar import Calendar
from detectors.slo.kinds.protocol import Sli
from detectors.slo.kinds.spend import Spend
from telemetry.errors import Problem
from telemetry.findings import Severity
from telemetry.matchers import Matchers
from telemetry.rules import MONEY_UNIT
from telemetry.windows import NANOS


@dataclass(frozen=True, slots=True)
class Occurrences:
    """The budget is for events: every one counts alike."""

    method: ClassVar[str] = "occurrences"


@dataclass(frozen=True, slots=True)
class Timeslices:
    """The budget is for slices of time that have events; good: at least ``target`` of a slice's events are good."""

    method: ClassVar[str] = "timeslices"
    slice_ns: int
    target: float


@dataclass(frozen=True, slots=True)
class RatioTimeslices:
    """The budget is for slices of time that have events; each counts alike, as good as its share of good events."""

    method: ClassVar[str] = "ratio-timeslices"
    slice_ns: int


Budgeting = Occurrences | Timeslices | RatioTimeslices
OCCURRENCES: Final = Occurrences()
RATIO_UNIT: Final = 1_000_000
"""Parts in which the share of good events of a slice is counted: a millionth is the error of one slice at most."""


@dataclass(frozen=True, slots=True)
class BurnPair:
    """Alert when the budget burns faster than ``factor`` over both windows (strictly)."""

    severity: Severity
    long_ns: int
    short_ns: int
    factor: float


@dataclass(frozen=True, slots=True)
class Sequential:
    """Alert as soon as the data are evidence that the objective is violated.

    ``arl_ns``: mean time between false alarms of one group whose error rate is exactly 1 - objective, in time
    that has traffic.
    """

    severity: Severity
    arl_ns: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What is alerted: burn pairs, the sequential alert if any, and whether evidence gates the pairs."""

    name: str
    pairs: tuple[BurnPair, ...] = ()
    sequential: Sequential | None = None
    gate: bool = True


NO_POLICY: Final = Policy("none")
NO_CONDITIONS: Final = Matchers()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an SLO is written: file, 1-based line, and the line of every dotted field."""

    file: str = ""
    line: int = 0
    lines: Mapping[str, int] = field(default_factory=dict)

    def line_of(self, name: str) -> int:
        """The line of field ``name`` (``sli.latency.below``), else of what holds it, else of the SLO."""
        while name and name not in self.lines:
            name = name.rpartition(".")[0]
        return self.lines.get(name, self.line)


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective.

    Attributes:
        name: unique over all files.
        service: the service that it is about; also a condition on every event.
        sli: what a good event (or slice) is.
        objective: the share that shall be good, within (0, 1); 0 where the budget is an amount.
        window_ns: length of the window that the budget is for; of a calendar window the nominal one.
        calendar: the periods that the budget is for, each on its own; None for a rolling window.
        budgeting: whether the budget is for events or for slices of time.
        where: further conditions on events.
        per: fields; every combination of their values has a budget of its own.
        policy: what is alerted, already scaled to ``window_ns``.
        runbook: name of the runbook, or None for the one of the diagnosed cause.
        labels: further labels of every alert, for routing.
        origin: where it is written; no part of its identity.
    """

    name: str
    service: str
    sli: Sli
    objective: float
    window_ns: int
    calendar: Calendar | None = None
    budgeting: Budgeting = OCCURRENCES
    where: Matchers = NO_CONDITIONS
    per: tuple[str, ...] = ()
    policy: Policy = NO_POLICY
    owner: str = ""
    description: str = ""
    runbook: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin, compare=False)

    @property
    def kind(self) -> str:
        """Name of the SLI's kind: ``errors``, ``latency``, ..."""
        return self.sli.kind

    @property
    def error_budget(self) -> float:
        """1 - objective, without the float's noise: 0.1 for 0.9, so that a burn of exactly 1 reads as 1."""
        return round(1.0 - self.objective, 12)

    @property
    def window_s(self) -> float:
        """The window in seconds."""
        return self.window_ns / NANOS

    @property
    def longest_window_ns(self) -> int:
        """How far the window can look back."""
        return self.window_ns if self.calendar is None else self.calendar.longest_ns

    def window_start_ns(self, time_ns: int) -> int:
        """Where the window begins whose budget is spent at ``time_ns``."""
        return time_ns - self.window_ns if self.calendar is None else self.calendar.period(time_ns).start_ns

    def period_ns(self, time_ns: int) -> int:
        """Length of the window whose budget is spent at ``time_ns``: of a calendar's, all of the period."""
        if self.calendar is None:
            return self.window_ns
        period = self.calendar.period(time_ns)
        return period.end_ns - period.start_ns

    @property
    def slice_ns(self) -> int | None:
        """Length of the slices of time that the budget is for; None where it is for events."""
        if self.sli.slice_ns is not None:
            return self.sli.slice_ns
        return None if isinstance(self.budgeting, Occurrences) else self.budgeting.slice_ns

    @property
    def method(self) -> str:
        """The budgeting method; kinds that judge slices of time have timeslices whatever is written."""
        if self.allowance is not None:
            return "amount"
        judges_slices = self.sli.slice_ns is not None and isinstance(self.budgeting, Occurrences)
        return Timeslices.method if judges_slices else self.budgeting.method

    @property
    def allowance(self) -> int | None:
        """The amount that may be spent within the window, in parts of ``unit``; None where a share may be bad."""
        return self.sli.allowance if isinstance(self.sli, Spend) else None

    @property
    def unit(self) -> int:
        """How many parts an event, a slice or a dollar is counted in."""
        if self.allowance is not None:
            return MONEY_UNIT
        return RATIO_UNIT if isinstance(self.budgeting, RatioTimeslices) else 1


@dataclass(frozen=True, slots=True)
class SloSet:
    """Every SLO of the user's files, in the order of the files, and the warnings that reading them gave."""

    slos: tuple[Slo, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.slos)

    def splits(self, start_ns: int, end_ns: int) -> frozenset[int]:
        """Where within [start, end) some SLO's calendar period begins that is no whole hour (ns)."""
        calendars = {slo.calendar for slo in self.slos if slo.calendar is not None}
        return frozenset(at_ns for calendar in calendars for at_ns in calendar.splits(start_ns, end_ns))

    def named(self, name: str) -> Slo | None:
        """The SLO called ``name``."""
        return next((slo for slo in self.slos if slo.name == name), None)
