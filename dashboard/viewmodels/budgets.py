"""One SLO in depth: its groups, definition, policy thresholds and the traffic that it watches; pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from dashboard import formats
from dashboard.components.grid import Cell, Column, Grid, Row
from dashboard.components.tiles import Tile
from dashboard.documents.incidents import IncidentSummary
from dashboard.documents.slos import Slo, SloGroup
from dashboard.documents.status import Overflow
from dashboard.viewmodels import overview, states

# Share of the budget spent when each pair fires, by window length in days, for the long windows of 1 h, 6 h,
# 24 h and 72 h: the default policy (Google SRE workbook, chapter 5; other periods scaled by the same formula).
_LONG_WINDOWS_H = (1, 6, 24, 72)
_POLICIES: dict[int, tuple[float, ...]] = {
    7: (0.08, 0.125, 0.20, 0.42),
    28: (0.02, 0.05, 0.10, 0.10),
    30: (0.02, 0.05, 0.10, 0.10),
    90: (0.01, 0.03, 0.05),
}
_ACTIONS = ("page", "page", "ticket", "ticket")

_EQUALITY = re.compile(r'^\s*([A-Za-z_][\w.]*)\s*=\s*"?([^"~]*?)"?\s*$')

_HOUR_S = 3600.0
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_MOST_WINDOWS = 3
_EVERYWHERE = {"composite": "as its components", "saturation": "every series of the gauge"}

MEASURES = {
    "duration": "Latency",
    "ttft": "Time to first token",
    "tpot": "Time per output token",
    "queue": "Queue",
    "prefill": "Prefill",
    "decode": "Decode",
    "tokens_in": "Input tokens",
    "tokens_out": "Output tokens",
    "cost": "Cost",
    "confidence": "Confidence",
}


def burn_thresholds(window_s: float | None) -> list[tuple[float, str]]:
    """The default policy's factors for a window, as (factor, label); factor = share x period / long window.

    Windows that the policy does not name get none, rather than a line that no alert uses.
    """
    shares = _POLICIES.get(round(window_s / 86400), ()) if window_s and window_s % 86400 == 0 else ()
    days = round(window_s / 86400) if window_s else 0
    thresholds = []
    for share, hours, action in zip(shares, _LONG_WINDOWS_H, _ACTIONS, strict=False):
        factor = share * days * 24 / hours
        thresholds.append((factor, f"{factor:.3g}× {action} ({hours} h)"))
    return thresholds


def equality(where: Sequence[str], label: str) -> str | None:
    """The value that a `label="value"` matcher demands, or None where none does."""
    for matcher in where:
        found = _EQUALITY.match(matcher)
        if found and found.group(1) == label:
            return found.group(2)
    return None


def watched_measure(slo: Slo) -> str:
    """The measure that the SLO is about, by its detail, kind or name; latency where nothing says."""
    for group in slo.groups:
        named = group.detail.get("measure")
        if named in MEASURES:
            return str(named)
        fields = group.detail.get("fields")
        for field in fields if isinstance(fields, list) else []:
            if field in MEASURES:
                return str(field)
    if slo.kind in {"cost", "spend"}:
        return "cost"
    parts = re.split(r"[-_\s]", slo.name)
    return next((measure for measure in MEASURES if measure in parts), "duration")


def threshold(slo: Slo, measure: str) -> float | None:
    """The bound that the SLO puts on a measure, where its detail tells one."""
    for group in slo.groups:
        detail = group.detail
        for key in ("below", "threshold", "threshold_s", "below_s"):
            bound = detail.get(key)
            if detail.get("measure") == measure and isinstance(bound, int | float):
                return float(bound)
    return None


def choose_group(slo: Slo, wanted: str | None) -> SloGroup | None:
    """The group that the address names, else the worst one; None where the SLO has no data at all."""
    ordered = states.worst_first(slo.groups)
    for group in ordered:
        if wanted is not None and formats.labels(group.group) == wanted:
            return group
    return ordered[0] if ordered else None


def tiles(slo: Slo, group: SloGroup, now: float) -> list[Tile]:
    """The figures at the top of an SLO's page."""
    remaining = group.budget_remaining
    budget_tone = overview.budget_cell(group).tone
    recent, rate = recent_burn(group)
    firing = ", ".join(sorted({alert.severity or alert.name for alert in group.alerts}))
    since = min((alert.since for alert in group.alerts if alert.since is not None), default=None)
    return [
        Tile(
            "State",
            states.STATE_WORDS[group.state],
            f"{firing} since {formats.ago(since, now)}" if firing and since else firing or "no alert is firing",
            states.STATE_TONES[group.state],
        ),
        Tile("Budget remaining", formats.percent(remaining), f"of {span(slo)}", budget_tone),
        *(
            []
            if slo.objective is None
            else [Tile("SLI", formats.ratio(group.sli), f"objective {overview.promise(slo, group)}")]
        ),
        Tile(
            f"Burn, {formats.window(recent)}",
            formats.burn(rate),
            _lasts(rate, recent, remaining, slo, now),
            overview.burn_tone(rate),
        ),
        _unkept(slo, group),
        *_estimated(group),
    ]


def _unkept(slo: Slo, group: SloGroup) -> Tile:
    """What was bad of what, or spent of what."""
    unkept = group.total - group.good
    if slo.objective is None:
        unpriced = group.detail.get("unpriced")
        rest = f", and {formats.count(unpriced)} requests without a price" if unpriced else ""
        return Tile("Spent", formats.money(unkept), f"of {overview.promise(slo, group)}{rest}")
    allowed = (1 - slo.objective) * group.total
    return Tile(
        "Bad events", formats.count(unkept), f"{formats.count(allowed)} of {formats.count(group.total)} allowed"
    )


