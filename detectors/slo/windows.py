"""The ``window`` and ``budgeting`` of an SLO file read into the model. They judge no sense (that is lint)."""

from __future__ import annotations

from typing import Final

import yaml

from detectors.slo.calendar import DEFAULT_ZONE, UNITS, Calendar, is_zone, zone_names
from detectors.slo.keys import (
    BUDGETING_KEYS,
    BUDGETING_WORDS,
    CALENDAR_KEYS,
    RATIO_TIMESLICES_KEYS,
    TIMESLICES_KEYS,
)
from detectors.slo.kinds.protocol import Sli
from detectors.slo.kinds.spend import Spend
from detectors.slo.kinds.values import DEFAULT_SLICE_NS, Values
from detectors.slo.nodes import Reader, kind_of, nearest
from detectors.slo.spec import OCCURRENCES, Budgeting, RatioTimeslices, Timeslices
from telemetry.windows import BUCKET_NS, NANOS, format_duration, parse_duration

DEFAULT_WINDOW_NS: Final = parse_duration("30d")
SHORTEST_WINDOW_NS: Final = 60 * NANOS
LONGEST_WINDOW_NS: Final = parse_duration("366d")


def read_window(reader: Reader, node: yaml.Node, field: str) -> tuple[int, Calendar | None]:
    """Length of the window (ns, of a calendar window the nominal one) and its calendar, if any.

    Problems go to ``reader``, and the default takes the place of what has one.
    """
    if isinstance(node, yaml.MappingNode):
        calendar = _calendar(reader, node, field)
        return (DEFAULT_WINDOW_NS, None) if calendar is None else (calendar.nominal_ns, calendar)
    window_ns = reader.duration(node, field)
    if window_ns is None:
        return DEFAULT_WINDOW_NS, None
    if not SHORTEST_WINDOW_NS <= window_ns <= LONGEST_WINDOW_NS or window_ns % BUCKET_NS:
        reader.note(
            node, field, f"{format_duration(window_ns)} is not a length that a window can have",
            "write a multiple of 10s between 1m and 366d",
        )  # fmt: skip
        return DEFAULT_WINDOW_NS, None
    return window_ns, None


def read_budgeting(reader: Reader, node: yaml.Node, field: str, sli: Sli | None) -> Budgeting:
    """What the budget is for; problems go to ``reader``, and occurrences take the place of what has one."""
    budgeting = _budgeting(reader, node, field) or OCCURRENCES
    if sli is not None and sli.slice_ns is not None and budgeting != OCCURRENCES:
        message = f"a budget of a {sli.kind} SLO is for slices of time already"
        reader.note(node, field, message, f"leave it out, and set sli.{sli.kind}.slice")
    if isinstance(sli, Spend):
        reader.note(node, field, "has no meaning for spend: the budget is an amount of money", "leave it out")
    return budgeting


def _calendar(reader: Reader, node: yaml.MappingNode, field: str) -> Calendar | None:
    values = reader.mapping(node, field, CALENDAR_KEYS)
    if values is None or "calendar" not in values:
        return None
    unit = reader.choice(values["calendar"], f"{field}.calendar", UNITS)
    zone: str | None = DEFAULT_ZONE
    if "timezone" in values:
        zone = reader.text(values["timezone"], f"{field}.timezone")
        if zone is not None and not is_zone(zone):
            found = nearest(zone, zone_names())
            remedy = f"did you mean {found}?" if found else "write an IANA name, such as Europe/Berlin or UTC"
            reader.note(values["timezone"], f"{field}.timezone", f"{zone!r} is not a time zone", remedy)
            return None
    return None if unit is None or zone is None else Calendar(unit, zone)


def _budgeting(reader: Reader, node: yaml.Node, field: str) -> Budgeting | None:
    if not isinstance(node, yaml.MappingNode):
        if kind_of(node) == "str" and node.value == Timeslices.method:
            reader.note(node, field, "says not when a slice is good", "write timeslices: {slice: 1m, target: 99%}")
            return None
        word = reader.choice(node, field, BUDGETING_WORDS)
        return RatioTimeslices(DEFAULT_SLICE_NS) if word == RatioTimeslices.method else OCCURRENCES
    methods = reader.mapping(node, field, BUDGETING_KEYS)
    if methods is None:
        return None
    if len(node.value) != 1:
        remedy = f"give exactly one of {' | '.join(key.name for key in BUDGETING_KEYS)}"
        reader.note(node, field, f"has {len(node.value)} methods", remedy)
    if Timeslices.method in methods:
        return _timeslices(reader, methods[Timeslices.method], f"{field}.{Timeslices.method}")
    if RatioTimeslices.method in methods:
        name = f"{field}.{RatioTimeslices.method}"
        values = reader.mapping(methods[RatioTimeslices.method], name, RATIO_TIMESLICES_KEYS)
        return None if values is None else RatioTimeslices(Values(reader, name, values).slice_ns())
    return None


def _timeslices(reader: Reader, node: yaml.Node, field: str) -> Timeslices | None:
    values = reader.mapping(node, field, TIMESLICES_KEYS)
    if values is None:
        return None
    slice_ns = Values(reader, field, values).slice_ns()
    target = reader.share(values["target"], f"{field}.target", "99%") if "target" in values else None
    return None if target is None else Timeslices(slice_ns, target)
