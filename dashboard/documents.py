"""The service's JSON documents as typed values; it checks their shape and refuses to guess at what is missing.

Times are seconds since the epoch, durations seconds, costs US dollars, ratios fractions of one. Fields that
a newer service may add are ignored; fields without which a page would lie are required.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal[
    "ok",
    "burning",
    "exhausted",
    "corrected",
    "no_traffic",
    "no_telemetry",
    "not_enough_data",
    "late",
    "outage",
    "misconfigured",
]
IncidentStatus = Literal["open", "acknowledged", "resolved"]
Labels = dict[str, str]


class Document(BaseModel):
    """A frozen value that ignores unknown fields and refuses NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, coerce_numbers_to_str=True)


# --- status ---------------------------------------------------------------------------------------------


class LastEvaluation(Document):
    """When the detectors last ran and how long they took."""

    at: float
    duration_s: float | None = None


class Overflow(Document):
    """Events beyond a cardinality limit; `slo` is null for the service series."""

    slo: str | None = None
    events: int
    limit: int
    what: str = ""
    remedy: str = ""


class ConfigProblem(Document):
    """A fault in a file of the user's; `line` is 0 for the file as a whole."""

    file: str
    line: int = 0
    field: str = ""
    message: str
    remedy: str = ""


class Config(Document):
    """Whether what is in force is what the files say; times in seconds, `failing_since` null while it is."""

    in_force_since: float | None = None
    failing_since: float | None = None
    problems: list[ConfigProblem] = Field(default_factory=list)


class Delivery(Document):
    """How telling one receiver stands: `undelivered` counts what was given up and nothing later has made good."""

    receiver: str
    undelivered: int = 0


class Status(Document):
    """Health of the service itself; `now` is the service's clock, which every page uses as the present."""

    version: str = ""
    started_at: float | None = None
    now: float
    database: str = ""
    counters: dict[str, Any] = Field(default_factory=dict)
    config_problems: list[Any] = Field(default_factory=list)
    config: Config = Field(default_factory=Config)
    database_problem: str | None = None
    overflow: list[Overflow] = Field(default_factory=list)
    receivers: list[Delivery] | None = None
    last_evaluation: LastEvaluation | None = None


# --- SLOs -----------------------------------------------------------------------------------------------


class GroupAlert(Document):
    """An alert that is firing for one budget."""

    name: str
    severity: str = ""
    since: float | None = None


class SloGroup(Document):
    """One budget: an SLO, or one group of it. `budget_remaining` is a fraction and may be negative.

    `excluded` events of the window lie in corrections and count neither good nor bad.
    """

    group: Labels = Field(default_factory=dict)
    state: State
    good: float = 0
    total: float = 0
    sli: float | None = None
    budget_remaining: float | None = None
    burn: dict[str, float | None] = Field(default_factory=dict)
    alerts: list[GroupAlert] = Field(default_factory=list)
    detail: dict[str, Any] = Field(default_factory=dict)
    excluded: float = 0


class SloPeriod(Document):
    """The calendar period that the budgets of an SLO are for: from `start` to before `end`."""

    calendar: str
    timezone: str
    start: float
    end: float


class Slo(Document):
    """An SLO with all its budgets; `window_s` is nominal where there is a `period`.

    `objective` is null where the budget is an amount of money: a group's `total` then, of which `good` is left.
    """

    name: str
    service: str = ""
    owner: str | None = None
    description: str | None = None
    kind: str = ""
    objective: float | None = None
    window_s: float | None = None
    period: SloPeriod | None = None
    budgeting: str = ""
    revision: str | int | None = None
    runbook: str | None = None
    where: list[str] = Field(default_factory=list)
    per: list[str] = Field(default_factory=list)
    overflow: Overflow | None = None
    groups: list[SloGroup]


class Slos(Document):
    """Every SLO that the service evaluates."""

    slos: list[Slo]


class HistoryPoint(Document):
    """One step of one budget's history."""

    t: float
    good: float | None = None
    total: float | None = None
    sli: float | None = None
    burn: float | None = None
    budget_remaining: float | None = None


class History(Document):
    """A budget's course over time."""

    points: list[HistoryPoint]


# --- series and heatmap -----------------------------------------------------------------------------------


class SeriesPoint(Document):
    """Counts and percentiles of one step; percentiles are null where nothing was measured."""

    t: float
    count: float = 0
    errors: float = 0
    sum: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None


class OneSeries(Document):
    """The course of one measure for one combination of labels."""

    labels: Labels = Field(default_factory=dict)
    points: list[SeriesPoint]


class Series(Document):
    """The courses of one measure."""

    series: list[OneSeries]


