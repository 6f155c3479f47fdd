"""Calendar windows: real days, weeks, months, quarters and years of a time zone; they count and judge nothing.

A period begins with the first moment of its first day on the zone's clocks, by the IANA time zone database. So days
have 23, 24 or 25 hours, February has 28 or 29 days, and the periods of a zone follow each other without gap or overlap.
A midnight that the clocks skip is the moment of the change, one that they show twice is the first of the two. Weeks
begin on Monday (ISO 8601).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from telemetry.windows import NANOS

CalendarUnit = Literal["day", "week", "month", "quarter", "year"]

UNITS: Final[tuple[CalendarUnit, ...]] = ("day", "week", "month", "quarter", "year")
DEFAULT_ZONE: Final = "UTC"
_HOUR_NS: Final = 3600 * NANOS
_DAY_NS: Final = 24 * _HOUR_NS
_NOMINAL_DAYS: Final = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}
_LONGEST_DAYS: Final = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Period:
    """One period: from ``start_ns`` to before ``end_ns``."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """The periods of one length in one zone.

    Attributes:
        unit: what a period is.
        timezone: IANA name of the zone, one for which :func:`is_zone` holds.
    """

    unit: CalendarUnit
    timezone: str = DEFAULT_ZONE

    @property
    def nominal_ns(self) -> int:
        """The length by which alert policies scale: 1, 7, 30, 90 or 365 days."""
        return _NOMINAL_DAYS[self.unit] * _DAY_NS

    @property
    def longest_ns(self) -> int:
        """A length that no period exceeds: its days, and one more for clocks that are set back within it."""
        return (_LONGEST_DAYS[self.unit] + 1) * _DAY_NS

    def period(self, time_ns: int) -> Period:
        """The period that holds ``time_ns``."""
        seconds = time_ns // NANOS
        index = _index(self.unit, datetime.fromtimestamp(seconds, UTC).astimezone(_zone(self.timezone)).date())
        # Clocks that are set back over midnight show a day again after the next one has begun.
        while time_ns < _start_ns(self, index):
            index -= 1
        while time_ns >= _start_ns(self, index + 1):
            index += 1
        return Period(_start_ns(self, index), _start_ns(self, index + 1))

    def periods(self, start_ns: int, end_ns: int) -> Iterator[Period]:
        """Every period that has a part of [start, end), oldest first."""
        at_ns = start_ns
        while at_ns < end_ns:
            period = self.period(at_ns)
            yield period
            at_ns = period.end_ns

    def splits(self, start_ns: int, end_ns: int) -> list[int]:
        """Starts of periods within [start, end) that are no whole hour of UTC, oldest first."""
        starts = (period.start_ns for period in self.periods(start_ns, end_ns))
        return [start for start in starts if start >= start_ns and start % _HOUR_NS]


def is_zone(name: str) -> bool:
    """Whether ``name`` is a zone of the IANA database; the machine's own ``localtime`` is none."""
    if name in ("localtime", "posixrules") or name.startswith(("posix/", "right/")):
        return False
    try:
        _zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """The names of all zones."""
    return tuple(sorted(available_timezones()))


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _index(unit: CalendarUnit, day: date) -> int:
    """Number of the period that ``day`` is in; consecutive periods have consecutive numbers."""
    if unit == "day":
        return day.toordinal()
    if unit == "week":
        return (day.toordinal() - 1) // 7  # 1 January of year 1 was a Monday.
    return (12 * day.year + day.month - 1) // _MONTHS[unit]


def _first_day(unit: CalendarUnit, index: int) -> date:
    if unit == "day":
        return date.fromordinal(index)
    if unit == "week":
        return date.fromordinal(7 * index + 1)
    year, month = divmod(index * _MONTHS[unit], 12)
    return date(year, month + 1, 1)


@lru_cache(maxsize=4096)
def _start_ns(calendar: Calendar, index: int) -> int:
    day = _first_day(calendar.unit, index)
    # fold=0 of a time that does not exist is the old offset carried on: midnight is then the moment of the change.
    midnight = datetime(day.year, day.month, day.day, tzinfo=_zone(calendar.timezone), fold=0)
    return (midnight - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * NANOS