def _estimated(group: SloGroup) -> list[Tile]:
    """What confidence says of predictions that have no label: apart, since it is no measurement."""
    found = group.detail.get("estimate")
    if not isinstance(found, Mapping):
        return []
    about = f"{formats.count(found.get('predictions'))} predictions of the last {formats.seconds(found.get('over_s'))}"
    if "unknown" in found:
        return [Tile("Estimated accuracy", formats.ABSENT, str(found["unknown"]))]
    within = f"{formats.percent(found.get('low'))} to {formats.percent(found.get('high'))}"
    return [Tile("Estimated accuracy", formats.percent(found.get("accuracy")), f"{within}, {about}, not counted")]


def span(slo: Slo) -> str:
    """The time that the budget is for: `30 d`, `1 Oct to 31 Oct 2026`."""
    period = slo.period
    return formats.window(slo.window_s) if period is None else formats.days(period.start, period.end, period.timezone)


def recent_burn(group: SloGroup) -> tuple[float, float | None]:
    """Length in seconds and burn of the last hour, or of the alerts' longest window below that."""
    windows = {seconds_of(name): rate for name, rate in group.burn.items()}
    length = max((length for length in windows if length <= _HOUR_S), default=_HOUR_S)
    return length, windows.get(length)


def seconds_of(window: str) -> float:
    """The length of a window such as `1h30m`; unending where it is none, such as `month`."""
    parts = re.findall(r"(\d+)([a-z]+)", window)
    return sum(int(amount) * _UNITS_S.get(unit, math.inf) for amount, unit in parts) if parts else math.inf


def _lasts(rate: float | None, recent_s: float, remaining: float | None, slo: Slo, now: float) -> str:
    if not rate or remaining is None or remaining <= 0 or slo.window_s is None:
        return "of the last hour" if recent_s == _HOUR_S else f"of the last {formats.window(recent_s)}"
    if slo.period is None:
        return f"budget lasts {formats.seconds(remaining * slo.window_s / rate)} at this rate"
    if slo.objective is None:
        left_s = remaining * (slo.period.end - slo.period.start) / rate
    else:
        # A period's budget grows with its events, so only the burn beyond 1 eats into what is left of it.
        left_s = remaining * (now - slo.period.start) / (rate - 1) if rate > 1 else float("inf")
    if now + left_s >= slo.period.end:
        return f"budget lasts the {slo.period.calendar} at this rate"
    return f"budget lasts {formats.seconds(left_s)} at this rate"


def group_grid(slo: Slo) -> Grid:
    """The SLO's budgets, worst first, each with its counts."""
    windows = _windows(slo)
    burns = (Column(f"Burn {window}", "right") for window in windows)
    columns = (Column("Group", wrap=True), *overview.STANDING_COLUMNS, *burns, Column("Bad / total", "right"))
    rows = []
    for group in states.worst_first(slo.groups):
        name = formats.labels(group.group) or "all traffic"
        bad = group.total - group.good
        counts = Cell(f"{formats.count(bad)} / {formats.count(group.total)}", sort=bad)
        cells = [Cell(name), *overview.number_cells(slo, group, windows), counts]
        tone = states.STATE_TONES[group.state] if group.state != "ok" else None
        rows.append(Row(name, cells, overview.group_place(slo, group), tone))
    return Grid(f"groups-{slo.name}", columns, rows, "No data of this SLO has arrived yet.")


def _windows(slo: Slo) -> Sequence[str]:
    """The windows whose burn is shown: those of the overview, or the alerts' own where they have none of these."""
    own = {name: seconds_of(name) for group in slo.groups for name in group.burn}
    if not own or not own.keys().isdisjoint(overview.BURN_WINDOWS):
        return overview.BURN_WINDOWS
    return sorted(own, key=own.__getitem__)[:_MOST_WINDOWS]


def definition(slo: Slo) -> list[tuple[str, str]]:
    """What the SLO demands, as (name, value)."""
    facts = [
        _demand(slo),
        ("Period", span(slo) if slo.period else ""),
        ("Budgeting", formats.words(slo.budgeting)),
        ("Kind", formats.words(slo.kind)),
        ("Service", slo.service),
        ("Owner", slo.owner or ""),
        ("Where", " and ".join(slo.where) or _EVERYWHERE.get(slo.kind, "all of the service's traffic")),
        ("Per", ", ".join(slo.per) or "one budget for all"),
        ("Runbook", slo.runbook or "chosen by the diagnosed cause"),
        ("Revision", "" if slo.revision is None else str(slo.revision)),
    ]
    return [(name, value) for name, value in facts if value]


def _demand(slo: Slo) -> tuple[str, str]:
    if slo.objective is not None:
        return "Objective", f"{formats.ratio(slo.objective)} over {overview.window(slo)}"
    money = overview.promise(slo, slo.groups[0] if slo.groups else None)
    return "Budget", f"{money} over {overview.window(slo)}"


def related(slo: Slo, incidents: Sequence[IncidentSummary]) -> list[IncidentSummary]:
    """The incidents of this SLO, urgent ones first."""
    return states.incidents_urgent_first(one for one in incidents if one.slo == slo.name)


def overflow_sentence(overflow: Overflow) -> str:
    """Which events of the window have no group of their own, and what to do."""
    return (
        f"{overflow.events:,} events of the window are in the group __overflow__, beyond the limit of"
        f" {overflow.limit:,} groups: their groups have no budget of their own. Name labels with fewer values under"
        " per, have senders stop putting ids into them, or raise max_groups."
    )
