"""Alertmanager's time intervals: recurring times of the week, month and year in a zone; pure, and tells nobody.

A time lies in an interval when it satisfies every condition that the interval has; each condition is a list of ranges,
of which one must hold. Times of day are minutes, the end excluded; days, months and years include their end. Negative
days of the month count from its end: -1 is the last.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from telemetry.windows import NANOS

Range = tuple[int, int]
"""First and last, both included; of times of day the last is excluded."""

WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS: Final = tuple(name.lower() for name in calendar.month_name[1:])
_CLOCK: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """Conditions on a time; an empty one always holds.

    Attributes:
        times: minutes since midnight.
        weekdays: 0 is Sunday.
        days_of_month: 1 to 31, or -1 to -31 from the end.
        months: 1 to 12.
        years: as they are written.
        zone: the IANA zone in which all of this is meant.
    """

    times: tuple[Range, ...] = ()
    weekdays: tuple[Range, ...] = ()
    days_of_month: tuple[Range, ...] = ()
    months: tuple[Range, ...] = ()
    years: tuple[Range, ...] = ()
    zone: str = "UTC"

    def contains(self, now_ns: int) -> bool:
        """Whether a time, nanoseconds since the epoch, lies in the interval."""
        there = dt.datetime.fromtimestamp(now_ns // NANOS, tz=ZoneInfo(self.zone))
        minute = there.hour * 60 + there.minute
        in_time = not self.times or any(first <= minute < last for first, last in self.times)
        return in_time and self.on_day(there.date())

    def on_day(self, day: dt.date) -> bool:
        """Whether some of a day, on the clocks of ``zone``, may lie in the interval."""
        return (
            _within(self.weekdays, day.isoweekday() % 7)
            and (not self.days_of_month or any(_on_day(day, days) for days in self.days_of_month))
            and _within(self.months, day.month)
            and _within(self.years, day.year)
        )


@dataclass(frozen=True, slots=True)
class NamedIntervals:
    """Intervals under one name: a time that lies in any of them lies in it."""

    name: str
    intervals: tuple[TimeInterval, ...]

    def contains(self, now_ns: int) -> bool:
        """Whether a time, nanoseconds since the epoch, lies in it."""
        return any(interval.contains(now_ns) for interval in self.intervals)


def _within(ranges: Sequence[Range], value: int) -> bool:
    return not ranges or any(first <= value <= last for first, last in ranges)


def _on_day(there: dt.date, days: Range) -> bool:
    length = calendar.monthrange(there.year, there.month)[1]
    first, last = (length + 1 + day if day < 0 else day for day in days)
    return max(first, 1) <= there.day <= min(last, length)


def parse_clock_range(start: str, end: str) -> Range:
    """``09:00`` and ``17:00`` as minutes.

    Raises:
        ValueError: what is wrong, and what to write.
    """
    first, last = _clock(start), _clock(end)
    if first >= last:
        raise ValueError(f"{start} is not before {end}; write two ranges for a night: one until 24:00, one from 00:00")
    return first, last


def parse_weekdays(text: str) -> Range:
    """``monday:friday`` or ``sunday``.

    Raises:
        ValueError: what is wrong, and what to write.
    """
    return _range(text, lambda name: _named(name, WEEKDAYS, 0, "monday:friday"))


def parse_months(text: str) -> Range:
    """``january:march``, ``december`` or ``1:3``.

    Raises:
        ValueError: what is wrong, and what to write.
    """
    return _range(text, lambda name: _number(name, 1, 12) if name.isdigit() else _named(name, MONTHS, 1, "may:august"))


def parse_years(text: str) -> Range:
    """``2026:2028`` or ``2026``.

    Raises:
        ValueError: what is wrong, and what to write.
    """
    return _range(text, lambda name: _number(name, 1970, 9999))


def parse_days_of_month(text: str) -> Range:
    """``1:5``, ``-3:-1`` or ``15``.

    Raises:
        ValueError: what is wrong, and what to write.
    """
    parts = [_number(part.strip(), -31, 31) for part in text.split(":")]
    if len(parts) > 2 or 0 in parts:
        raise ValueError(f"{text!r} is no range of days; write 1:5, or -3:-1 for the last three")
    first, last = parts[0], parts[-1]
    # From day 1 to day -1 is the whole month, so only ends of one sign compare; of others the latest first day decides.
    crossed = first > last if (first < 0) == (last < 0) else first < 0
    if crossed:
        raise ValueError(f"{text!r} ends before it begins; write the earlier day first")
    return first, last


def parse_zone(text: str) -> str:
    """The name of an IANA zone.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{text!r} is not a time zone; write an IANA name, such as Europe/Berlin or UTC") from None
    return text


def _clock(text: str) -> int:
    found = _CLOCK.fullmatch(text)
    minutes = int(found[1]) * 60 + int(found[2]) if found else _DAY_MINUTES + 1
    if minutes > _DAY_MINUTES:
        raise ValueError(f"{text!r} is not a time of day; write it as 09:00, up to 24:00")
    return minutes


def _range(text: str, read: Callable[[str], int]) -> Range:
    parts = [read(part.strip().lower()) for part in text.split(":")]
    if len(parts) > 2:
        raise ValueError(f"{text!r} is no range; write FIRST:LAST or one value")
    if parts[0] > parts[-1]:
        raise ValueError(f"{text!r} ends before it begins; write two ranges")
    return parts[0], parts[-1]


def _number(text: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number; write one from {least} to {most}") from None
    if not least <= value <= most:
        raise ValueError(f"{value} is out of range; write a number from {least} to {most}")
    return value


def _named(name: str, names: Sequence[str], first: int, example: str) -> int:
    if name not in names:
        raise ValueError(f"{name!r} is not one of {', '.join(names)}; write it as {example}")
    return names.index(name) + first
