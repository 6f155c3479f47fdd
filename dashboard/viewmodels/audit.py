"""The audit log as a table: who changed what, when and from where; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from dashboard import formats
from dashboard.components.grid import Cell, Column, Grid, Row
from dashboard.components.place import Place
from dashboard.documents.audit import AuditEntry

_LONGEST = 300
_PERSON = "author"
"""Of a detail: who acted through the token, such as the reader of this dashboard."""


def kinds(entries: Sequence[AuditEntry]) -> list[str]:
    """What was changed, in words before the dot of the actions."""
    return sorted({entry.action.partition(".")[0] for entry in entries})


def filtered(entries: Sequence[AuditEntry], *, kind: str | None, wanted: str) -> list[AuditEntry]:
    """The entries that the filters leave."""
    words = wanted.casefold().split()
    return [
        entry
        for entry in entries
        if (kind is None or entry.action.partition(".")[0] == kind) and all(word in _text(entry) for word in words)
    ]


def grid(entries: Sequence[AuditEntry], now: float, zone: tzinfo) -> Grid:
    """The entries in the order given."""
    columns = [Column("When"), Column("Who"), Column("What"), Column("Of"), Column("Detail", wrap=True)]
    rows = [
        Row(
            str(entry.id),
            [
                Cell(formats.clock(entry.at, zone, now), sort=entry.at),
                Cell(_who(entry), sub=_by(entry)),
                Cell(entry.action, kind="mono"),
                Cell(entry.subject),
                Cell(_detail(_with_clock(entry.detail, zone, now))),
            ],
            _place(entry),
        )
        for entry in entries
    ]
    return Grid("audit", columns, rows, "Nothing has been changed.")


def _place(entry: AuditEntry) -> Place | None:
    """The incident that it is about, or for which a response hook ran."""
    about = next((str(one) for one in (entry.subject, entry.detail.get("incident")) if str(one).startswith("INC-")), "")
    return Place("incidents", {"incident": about}) if about else None


def _text(entry: AuditEntry) -> str:
    parts = (entry.actor, _who(entry), entry.address, entry.subject, entry.action, _detail(entry.detail))
    return " ".join(parts).casefold()


def _who(entry: AuditEntry) -> str:
    person = entry.detail.get(_PERSON)
    return person if isinstance(person, str) and person else entry.actor


def _by(entry: AuditEntry) -> str:
    """The token, where the person is named first, and the address."""
    token = f"by {entry.actor}" if _who(entry) != entry.actor else ""
    return " ".join(filter(None, (token, f"from {entry.address}" if entry.address else "")))


def _detail(detail: dict[str, Any]) -> str:
    parts = [f"{formats.words(name)}: {_value(value)}" for name, value in detail.items() if _told(name, value)]
    text = ", ".join(parts)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _with_clock(detail: dict[str, Any], zone: tzinfo, now: float) -> dict[str, Any]:
    until = detail.get("until")
    return {**detail, "until": formats.clock(until, zone, now)} if isinstance(until, float) else detail


def _told(name: str, value: object) -> bool:
    return name != _PERSON and value not in ("", None, [], {})


def _value(value: object) -> str:
    return ", ".join(map(_value, value)) if isinstance(value, list) else str(value)
