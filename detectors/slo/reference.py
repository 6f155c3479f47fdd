"""What a slice of time is compared with by kinds that compare; it holds no data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecentReference:
    """What came within ``window_ns`` before the slice, without the slices that drifted."""

    window_ns: int


@dataclass(frozen=True, slots=True)
class FirstReference:
    """The first slices of a group, until they hold ``events`` events; fixed from then on."""

    events: int


Reference = RecentReference | FirstReference
