"""When a time interval holds next: its recurring times as windows; it reads no configuration and decides nothing.

Windows are found day by day in each interval's own zone, as far ahead as a year; those that touch are one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from alerting.time_intervals import NamedIntervals, TimeInterval
from telemetry.windows import NANOS

DAYS_AHEAD: Final = 370
"""How far ahead is looked; who mutes a day of 2030 sees nothing until then."""
_WHOLE_DAY: Final = ((0, 24 * 60),)


@dataclass(frozen=True, slots=True)
class Window:
    """From ``start_ns`` until before ``end_ns``; None where it is not over within :data:`DAYS_AHEAD` days."""

    start_ns: int
    end_ns: int | None


def next_window(named: NamedIntervals, now_ns: int) -> Window | None:
    """The window that holds now, or else the next one; None when none begins within :data:`DAYS_AHEAD` days."""
    now_s = now_ns // NANOS
    # Zones are up to 14 hours from UTC: two days ago may still go on, and of two days ahead nothing is missed.
    first = dt.datetime.fromtimestamp(now_s, tz=dt.UTC).date() - dt.timedelta(days=2)
    days = [first + dt.timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 3)]
    held: tuple[int, int] | None = None
    for start, end in sorted(part for one in named.intervals for day in days for part in _of_day(one, day)):
        if held is None or held[1] <= now_s:
            held = (start, end) if held is None or start > held[1] else (held[0], max(held[1], end))
        elif start <= held[1]:
            held = (held[0], max(held[1], end))
        else:
            break
    if held is None or held[1] <= now_s:
        return None
    return Window(held[0] * NANOS, held[1] * NANOS if held[1] < _at(days[-2], 0, "UTC") else None)


def _of_day(interval: TimeInterval, day: dt.date) -> Iterator[tuple[int, int]]:
    """The parts of a day, on the interval's clocks, that lie in it; seconds since the epoch."""
    if interval.on_day(day):
        for first, last in interval.times or _WHOLE_DAY:
            start, end = _at(day, first, interval.zone), _at(day, last, interval.zone)
            if start < end:  # an hour that the clocks leave out holds nothing
                yield start, end


def _at(day: dt.date, minute: int, zone: str) -> int:
    """Seconds since the epoch of a minute of the day; 24:00 is the midnight after it."""
    days, rest = divmod(minute, 24 * 60)
    time = dt.time(rest // 60, rest % 60)
    there = dt.datetime.combine(day + dt.timedelta(days=days), time, tzinfo=ZoneInfo(zone))
    return int(there.timestamp())
