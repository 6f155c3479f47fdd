"""The model of an SLO: values that the parser makes and everything else reads. It checks nothing and computes little.

Durations are nanoseconds (``*_ns``), thresholds are in the unit of the measure (seconds, US dollars).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

from detectors.slo.calendar import Calendar
from telemetry.errors import Problem
from telemetry.findings import Severity
from telemetry.matchers import Matchers
from telemetry.rules import Throttled
from telemetry.windows import NANOS

_HOUR_NS: Final = 3600 * NANOS

LatencyMeasure = Literal["duration", "ttft", "tpot", "queue", "prefill", "decode"]
CostMeasure = Literal["request", "per_1k_tokens"]

LATENCY_MEASURES: Final[tuple[LatencyMeasure, ...]] = ("duration", "ttft", "tpot", "queue", "prefill", "decode")
COST_FIELDS: Final[Mapping[CostMeasure, str]] = {"request": "cost", "per_1k_tokens": "cost_per_1k_tokens"}
"""The canonical field behind each cost measure."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Good: the request has no error; ``throttled`` says what a refused one is."""

    kind: ClassVar[str] = "errors"
    throttled: Throttled = "bad"


@dataclass(frozen=True, slots=True)
class Latency:
    """Good: ``measure`` is strictly below ``below_s`` seconds."""

    kind: ClassVar[str] = "latency"
    measure: LatencyMeasure
    below_s: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Good: the request cost less than ``below_usd`` US dollars, in all or per 1,000 tokens."""

    kind: ClassVar[str] = "cost"
    measure: CostMeasure
    below_usd: float


@dataclass(frozen=True, slots=True)
class Quantile:
    """Good: a slice of time in which quantile ``q`` of ``measure`` is below ``below_s`` seconds.

    A slice with fewer than ``min_events`` events says nothing: it is neither good nor bad.
    """

    kind: ClassVar[str] = "quantile"
    measure: LatencyMeasure
    q: float
    below_s: float
    slice_ns: int
    min_events: int


@dataclass(frozen=True, slots=True)
class RecentReference:
    """What came within ``window_ns`` before the slice, without the slices that drifted."""

    window_ns: int


@dataclass(frozen=True, slots=True)
class FirstReference:
    """The first slices of a group, until they hold ``events`` events; fixed from then on."""

    events: int


Reference = RecentReference | FirstReference


@dataclass(frozen=True, slots=True)
class Drift:
    """Good: a slice of time in which no field's distribution differs from the reference's.

    Attributes:
        fields: canonical fields or ``feature.<name>``.
        reference: what a slice is compared with.
        slice_ns: length of a slice.
        alpha: probability of calling a slice drifted when nothing has changed.
        min_effect: the smallest effect that matters, see :mod:`detectors.drift.compare`.
        min_events: events of a field below which it is not judged.
    """

    kind: ClassVar[str] = "drift"
    fields: tuple[str, ...]
    reference: Reference
    slice_ns: int
    alpha: float
    min_effect: float
    min_events: int


Sli = Errors | Latency | Cost | Quantile | Drift
SliceSli = Quantile | Drift


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
        objective: the share that shall be good, within (0, 1).
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
        """``errors``, ``latency``, ``cost``, ``quantile`` or ``drift``."""
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

    @property
    def slice_ns(self) -> int | None:
        """Length of the slices of time that the budget is for; None where it is for events."""
        if isinstance(self.sli, Quantile | Drift):
            return self.sli.slice_ns
        return None if isinstance(self.budgeting, Occurrences) else self.budgeting.slice_ns

    @property
    def method(self) -> str:
        """The budgeting method; kinds that judge slices of time have timeslices whatever is written."""
        return Timeslices.method if isinstance(self.sli, Quantile | Drift) else self.budgeting.method

    @property
    def unit(self) -> int:
        """How many parts an event or slice is counted in."""
        return RATIO_UNIT if isinstance(self.budgeting, RatioTimeslices) else 1


@dataclass(frozen=True, slots=True)
class SloSet:
    """Every SLO of the user's files, in the order of the files, and the warnings that reading them gave."""

    slos: tuple[Slo, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.slos)

    def split_hours(self, start_ns: int, end_ns: int) -> frozenset[int]:
        """Starts (ns) of the hours in [start, end) within which some SLO's calendar period begins."""
        calendars = {slo.calendar for slo in self.slos if slo.calendar is not None}
        return frozenset(
            at_ns - at_ns % _HOUR_NS for calendar in calendars for at_ns in calendar.splits(start_ns, end_ns)
        )

    def named(self, name: str) -> Slo | None:
        """The SLO called ``name``."""
        return next((slo for slo in self.slos if slo.name == name), None)
