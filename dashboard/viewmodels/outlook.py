"""What may become of a budget, and which times were taken out of it, as tables and words; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from dashboard import formats
from dashboard.components.grid import Cell, Column, Grid, Row, Tone
from dashboard.documents.budgets import Correction, Forecast


def basis(forecast: Forecast, zone: tzinfo) -> str:
    """What a forecast rests on, and how far it reaches."""
    if not forecast.enough_data or forecast.history_s is None:
        return ""
    parts = [f"from {formats.seconds(forecast.history_s)} of history by {forecast.seasonality}"]
    if forecast.horizon is not None and forecast.window_end is not None and forecast.horizon < forecast.window_end:
        parts.append("too little to reach the end of the window")
    if forecast.change is not None:
        since = formats.clock(forecast.change.since, zone)
        parts.append(f"bad events at {forecast.change.times:.2g} times their level since {since}")
    return "; ".join(parts)


def corrections_grid(corrections: Sequence[Correction], now: float, zone: tzinfo, key: str) -> Grid:
    """The corrections of an SLO, the newest first, each with who made it, why, and whether it holds."""
    columns = (
        Column("No.", "right"), Column("State"), Column("From"), Column("To"), Column("For", wrap=True), Column("By"),
        Column("Reason", wrap=True),
    )  # fmt: skip
    rows = []
    for one in corrections:
        word, tone = _state(one, now)
        reason = one.reason
        if one.cancelled is not None:
            reason = f"{reason} (cancelled by {one.cancelled.author}: {one.cancelled.reason})"
        cells = [
            Cell(str(one.id), sort=one.id), Cell(word, tone=tone, kind="pill"),
            Cell(formats.clock(one.start, zone, now), sort=one.start),
            Cell(formats.clock(one.end, zone, now), sort=one.end),
            Cell(", ".join([*one.slos, *one.matchers])), Cell(one.author), Cell(reason),
        ]  # fmt: skip
        rows.append(Row(str(one.id), cells, None, None))
    return Grid(key, columns, rows, "None so far.")


def _state(one: Correction, now: float) -> tuple[str, Tone]:
    if one.cancelled is not None:
        return "Cancelled", "silent"
    if now < one.start:
        return "Planned", "silent"
    return ("In force", "burning") if now < one.end else ("Past", "ok")
