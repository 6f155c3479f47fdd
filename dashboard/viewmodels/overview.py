"""The overview: the status bar and the table of SLOs; it decides what is worst, never what is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dashboard import formats
from dashboard.components.grid import Cell, Column, Grid, Row, Tone
from dashboard.components.place import Place
from dashboard.components.tiles import Tile
from dashboard.documents.incidents import IncidentSummary
from dashboard.documents.slos import Slo, SloGroup, State
from dashboard.documents.status import Status
from dashboard.documents.traffic import OneSeries
from dashboard.periods import Period, with_silence
from dashboard.viewmodels import states

BURN_WINDOWS = ("5m", "1h", "6h")
# Above 1 the budget does not last its window; above 6 the default policy pages (Google SRE workbook, ch. 5).
BURN_WARNS = 1.0
BURN_PAGES = 6.0
STALE_EVALUATION_S = 120.0

STANDING_COLUMNS = (
    Column("State"),
    Column("Objective", "right"),
    Column("SLI", "right"),
    Column("Budget remaining", "left"),
)
SLO_COLUMNS = (
    Column("SLO"),
    *STANDING_COLUMNS,
    *(Column(f"Burn {window}", "right") for window in BURN_WINDOWS),
)

_BURNING: Final[tuple[State, ...]] = ("burning", "outage")


def burn_tone(rate: float | None) -> Tone | None:
    """The colour of a burn rate; none while the budget lasts."""
    if rate is None or rate <= BURN_WARNS:
        return None
    return "exhausted" if rate > BURN_PAGES else "burning"


def budget_cell(group: SloGroup) -> Cell:
    """A bar of what is left; an overspent budget is an empty bar with a negative number."""
    remaining = group.budget_remaining
    if remaining is None:
        return Cell(formats.ABSENT, sort=None, kind="bar", fill=0.0)
    tone: Tone = "exhausted" if remaining <= 0 else "burning" if remaining < 0.25 else "ok"
    return Cell(
        formats.percent(remaining, 1 if abs(remaining) < 10 else 0),
        sort=remaining,
        kind="bar",
        fill=remaining,
        tone=tone,
        strong=tone != "ok",
    )


def promise(slo: Slo, group: SloGroup | None) -> str:
    """What the SLO demands of a group: `99.5 %`, or `$500`."""
    if slo.objective is not None:
        return formats.ratio(slo.objective)
    budget = None if group is None else group.detail.get("budget")
    return formats.money(budget if isinstance(budget, int | float) else None)


def kept(slo: Slo, group: SloGroup) -> str:
    """How the promise is kept: the share that was good, or the money that was spent."""
    if slo.objective is not None:
        return formats.ratio(group.sli)
    return f"{formats.money(group.total - group.good)} spent" if group.total else formats.ABSENT


def number_cells(slo: Slo, group: SloGroup, windows: Sequence[str] = BURN_WINDOWS) -> list[Cell]:
    """State, objective, SLI, budget and burn of one budget."""
    return [
        states.state_cell(group.state),
        Cell(promise(slo, group), sort=slo.objective),
        Cell(kept(slo, group), sort=group.sli),
        budget_cell(group),
        *(
            Cell(formats.burn(rate), sort=rate, tone=burn_tone(rate))
            for rate in (group.burn.get(window) for window in windows)
        ),
    ]


def slo_grid(slos: Sequence[Slo], wanted: str = "") -> Grid:
    """The table of SLOs, worst first; an SLO shows its worst group and expands to all of them.

    `wanted` narrows the table to SLOs whose name, service, owner, kind or group holds every word of it.
    """
    rows = [_slo_row(slo) for slo in states.slos_worst_first(slos) if _matches(slo, wanted)]
    empty = "No SLO matches the filter." if slos else "The service evaluates no SLO yet; give it a file of SLOs."
    return Grid("slos", SLO_COLUMNS, rows, empty)


def window(slo: Slo) -> str:
    """What the budget is for: `30 d`, `calendar month, Europe/Berlin`."""
    period = slo.period
    return formats.window(slo.window_s) if period is None else formats.calendar_window(period.calendar, period.timezone)


def _slo_row(slo: Slo) -> Row:
    place = Place("slo", {"slo": slo.name})
    groups = states.worst_first(slo.groups)
    about = " · ".join(filter(None, (slo.service, formats.words(slo.kind), window(slo))))
    if not groups:
        nothing = [Cell("No data", sort=0, tone="silent", kind="pill"), Cell(promise(slo, None))]
        rest = [Cell(formats.ABSENT, sort=None) for _ in range(len(SLO_COLUMNS) - 3)]
        return Row(slo.name, [Cell(slo.name, sub=about), *nothing, *rest], place)
    grouped = len(groups) > 1
    if grouped:
        about += f" · worst of {len(groups)}: {formats.labels(groups[0].group)}"
    children = [_group_row(slo, group) for group in groups] if grouped else []
    tone = states.STATE_TONES[groups[0].state] if groups[0].state != "ok" else None
    cells = [Cell(slo.name, sub=about), *number_cells(slo, groups[0])]
    return Row(slo.name, cells, place, tone, children)


def _group_row(slo: Slo, group: SloGroup) -> Row:
    name = formats.labels(group.group) or "all traffic"
    return Row(f"{slo.name}/{name}", [Cell(name), *number_cells(slo, group)], group_place(slo, group))


def group_place(slo: Slo, group: SloGroup) -> Place:
    """The page of one budget of an SLO."""
    chosen = {"group": formats.labels(group.group)} if group.group else {}
    return Place("slo", {"slo": slo.name, **chosen})


def _matches(slo: Slo, wanted: str) -> bool:
    groups = " ".join(f"{formats.labels(group.group)} {group.state}" for group in slo.groups)
    text = f"{slo.name} {slo.service} {slo.owner or ''} {slo.kind} {groups}".casefold()
    return all(word in text for word in re.split(r"\s+", wanted.casefold().strip()))


def traffic_per_minute(series: Sequence[OneSeries], period: Period, now: float) -> tuple[list[float], list[float]]:
    """Requests and errors per minute of each complete step, summed over all series."""
    if not series:  # no series at all is no traffic at all
        series = [OneSeries(points=[])]
    requests: dict[float, float] = {}
    errors: dict[float, float] = {}
    for one in series:
        for point in with_silence(one.points, period):
            if point.t + period.step <= now:
                requests[point.t] = requests.get(point.t, 0.0) + point.count * 60 / period.step
                errors[point.t] = errors.get(point.t, 0.0) + point.errors * 60 / period.step
    times = sorted(requests)
    return [requests[t] for t in times], [errors[t] for t in times]


def tiles(
    status: Status,
    slos: Sequence[Slo] | None,
    incidents: Sequence[IncidentSummary] | None,
    traffic: tuple[list[float], list[float]] | None,
) -> list[Tile]:
    """The status bar; a figure that could not be read is absent, not zero."""
    return [
        _incident_tile(incidents),
        *_slo_tiles(slos),
        *_traffic_tiles(traffic),
        _evaluation_tile(status),
    ]


def _incident_tile(incidents: Sequence[IncidentSummary] | None) -> Tile:
    if incidents is None:
        return Tile("Open incidents", formats.ABSENT, "could not be read")
    opened = [one for one in incidents if one.status == "open"]
    taken = sum(one.status == "acknowledged" for one in incidents)
    note = f"{taken} acknowledged" if taken else "none acknowledged" if opened else "all quiet"
    tone: Tone = "exhausted" if opened else "burning" if taken else "ok"
    return Tile("Open incidents", str(len(opened)), note, tone, place=Place("incidents"))


def _slo_tiles(slos: Sequence[Slo] | None) -> list[Tile]:
    if slos is None:
        return [Tile("SLOs burning", formats.ABSENT, "could not be read")]
    burning = sum(any(group.state in _BURNING for group in slo.groups) for slo in slos)
    exhausted = sum(any(_spent(group) for group in slo.groups) for slo in slos)
    counts = {
        words: sum(any(group.state == state for group in slo.groups) for slo in slos)
        for state, words in (("outage", "in outage"), ("no_telemetry", "without telemetry"), ("late", "late"))
    }
    note = ", ".join([f"of {len(slos)}", *(f"{count} {words}" for words, count in counts.items() if count)])
    return [
        Tile("SLOs burning", str(burning), note, "burning" if burning else "ok"),
        Tile("Budgets exhausted", str(exhausted), f"of {len(slos)}", "exhausted" if exhausted else "ok"),
    ]


def _spent(group: SloGroup) -> bool:
    # a budget may burn although nothing of it is left; the service then calls it burning
    spent = group.budget_remaining is not None and group.budget_remaining <= 0
    return group.state == "exhausted" or (group.state in _BURNING and spent)


def _traffic_tiles(traffic: tuple[list[float], list[float]] | None) -> list[Tile]:
    if traffic is None:
        return [Tile("Requests per minute", formats.ABSENT, "could not be read")]
    requests, errors = traffic
    recent, failed = sum(requests[-5:]), sum(errors[-5:])
    if not recent:
        return [Tile("Requests per minute", "0", "no traffic in the last 5 min", "silent", requests)]
    return [
        Tile("Requests per minute", formats.count(recent / len(requests[-5:])), "last 5 min", None, requests),
        Tile("Requests with errors", formats.percent(failed / recent, 2), "last 5 min", None, errors),
    ]


def _evaluation_tile(status: Status) -> Tile:
    if status.last_evaluation is None:
        return Tile("Last evaluation", formats.ABSENT, "none so far", "silent")
    age_s = status.now - status.last_evaluation.at
    took = status.last_evaluation.duration_s
    note = "" if took is None else f"took {formats.seconds(took)}"
    tone: Tone | None = "exhausted" if age_s > STALE_EVALUATION_S else None
    return Tile("Last evaluation", formats.ago(status.last_evaluation.at, status.now), note, tone)
