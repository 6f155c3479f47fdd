"""A row of figures for the top of a page; values come finished, and it computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.components.grid import Tone
from dashboard.components.place import Place


@dataclass(frozen=True)
class Tile:
    """One figure with its name, a note below and perhaps a sparkline of its past."""

    label: str
    value: str
    note: str = ""
    tone: Tone | None = None
    spark: Sequence[float] = ()
    place: Place | None = None

    def to_json(self) -> dict[str, Any]:
        """The tile as the browser draws it."""
        return {
            "label": self.label,
            "value": self.value,
            "note": self.note,
            "tone": self.tone,
            "spark": list(self.spark),
            "open": self.place.to_json() if self.place else None,
        }
