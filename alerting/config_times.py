"""The shape of ``time_intervals:``, for pydantic to check; only ``alerting.config`` and its models use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from alerting.config_strict import Name, Strict
from alerting.time_intervals import (
    Range,
    TimeInterval,
    parse_clock_range,
    parse_days_of_month,
    parse_months,
    parse_weekdays,
    parse_years,
    parse_zone,
)


def _clock_text(value: Any) -> str:
    """A time of day as text; YAML reads an unquoted 17:00 as the number 1020, which is its minutes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value // 60:02}:{value % 60:02}"
    if not isinstance(value, str):
        raise ValueError("this is not a time of day; write '09:00'")  # noqa: TRY004  (pydantic reports ValueError only)
    return value


def _ranges(read: Callable[[str], Range]) -> BeforeValidator:
    def check(value: Any) -> tuple[Range, ...]:
        entries = value if isinstance(value, list) else [value]
        if not all(isinstance(entry, str | int) and not isinstance(entry, bool) for entry in entries):
            raise ValueError("this is not a list of texts; write ['FIRST:LAST']")
        return tuple(read(str(entry)) for entry in entries)

    return BeforeValidator(check)


class TimeRangeModel(Strict):
    """From one time of day until before another."""

    start_time: Annotated[str, BeforeValidator(_clock_text)]
    end_time: Annotated[str, BeforeValidator(_clock_text)]

    @model_validator(mode="after")
    def _in_order(self) -> TimeRangeModel:
        parse_clock_range(self.start_time, self.end_time)
        return self


class IntervalModel(Strict):
    """Conditions on a time."""

    times: tuple[TimeRangeModel, ...] = ()
    weekdays: Annotated[tuple[Range, ...], _ranges(parse_weekdays)] = ()
    days_of_month: Annotated[tuple[Range, ...], _ranges(parse_days_of_month)] = ()
    months: Annotated[tuple[Range, ...], _ranges(parse_months)] = ()
    years: Annotated[tuple[Range, ...], _ranges(parse_years)] = ()
    location: Annotated[str, BeforeValidator(lambda value: parse_zone(str(value)))] = "UTC"

    def interval(self) -> TimeInterval:
        """The value that it describes."""
        times = tuple(parse_clock_range(entry.start_time, entry.end_time) for entry in self.times)
        return TimeInterval(times, self.weekdays, self.days_of_month, self.months, self.years, self.location)


class TimeIntervalsModel(Strict):
    """Intervals under a name, by which routes know them."""

    name: Name
    time_intervals: tuple[IntervalModel, ...]
