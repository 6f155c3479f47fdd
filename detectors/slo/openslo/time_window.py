"""The ``timeWindow`` of an OpenSLO SLO: rolling, or aligned to a calendar; it says nothing about budgets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import yaml

from detectors.slo.calendar import is_zone
from detectors.slo.nodes import kind_of
from detectors.slo.openslo.durations import Shorthand
from detectors.slo.openslo.keys import CALENDAR, TIME_WINDOW
from detectors.slo.openslo.reader import DocumentReader, Values

_START: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The start of the first period, ``YYYY-MM-DD hh:mm:ss`` (its ``node``), in an IANA time zone."""

    node: yaml.Node
    start: str
    zone: str


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """``duration`` as a rolling window, or as the length of the periods of ``calendar``."""

    node: yaml.Node
    field: str
    duration: Shorthand
    calendar: Calendar | None


def read_time_window(reader: DocumentReader, node: yaml.Node, field: str) -> TimeWindow | None:
    """The one entry of ``timeWindow``."""
    entries = reader.items(node, field)
    if entries is None:
        return None
    if len(entries) != 1:
        reader.note(node, field, f"has {len(entries)} entries", "list exactly one window")
        return None
    place, entry = entries[0]
    values = reader.entries(entry, place, TIME_WINDOW)
    if values is None:
        return None
    duration = None
    if "duration" in values:
        duration = reader.shorthand(values["duration"], f"{place}.duration")
    if duration is not None and duration.unit == "m":
        message = f"{duration} is {duration.count} minute{'s' if duration.count > 1 else ''}, not months"
        reader.warn(values["duration"], f"{place}.duration", message, f"a month is {duration.count}M")
    calendar = _calendar(reader, values, place) if "calendar" in values else None
    if not _agrees(reader, values, entry, place) or duration is None or ("calendar" in values and calendar is None):
        return None
    return TimeWindow(values["duration"], f"{place}.duration", duration, calendar)


def _agrees(reader: DocumentReader, values: Values, entry: yaml.Node, field: str) -> bool:
    """Whether ``isRolling`` and ``calendar`` say the same."""
    rolling = reader.boolean(values, field, "isRolling")
    if rolling is True and "calendar" in values:
        reader.note(values["calendar"], f"{field}.calendar", "a rolling window has no calendar", "keep one of them")
        return False
    if "calendar" in values:
        return True
    if rolling is False:
        remedy = "add calendar: with startTime and timeZone, or write isRolling: true"
        reader.note(entry, f"{field}.calendar", "is missing: the window does not roll", remedy)
        return False
    if rolling is None and reader.strict and "isRolling" not in values:
        reader.note(entry, f"{field}.isRolling", "is missing", "write isRolling: true, or add calendar:")
        return False
    return True


def _calendar(reader: DocumentReader, values: Values, field: str) -> Calendar | None:
    node = values["calendar"]
    inner = reader.entries(node, f"{field}.calendar", CALENDAR)
    if inner is None or "startTime" not in inner or "timeZone" not in inner:
        return None
    start = inner["startTime"]
    # Unquoted, such a time is a YAML timestamp; its text is what counts.
    if kind_of(start) not in ("str", "timestamp") or not _is_moment(str(start.value)):
        remedy = "write YYYY-MM-DD hh:mm:ss, without a zone"
        reader.note(start, f"{field}.calendar.startTime", f"{start.value!r} is not a date with a time", remedy)
        return None
    zone = reader.text(inner["timeZone"], f"{field}.calendar.timeZone")
    if zone is None:
        return None
    if not is_zone(zone):
        remedy = "write a name of the IANA Time Zone Database, such as Europe/Berlin"
        reader.note(inner["timeZone"], f"{field}.calendar.timeZone", f"{zone!r} is not a time zone", remedy)
        return None
    return Calendar(start, str(start.value), zone)


def _is_moment(text: str) -> bool:
    if not _START.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
