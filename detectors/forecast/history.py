"""What a forecast rests on: whole hours of exposure and consumption up to now. It forecasts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry.windows import NANOS

HOUR_NS: Final = 3600 * NANOS
DAY_HOURS: Final = 24
MOST_DAYS: Final = 56
"""Eight weeks: what is older says little about the next month, and its weight would be below a sixteenth."""

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Hourly:
    """Hours that are over, in whole days back from ``end_ns``.

    Attributes:
        end_ns: start of the hour that is running.
        exposure: (days, 24) what a budget grows with: events; or what a usual hour consumes.
        consumed: (days, 24) what is spent: bad events, dollars.

    The newest day stands first, its hours oldest first.
    """

    end_ns: int
    exposure: Floats
    consumed: Floats

    @property
    def days(self) -> int:
        """How many days there are."""
        return len(self.exposure)

    @property
    def hours(self) -> tuple[Floats, Floats]:
        """(24 x days,) exposure and consumption, oldest hour first."""
        return self.exposure[::-1].ravel(), self.consumed[::-1].ravel()


def hourly(starts_ns: Times, exposure: Floats, consumed: Floats, now_ns: int) -> Hourly:
    """Sums by hour of buckets at most an hour wide; hours before the first bucket are not made up.

    ``starts_ns``, ``exposure`` and ``consumed`` are (k,): the buckets' starts, ascending, and what lies in them. Those
    of the hour that is running at ``now_ns`` are left out.
    """
    end = now_ns // HOUR_NS
    days = min(_whole_hours(starts_ns, now_ns) // DAY_HOURS, MOST_DAYS)
    begin = end - days * DAY_HOURS
    index = starts_ns // HOUR_NS - begin
    inside = (index >= 0) & (index < days * DAY_HOURS)

    def sums(values: Floats) -> Floats:
        hours = np.bincount(index[inside], weights=values[inside], minlength=days * DAY_HOURS).astype(np.float64)
        return hours.reshape(days, DAY_HOURS)[::-1]

    return Hourly(end * HOUR_NS, sums(exposure), sums(consumed))


def too_short(least_days: int, what: str, starts_ns: Times, now_ns: int) -> str:
    """Why buckets of ``what``, as :func:`hourly` takes them, are no history of ``least_days`` days, in words."""
    days, hours = divmod(_whole_hours(starts_ns, now_ns), DAY_HOURS)
    parts = [f"{count} {unit}{'s' * (count > 1)}" for count, unit in ((days, "day"), (hours, "hour")) if count]
    there = " and ".join(parts) or ("less than an hour" if len(starts_ns) else "none")
    return f"a forecast needs {least_days} days of {what}, and has {there} so far"


def _whole_hours(starts_ns: Times, now_ns: int) -> int:
    """How many hours are over that were seen whole: the first one was seen only in part."""
    return max(now_ns // HOUR_NS - int(starts_ns[0]) // HOUR_NS - 1, 0) if len(starts_ns) else 0
