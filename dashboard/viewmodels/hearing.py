"""Who hears of an incident, and why somebody does not, as a table; the service has judged, this lays it out."""

from __future__ import annotations

from datetime import tzinfo

from dashboard import formats
from dashboard.components.grid import Cell, Column, Grid, Row, Tone
from dashboard.documents.incidents import Hearing, Incident

_WORDS = {
    "told": "Told", "over": "Told", "due": "About to be told", "waiting": "Not reached yet", "failed": "Given up",
    "muted": "Muted", "suppressed": "Suppressed", "damped": "Damped", "grouped": "Waits",
    "acknowledged": "Acknowledged", "snoozed": "Snoozed", "escalates": "If nobody acts", "ended": "Ended",
    "unrouted": "No route",
}  # fmt: skip
_TONES: dict[str, Tone] = {
    "told": "ok", "over": "ok", "due": "ok", "waiting": "burning", "failed": "exhausted", "muted": "burning",
    "suppressed": "burning", "damped": "burning",
}  # fmt: skip


def grid(incident: Incident, now: float, tz: tzinfo) -> Grid:
    """Whoever hears something first, then in one line the receivers that no route leads to."""
    heard = [one for one in incident.hearing if one.state != "unrouted"]
    rest = [one.receiver for one in incident.hearing if one.state == "unrouted"]
    rows = [_row(str(index), one, now, tz) for index, one in enumerate(heard)]
    if rest:
        nobody, never = Cell(_WORDS["unrouted"], tone="silent", kind="pill"), Cell(formats.ABSENT, sort=None)
        why = Cell("no route of its alerts leads there")
        rows.append(Row("unrouted", [Cell(", ".join(rest)), nobody, why, never, never]))
    columns = (
        Column("Receiver", wrap=True), Column("Now"), Column("Why", wrap=True), Column("Last told", "right"),
        Column("Next", "right"),
    )  # fmt: skip
    empty = f"Told as {incident.merged_into}." if incident.merged_into else "No receiver is configured."
    return Grid(f"hearing-{incident.id}", columns, rows, empty)


def _row(row_id: str, one: Hearing, now: float, tz: tzinfo) -> Row:
    who = Cell(one.receiver, sub="escalation" if one.escalates else "")
    tone, word = _TONES.get(one.state, "silent"), _WORDS.get(one.state, formats.words(one.state))
    state = Cell(word, tone=tone, kind="pill")
    return Row(row_id, [who, state, Cell(one.text), _time(one.told_at, now, tz), _time(one.next_at, now, tz)])


def _time(at: float | None, now: float, tz: tzinfo) -> Cell:
    return Cell(formats.ABSENT, sort=None) if at is None else Cell(formats.clock(at, tz, now), sort=at)
