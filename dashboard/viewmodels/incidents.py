"""Incidents: the list, and one incident's evidence as tables; it repeats what was diagnosed and adds no verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from dashboard import formats
from dashboard.components.grid import Cell, Column, Grid, Row, Tone
from dashboard.components.place import Place
from dashboard.components.tiles import Tile
from dashboard.documents.evidence import Evidence
from dashboard.documents.incidents import Incident, IncidentSummary, TimelineEvent
from dashboard.viewmodels import quiet, states

# what every alert of the incident has in common, and the page says already
_KNOWN_LABELS = frozenset({"alertname", "slo", "service"})

LIST_COLUMNS = (
    Column("Incident", wrap=True),
    Column("Status"),
    Column("Severity"),
    Column("Cause"),
    Column("Slice", wrap=True),
    Column("Opened", "right"),
    Column("Lasted", "right"),
)


def filtered(
    incidents: Sequence[IncidentSummary], *, statuses: Sequence[str], service: str | None, wanted: str
) -> list[IncidentSummary]:
    """The incidents that the filters leave; no status chosen means all of them."""
    needle = wanted.casefold().split()
    kept = []
    for one in incidents:
        text = " ".join(
            (one.id, one.title, one.slo or "", one.cause or "", one.severity, formats.labels(one.slice))
        ).casefold()
        chosen = (not statuses or one.status in statuses) and (not service or one.service == service)
        if chosen and all(word in text for word in needle):
            kept.append(one)
    return states.incidents_urgent_first(kept)


def grid(incidents: Sequence[IncidentSummary], now: float, tz: tzinfo, name: str = "incidents") -> Grid:
    """A table of incidents in the given order."""
    rows = []
    for one in incidents:
        end = one.resolved_at if one.resolved_at is not None else now
        about = " · ".join(filter(None, (one.id, one.service, one.slo, quiet.mark(one), _whose(one))))
        cells = [
            Cell(one.title, sub=about),
            states.status_cell("merged" if one.merged_into else one.status),
            Cell(one.severity or formats.ABSENT, tone=_loud(one)),
            Cell(formats.words(one.cause) if one.cause else "not diagnosed"),
            Cell(formats.labels(one.slice) or formats.ABSENT),
            Cell(formats.clock(one.opened_at, tz, now), sort=one.opened_at),
            Cell(formats.seconds(max(0, round(end - one.opened_at))), sort=end - one.opened_at),
        ]
        tone = states.STATUS_TONES[one.status] if one.status != "resolved" else None
        rows.append(Row(one.id, cells, Place("incidents", {"incident": one.id}), tone))
    return Grid(name, LIST_COLUMNS, rows, "No incident matches.")


def _whose(one: IncidentSummary) -> str:
    if one.status == "resolved":
        return ""
    if one.assignee:
        return f"assigned to {one.assignee}"
    return f"taken by {one.acknowledged_by}" if one.acknowledged_by and one.status == "acknowledged" else ""


def _loud(one: IncidentSummary) -> Tone | None:
    tone = states.severity_tone(one.severity)
    return None if one.status == "resolved" or tone == "silent" else tone


def tiles(incident: Incident, now: float, tz: tzinfo) -> list[Tile]:
    """The figures at the top of an incident's page."""
    evidence = incident.evidence
    cause = incident.cause or evidence.cause
    sure = evidence.confidence
    where = formats.labels(incident.slice or evidence.slice)
    end = incident.resolved_at if incident.resolved_at is not None else now
    since = f"since {formats.clock(incident.opened_at, tz, now)}"
    ended = f"resolved {formats.clock(incident.resolved_at, tz, now)}" if incident.resolved_at else since
    budget = evidence.budget
    objective = budget.objective if budget else None
    return [
        Tile(
            "Status",
            "Merged" if incident.merged_into else incident.status.capitalize(),
            _taken(incident, now, tz),
            "silent" if incident.merged_into else states.STATUS_TONES[incident.status],
        ),
        Tile("Severity", incident.severity or formats.ABSENT, _counted(len(incident.alerts)), None),
        Tile(
            "Cause",
            formats.words(cause) if cause else "not diagnosed",
            "" if sure is None else f"confidence {formats.percent(sure, 0)}",
        ),
        Tile("Slice", where or "all traffic", "where it happens"),
        Tile(
            "Lasted" if incident.resolved_at else "Lasting",
            formats.seconds(max(0, round(end - incident.opened_at))),
            ended,
        ),
        Tile(
            "Budget remaining",
            formats.percent(budget.remaining) if budget else formats.ABSENT,
            _budget_note(incident, objective),
            "exhausted" if budget and budget.remaining is not None and budget.remaining <= 0 else None,
        ),
    ]