class Heatmap(Document):
    """Counts per time step and bin: `counts[i][j]` lies in `edges[j]..edges[j + 1]` at `t[i]`."""

    t: list[float]
    edges: list[float]
    counts: list[list[float]]


# --- incidents --------------------------------------------------------------------------------------------


class IncidentAlert(Document):
    """An alert that belongs to an incident."""

    name: str
    labels: Labels = Field(default_factory=dict)
    state: str = ""
    since: float | None = None


class IncidentSummary(Document):
    """An incident as a list shows it."""

    id: str
    title: str
    status: IncidentStatus
    severity: str = ""
    service: str | None = None
    slo: str | None = None
    cause: str | None = None
    slice: Labels = Field(default_factory=dict)
    runbook: str | None = None
    opened_at: float
    acknowledged_at: float | None = None
    acknowledged_by: str | None = None
    assignee: str | None = None
    snoozed_until: float | None = None
    resolved_at: float | None = None
    merged_into: str | None = None
    alerts: list[IncidentAlert] = Field(default_factory=list)


class Incidents(Document):
    """A list of incidents."""

    incidents: list[IncidentSummary]


class TimelineEvent(Document):
    """Something that happened to an incident, and who did it."""

    at: float
    kind: str = ""
    author: str | None = None
    text: str | None = None
    origin: str | None = None


class Budget(Document):
    """What is left of the error budget when the incident was diagnosed."""

    remaining: float | None = None
    objective: float | None = None


class BurnEvidence(Document):
    """One burn-rate rule and the burn that was measured in both of its windows."""

    long: str
    short: str
    factor: float
    long_burn: float | None = None
    short_burn: float | None = None


class Attribution(Document):
    """How much of the excess badness one slice of the traffic explains."""

    dimension: str
    value: str
    bad: float | None = None
    total: float | None = None
    excess_share: float | None = None


class TailPart(Document):
    """How much one part of the request contributes to the longer tail."""

    part: str
    before_s: float | None = None
    after_s: float | None = None
    share: float | None = None


class Change(Document):
    """Something that changed about when the incident began."""

    what: str
    before: Any = None
    after: Any = None
    text: str | None = None


class Exemplar(Document):
    """A trace that shows the problem."""

    trace_id: str
    duration_s: float | None = None
    error_type: str | None = None


class DriftField(Document):
    """The drift test of one field."""

    field: str
    p_value: float | None = None
    effect: float | None = None
    method: str | None = None


class Evidence(Document):
    """What the diagnosis rests on; parts that do not apply to a cause are absent."""

    summary: str | None = None
    cause: str | None = None
    confidence: float | None = None
    slice: Labels = Field(default_factory=dict)
    budget: Budget | None = None
    burn: list[BurnEvidence] = Field(default_factory=list)
    attribution: list[Attribution] = Field(default_factory=list)
    tail: list[TailPart] = Field(default_factory=list)
    changes: list[Change] = Field(default_factory=list)
    exemplars: list[Exemplar] = Field(default_factory=list)
    drift: list[DriftField] = Field(default_factory=list)
    report: str | None = None


class OfferedHook(Document):
    """A response hook that fits an incident; ``left`` runs may follow, and perhaps one waits for approval."""

    name: str
    target: str = ""
    dry_run: bool = False
    waiting: bool = False
    left: int = 0


class Incident(IncidentSummary):
    """An incident with its evidence, timeline, runbook and the hooks that fit it."""

    timeline: list[TimelineEvent] = Field(default_factory=list)
    hooks: list[OfferedHook] = Field(default_factory=list)
    evidence: Evidence = Evidence()
    runbook_markdown: str | None = None


# --- traces and services ------------------------------------------------------------------------------------


class TraceSummary(Document):
    """A trace as a search shows it."""

    trace_id: str
    name: str = ""
    service: str = ""
    operation: str | None = None
    model: str | None = None
    start: float
    duration: float
    error_type: str | None = None
    input_type: str | None = None


class Traces(Document):
    """The result of a search."""

    traces: list[TraceSummary]


class Span(Document):
    """One span of a trace."""

    span_id: str
    parent_span_id: str | None = None
    name: str = ""
    service: str = ""
    start: float
    duration: float
    error_type: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)


class Trace(Document):
    """All stored spans of one trace."""

    trace_id: str
    spans: list[Span]


class Service(Document):
    """A service that sends telemetry."""

    service: str
    operations: list[str] = Field(default_factory=list)
    models: list[str] = Field(default_factory=list)
    requests_1h: float = 0
    errors_1h: float = 0


class Services(Document):
    """Every service that sent telemetry lately."""

    services: list[Service]
