"""A dense table with pills, bars, groups and links; rows come finished and in order, and it computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dashboard.components.place import Place

Tone = Literal["ok", "burning", "exhausted", "silent", "accent"]


@dataclass(frozen=True)
class Column:
    """A heading; numbers are aligned right, long text may wrap."""

    label: str
    align: Literal["left", "right"] = "left"
    wrap: bool = False


@dataclass(frozen=True)
class Cell:
    """A finished value.

    Attributes:
        text: what is shown.
        sort: what the column is sorted by; None sorts last in both directions, "" means the text.
        sub: a quiet second line.
        tone: colour by meaning.
        kind: plain text, a pill, a bar (with `fill`, a fraction of one) or an identifier.
        strong: whether a bar's number takes the tone, too.
    """

    text: str
    sort: float | str | None = ""
    sub: str = ""
    tone: Tone | None = None
    kind: Literal["text", "pill", "bar", "mono"] = "text"
    fill: float | None = None
    strong: bool = False

    def to_json(self) -> dict[str, Any]:
        """The cell as the browser draws it."""
        sort = self.text.casefold() if self.sort == "" else self.sort
        return {
            "text": self.text,
            "sort": sort,
            "sub": self.sub,
            "tone": self.tone,
            "kind": self.kind,
            "fill": self.fill,
            "strong": self.strong,
        }


@dataclass(frozen=True)
class Row:
    """A line of the table; `children` are shown when it is expanded, `place` opens on a click."""

    id: str
    cells: Sequence[Cell]
    place: Place | None = None
    tone: Tone | None = None
    children: Sequence[Row] = ()

    def to_json(self) -> dict[str, Any]:
        """The row as the browser draws it."""
        return {
            "id": self.id,
            "cells": [cell.to_json() for cell in self.cells],
            "href": self.place.href if self.place else None,
            "open": self.place.to_json() if self.place else None,
            "tone": self.tone,
            "children": [child.to_json() for child in self.children],
        }


@dataclass(frozen=True)
class Grid:
    """A table. `id` names it across refreshes; `empty` is the sentence shown when there is no row."""

    id: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str

    def to_json(self) -> dict[str, Any]:
        """The table as the browser draws it."""
        return {
            "id": self.id,
            "columns": [{"label": c.label, "align": c.align, "wrap": c.wrap} for c in self.columns],
            "rows": [row.to_json() for row in self.rows],
            "expandable": any(row.children for row in self.rows),
            "empty": self.empty,
        }
