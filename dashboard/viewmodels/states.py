"""States, severities and their colours, the same on every page; it knows no numbers."""

from __future__ import annotations

from collections.abc import Iterable

from dashboard.components.grid import Cell, Tone
from dashboard.documents.incidents import IncidentSummary
from dashboard.documents.slos import Slo, SloGroup, State

# What wants attention comes first: a service that answers nobody, then spent budgets; a source that fell silent or
# sends only what is old is worse than a budget that is fine. Burning and exhausted are equally urgent (an overspent
# budget may still burn); between them the smaller budget decides.
STATE_ORDER: tuple[State, ...] = (
    "outage",
    "exhausted",
    "burning",
    "misconfigured",
    "no_telemetry",
    "late",
    "ok",
    "corrected",
    "not_enough_data",
    "no_traffic",
)

STATE_WORDS: dict[State, str] = {
    "ok": "OK",
    "burning": "Burning",
    "exhausted": "Exhausted",
    "no_traffic": "No traffic",
    "no_telemetry": "No telemetry",
    "not_enough_data": "Too few data",
    "late": "Late",
    "outage": "Outage",
    "corrected": "Corrected",
    "misconfigured": "Misconfigured",
}

STATE_TONES: dict[State, Tone] = {
    "ok": "ok",
    "burning": "burning",
    "exhausted": "exhausted",
    "no_traffic": "silent",
    "no_telemetry": "exhausted",
    "not_enough_data": "silent",
    "late": "burning",
    "outage": "exhausted",
    "corrected": "silent",
    "misconfigured": "burning",
}

STATUS_TONES: dict[str, Tone] = {"open": "exhausted", "acknowledged": "burning", "resolved": "ok"}
_STATUS_ORDER = {"open": 0, "acknowledged": 1, "resolved": 2}
_SEVERITY_TONES: dict[str, Tone] = {
    "page": "exhausted",
    "critical": "exhausted",
    "ticket": "burning",
    "warning": "burning",
}


def state_cell(state: State) -> Cell:
    """A pill with a state; sorts by urgency."""
    rank = len(STATE_ORDER) - STATE_ORDER.index(state)
    return Cell(STATE_WORDS[state], sort=rank, tone=STATE_TONES[state], kind="pill")


def status_cell(status: str) -> Cell:
    """A pill with an incident's status; sorts by urgency."""
    rank = -_STATUS_ORDER.get(status, 3)
    return Cell(status.capitalize(), sort=rank, tone=STATUS_TONES.get(status, "silent"), kind="pill")


def severity_tone(severity: str) -> Tone:
    """The colour of a severity; an unknown one is quiet."""
    return _SEVERITY_TONES.get(severity.lower(), "silent")


def urgency(state: State) -> int:
    """The rank of a state, the most urgent being 0."""
    rank = STATE_ORDER.index(state)
    return rank - 1 if rank > STATE_ORDER.index("exhausted") else rank


def group_key(group: SloGroup) -> tuple[int, float, float, str]:
    """Worst first: by state, then the smallest budget, then the fastest burn, then the name."""
    remaining = group.budget_remaining if group.budget_remaining is not None else 2.0
    fastest = max((rate for rate in group.burn.values() if rate is not None), default=0.0)
    return urgency(group.state), remaining, -fastest, str(sorted(group.group.items()))


def worst_first(groups: Iterable[SloGroup]) -> list[SloGroup]:
    """Budgets by urgency."""
    return sorted(groups, key=group_key)


def slos_worst_first(slos: Iterable[Slo]) -> list[Slo]:
    """SLOs by the urgency of their worst budget; one without any budget comes last."""

    def key(slo: Slo) -> tuple[bool, tuple[int, float, float, str], str]:
        worst = min(map(group_key, slo.groups), default=(0, 0.0, 0.0, ""))
        return not slo.groups, worst, slo.name

    return sorted(slos, key=key)


def incidents_urgent_first(incidents: Iterable[IncidentSummary]) -> list[IncidentSummary]:
    """Open before acknowledged before resolved, in each what pages before what does not, and then the newest first."""
    return sorted(
        incidents,
        key=lambda one: (
            _STATUS_ORDER.get(one.status, 3),
            one.status != "resolved" and severity_tone(one.severity) != "exhausted",
            -one.opened_at,
        ),
    )
