"""The spans of a trace laid out on a common axis; offsets come finished, and it computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.components.grid import Tone


@dataclass(frozen=True)
class Bar:
    """One span: where its bar begins and how wide it is, as fractions of the trace."""

    id: str
    name: str
    service: str
    depth: int
    offset: float
    width: float
    label: str
    tone: Tone
    facts: Sequence[tuple[str, str]]

    def to_json(self) -> dict[str, Any]:
        """The bar as the browser draws it."""
        return {
            "id": self.id,
            "name": self.name,
            "service": self.service,
            "depth": self.depth,
            "offset": self.offset,
            "width": self.width,
            "label": self.label,
            "tone": self.tone,
            "facts": [list(fact) for fact in self.facts],
        }


@dataclass(frozen=True)
class Waterfall:
    """A trace: bars from parent to child, and ticks as (fraction of the trace, label)."""

    id: str
    bars: Sequence[Bar]
    ticks: Sequence[tuple[float, str]]

    def to_json(self) -> dict[str, Any]:
        """The trace as the browser draws it."""
        return {
            "id": self.id,
            "spans": [bar.to_json() for bar in self.bars],
            "ticks": [{"at": at, "label": label} for at, label in self.ticks],
        }
