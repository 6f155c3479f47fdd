"""The recorded documents as the pages read them, and what a grid shows as text."""

from __future__ import annotations

from dashboard.components.grid import Grid
from dashboard.documents.incidents import Incident, IncidentSummary
from dashboard.documents.slos import Slo
from tests.dashboard import recorded

NOW = recorded.NOW


def slos() -> list[Slo]:
    return [Slo.model_validate(one) for one in recorded.slos()]


def slo(name: str) -> Slo:
    return next(one for one in slos() if one.name == name)


def summaries() -> list[IncidentSummary]:
    return [IncidentSummary.model_validate(one) for one in recorded.incidents().values()]


def incident(name: str = "inc-0042") -> Incident:
    return Incident.model_validate(recorded.incidents()[name])


def texts(grid: Grid) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in grid.rows]
