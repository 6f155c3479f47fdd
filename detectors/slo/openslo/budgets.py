"""Windows and budgeting methods of OpenSLO as those of the model, or the reason why there is none."""

from __future__ import annotations

from datetime import datetime, time
from typing import Final

from detectors.slo.calendar import Calendar, CalendarUnit
from detectors.slo.kinds.protocol import Sli
from detectors.slo.kinds.values import LONGEST_SLICE_NS
from detectors.slo.openslo.durations import Shorthand
from detectors.slo.openslo.objectives import Objective
from detectors.slo.openslo.reader import DocumentReader
from detectors.slo.openslo.slo_document import SloDocument
from detectors.slo.openslo.time_window import TimeWindow
from detectors.slo.spec import OCCURRENCES, Budgeting, RatioTimeslices, Timeslices
from detectors.slo.windows import DEFAULT_WINDOW_NS, LONGEST_WINDOW_NS, SHORTEST_WINDOW_NS

_PERIODS: Final[dict[str, CalendarUnit]] = {
    "24h": "day", "1d": "day", "7d": "week", "1w": "week", "1M": "month", "3M": "quarter", "1Q": "quarter",
    "12M": "year", "4Q": "year", "1Y": "year",
}  # fmt: skip


def window_of(slo: SloDocument) -> tuple[int, Calendar | None]:
    """Length (ns) and calendar of an SLO's window; problems go to the document's reader."""
    reader, window = slo.document.reader, slo.window
    if window is None:
        reader.warn(slo.document.spec, "spec.timeWindow", "is missing: 30 rolling days are assumed", "add timeWindow:")
        return DEFAULT_WINDOW_NS, None
    if window.calendar is not None:
        return _calendar(reader, window)
    length_ns = window.duration.length_ns
    if not SHORTEST_WINDOW_NS <= length_ns <= LONGEST_WINDOW_NS:
        reader.note(window.node, window.field, f"{window.duration} is not executed here", "write at most 366d")
        return DEFAULT_WINDOW_NS, None
    if window.duration.is_calendar:
        days = length_ns // Shorthand(1, "d").length_ns
        reader.warn(window.node, window.field, f"a rolling {window.duration} is {days} days here", f"write {days}d")
    return length_ns, None


def _calendar(reader: DocumentReader, window: TimeWindow) -> tuple[int, Calendar | None]:
    stated = window.calendar
    unit = _PERIODS.get(str(window.duration))
    if unit is None or stated is None:
        remedy = f"write one of {' | '.join(_PERIODS)}, or a rolling window"
        reader.note(window.node, window.field, f"periods of {window.duration} are not executed here", remedy)
        return DEFAULT_WINDOW_NS, None
    calendar = Calendar(unit, stated.zone)
    if not _is_start(unit, stated.start):
        message = f"is not the first moment of a {unit}: periods begin with the calendar's {unit}s here"
        field = window.field.removesuffix("duration") + "calendar.startTime"
        reader.warn(stated.node, field, message, "weeks begin on Monday, days at 00:00:00")
    return calendar.nominal_ns, calendar


def _is_start(unit: CalendarUnit, start: str) -> bool:
    moment = datetime.fromisoformat(start)
    if moment.time() != time():
        return False
    match unit:
        case "day":
            return True
        case "week":
            return moment.isoweekday() == 1
        case "month":
            return moment.day == 1
        case "quarter":
            return moment.day == 1 and moment.month in (1, 4, 7, 10)
        case _:
            return (moment.month, moment.day) == (1, 1)


def budgeting_of(slo: SloDocument, objective: Objective, sli: Sli) -> Budgeting | None:
    """What an objective's budget is for; None where the method and the SLI do not go together."""
    reader = slo.document.reader
    slice_ns = objective.slice_window.length_ns if objective.slice_window else 0
    if sli.slice_ns is not None:
        return _of_slices(slo, objective, sli, slice_ns)
    if slo.method == "Occurrences":
        return OCCURRENCES
    if slice_ns > LONGEST_SLICE_NS:
        message = f"slices of {objective.slice_window} are not executed here"
        reader.note(objective.node, f"{objective.field}.timeSliceWindow", message, "write at most 1h")
        return None
    if slo.method == "RatioTimeslices":
        return RatioTimeslices(slice_ns)
    return Timeslices(slice_ns, objective.slice_target or 1.0)


def _of_slices(slo: SloDocument, objective: Objective, sli: Sli, slice_ns: int) -> Budgeting | None:
    """An SLI that judges slices of time itself needs no method; one that contradicts it is an error."""
    reader = slo.document.reader
    if slo.method == "RatioTimeslices":
        message = f"a slice of a {sli.kind} SLI is good or bad and has no ratio"
        reader.note(slo.method_node, "spec.budgetingMethod", message, "write Timeslices")
        return None
    if slo.method == "Timeslices" and slice_ns != sli.slice_ns:
        message = f"{objective.slice_window} is not the slice of the {sli.kind} SLI"
        reader.note(objective.node, f"{objective.field}.timeSliceWindow", message, f"write sli.{sli.kind}.slice alike")
        return None
    if slo.method == "Timeslices":
        message = f"is not executed: the {sli.kind} SLI says itself which slice is good"
        reader.warn(objective.node, f"{objective.field}.timeSliceTarget", message, "leave it as it is")
    return OCCURRENCES