def _budget_note(incident: Incident, objective: float | None) -> str:
    if objective is not None:
        return f"objective {formats.ratio(objective)}"
    return "at diagnosis" if incident.slo else "the alert belongs to no SLO"


def _counted(alerts: int) -> str:
    return "1 alert" if alerts == 1 else f"{alerts} alerts"


def _taken(incident: Incident, now: float, tz: tzinfo) -> str:
    if incident.merged_into:
        return f"merged into {incident.merged_into}"
    assigned = f"assigned to {incident.assignee}" if incident.assignee else ""
    if incident.acknowledged_at is None:
        return assigned or ("nobody has taken it" if incident.status == "open" else "")
    if incident.snoozed_until is not None and incident.status == "acknowledged":
        taken = f"snoozed until {formats.clock(incident.snoozed_until, tz, now)}"
    else:
        by = f" by {incident.acknowledged_by}" if incident.acknowledged_by else ""
        taken = f"acknowledged {formats.clock(incident.acknowledged_at, tz, now)}{by}"
    return f"{taken}, {assigned}" if assigned else taken


def others(incident: Incident, every: Sequence[IncidentSummary]) -> list[IncidentSummary]:
    """The incidents that this one may be merged into, those of its service first."""
    found = [one for one in every if one.id != incident.id and one.status != "resolved"]
    return sorted(found, key=lambda one: (one.service != incident.service, -one.opened_at))


def burn_grid(evidence: Evidence) -> Grid:
    """The burn-rate rules with what was measured; a rule holds when both windows exceed its factor."""
    rows = []
    for index, rule in enumerate(evidence.burn):
        known = rule.long_burn is not None and rule.short_burn is not None
        holds = known and min(rule.long_burn or 0.0, rule.short_burn or 0.0) > rule.factor
        verdict = "exceeded" if holds else "not exceeded" if known else "no data"
        rows.append(
            Row(
                str(index),
                [
                    Cell(f"{rule.long} and {rule.short}"),
                    Cell(formats.burn(rule.factor), sort=rule.factor),
                    Cell(formats.burn(rule.long_burn), sort=rule.long_burn),
                    Cell(formats.burn(rule.short_burn), sort=rule.short_burn),
                    Cell(verdict, tone="exhausted" if holds else "silent", kind="pill"),
                ],
            )
        )
    columns = (
        Column("Windows"),
        Column("Factor", "right"),
        Column("Burn, long", "right"),
        Column("Burn, short", "right"),
        Column("Rule"),
    )
    return Grid("evidence-burn", columns, rows, "No burn was recorded.")


def attribution_grid(evidence: Evidence) -> Grid:
    """The slices that explain the excess, the largest share first."""
    rows = []
    ordered = sorted(evidence.attribution, key=lambda one: -(one.excess_share or 0.0))
    for one in ordered:
        guilty, name = one.slice.items() <= evidence.slice.items(), formats.labels(one.slice)
        rate = one.bad / one.total if one.bad is not None and one.total else None
        rows.append(
            Row(
                name,
                [
                    Cell(name, tone="exhausted" if guilty else None),
                    Cell(formats.count(one.bad), sort=one.bad),
                    Cell(formats.count(one.total), sort=one.total),
                    Cell(formats.percent(rate, 2), sort=rate),
                    Cell(
                        formats.percent(one.excess_share, 0),
                        sort=one.excess_share,
                        kind="bar",
                        fill=one.excess_share,
                        tone="exhausted" if guilty else "accent",
                    ),
                ],
                tone="exhausted" if guilty else None,
            )
        )
    columns = (
        Column("Slice"),
        Column("Bad", "right"),
        Column("Total", "right"),
        Column("Bad share", "right"),
        Column("Share of the excess"),
    )
    return Grid("evidence-attribution", columns, rows, "No slice stands out.")


