"""Notifications that were given up, as a table and as choices of what to try again; it sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from dashboard import formats
from dashboard.components.grid import Cell, Column, Grid, Row
from dashboard.components.place import Place
from dashboard.documents.oncall import Undelivered


def grid(lost: Sequence[Undelivered], now: float, tz: tzinfo) -> Grid:
    """What was given up and why, the latest first; a row opens its incident."""
    rows = [
        Row(
            str(one.id),
            [
                Cell(one.incident, sub=formats.words(one.reason)),
                Cell(one.receiver, sub=f"notification {one.id}"),
                Cell(one.error or formats.ABSENT, tone="exhausted"),
                Cell(str(one.attempts), sort=one.attempts),
                Cell(
                    formats.clock(one.given_up_at, tz, now), sort=one.given_up_at, sub=formats.ago(one.given_up_at, now)
                ),
            ],
            Place("incidents", {"incident": one.incident}),
        )
        for one in lost
    ]
    columns = (
        Column("Incident"), Column("Receiver"), Column("Why it was given up", wrap=True), Column("Attempts", "right"),
        Column("When"),
    )  # fmt: skip
    return Grid("undelivered", columns, rows, "Everything was delivered.")


def choices(lost: Sequence[Undelivered]) -> list[str]:
    """What can be tried again, each with its number first."""
    return [f"{one.id}: {one.incident} to {one.receiver} ({one.reason})" for one in lost]


def number(choice: str) -> int | None:
    """Which of them was chosen, also where it has just left the list; None where none was."""
    return int(choice.partition(":")[0]) if choice else None