def tail_grid(evidence: Evidence) -> Grid:
    """The parts of a request, before and during the incident."""
    rows = []
    for one in sorted(evidence.tail, key=lambda part: -(part.share or 0.0)):
        known = one.before_s is not None and one.after_s is not None
        more = (one.after_s or 0.0) - (one.before_s or 0.0) if known else None
        rows.append(
            Row(
                one.part,
                [
                    Cell(formats.words(one.part)),
                    Cell(formats.seconds(one.before_s), sort=one.before_s),
                    Cell(formats.seconds(one.after_s), sort=one.after_s),
                    Cell(f"+{formats.seconds(more)}" if more and more > 0 else formats.seconds(more), sort=more),
                    Cell(formats.percent(one.share, 0), sort=one.share, kind="bar", fill=one.share, tone="accent"),
                ],
            )
        )
    columns = (
        Column("Part"),
        Column("Before", "right"),
        Column("Now", "right"),
        Column("Change", "right"),
        Column("Share of the change"),
    )
    return Grid("evidence-tail", columns, rows, "The tail was not decomposed.")


def change_grid(evidence: Evidence) -> Grid:
    """What changed about when the incident began."""
    rows = [
        Row(
            str(index),
            [
                Cell(formats.words(one.what)),
                Cell(_value(one.before)),
                Cell(_value(one.after), tone="burning"),
                Cell(one.text or ""),
            ],
        )
        for index, one in enumerate(evidence.changes)
    ]
    columns = (Column("What"), Column("Before", wrap=True), Column("After", wrap=True), Column("", wrap=True))
    return Grid("evidence-changes", columns, rows, "Nothing is known to have changed at the onset.")


def exemplar_grid(evidence: Evidence) -> Grid:
    """Traces that show the problem; each opens its waterfall."""
    rows = [
        Row(
            one.trace_id,
            [
                Cell(one.trace_id, kind="mono"),
                Cell(formats.seconds(one.duration_s), sort=one.duration_s),
                Cell(one.error_type or "no error", tone="exhausted" if one.error_type else None),
            ],
            Place("traces", {"trace": one.trace_id}),
        )
        for one in evidence.exemplars
    ]
    columns = (Column("Trace"), Column("Duration", "right"), Column("Error"))
    return Grid("evidence-exemplars", columns, rows, "No exemplar trace was kept.")


def drift_grid(evidence: Evidence) -> Grid:
    """The drift tests, the strongest effect first."""
    rows = [
        Row(
            one.field,
            [
                Cell(one.field),
                Cell(formats.p_value(one.p_value), sort=one.p_value),
                Cell(formats.ABSENT if one.effect is None else f"{one.effect:.3g}", sort=one.effect),
                Cell(formats.words(one.method or "")),
            ],
        )
        for one in sorted(evidence.drift, key=lambda one: -abs(one.effect or 0.0))
    ]
    columns = (Column("Field"), Column("p-value", "right"), Column("Effect", "right"), Column("Test"))
    return Grid("evidence-drift", columns, rows, "No field drifted.")


def timeline_grid(incident: Incident, now: float, tz: tzinfo) -> Grid:
    """What happened, the latest first."""
    rows = [
        Row(
            str(index),
            [
                Cell(formats.clock(event.at, tz, now), sort=event.at),
                Cell(event.text or formats.words(event.kind), sub=_what(event)),
            ],
        )
        for index, event in sorted(enumerate(incident.timeline), key=lambda pair: (-pair[1].at, -pair[0]))
    ]
    columns = (Column("Time"), Column("What", wrap=True))
    return Grid(f"timeline-{incident.id}", columns, rows, "Nothing has been recorded yet.")


def alert_grid(incident: Incident, now: float, tz: tzinfo) -> Grid:
    """The alerts that belong together in this incident."""
    by = incident.suppressed.by if incident.suppressed else []
    rows = [
        Row(
            str(index),
            [
                Cell(alert.name),
                Cell(
                    alert.state or formats.ABSENT,
                    sub=quiet.of_alert(alert, by, now, tz),
                    tone="exhausted" if alert.state == "firing" else None,
                ),
                Cell(formats.clock(alert.since, tz, now), sort=alert.since),
                Cell(formats.labels({key: value for key, value in alert.labels.items() if key not in _KNOWN_LABELS})),
            ],
        )
        for index, alert in enumerate(incident.alerts)
    ]
    columns = (Column("Alert"), Column("State", wrap=True), Column("Since", "right"), Column("Labels", wrap=True))
    return Grid(f"alerts-{incident.id}", columns, rows, "No alert is attached.")


def _what(event: TimelineEvent) -> str:
    kind = formats.words(event.kind) if event.text else ""
    return " · ".join(filter(None, (kind, event.author or "Tailwatch", event.origin and f"in {event.origin}")))


def _value(value: object) -> str:
    if value is None:
        return formats.ABSENT
    return f"{value:.4g}" if isinstance(value, float) else str(value)
