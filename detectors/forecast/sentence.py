"""A forecast as a sentence for people, in their time zone; it computes nothing."""

from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

from detectors.forecast.budget import BudgetForecast, TooLittle
from detectors.forecast.interval import COVERAGE, TAIL
from detectors.forecast.spend import SpendForecast
from telemetry.windows import NANOS


def budget_sentence(forecast: BudgetForecast | TooLittle, zone: str) -> str:
    """What a budget forecast says, its times on the clocks of ``zone``."""
    if isinstance(forecast, TooLittle):
        return f"No forecast: {forecast.reason}."
    p, end = forecast.p_exhausted, _moment(forecast.horizon_ns, zone)
    low, high = forecast.exhaustion_ns.low, forecast.exhaustion_ns.high
    left = (
        f"At {end}, {_percent(forecast.at_end.low)} to {_percent(forecast.at_end.high)} of it will be left"
        f" ({_percent(COVERAGE)} interval)."
    )
    if forecast.remaining_now <= 0:
        back = 1 - forecast.p_exhausted_at_end
        return f"The budget is exhausted; with {_chance(back)} probability some of it is back by {end}. {left}"
    if math.isfinite(high):
        return (
            f"With {_percent(COVERAGE)} probability the budget is exhausted between {_moment(int(low), zone)} and "
            f"{_moment(int(high), zone)}."
        )
    if math.isfinite(low):
        return (
            f"The budget is exhausted before {end} with {_chance(p)} probability, "
            f"and with {_percent(1 - TAIL)} probability not before {_moment(int(low), zone)}. {left}"
        )
    return f"The budget lasts until {end} with {_chance(1 - p)} probability. {left}"


def spend_sentence(forecast: SpendForecast | TooLittle, zone: str) -> str:
    """What a spend forecast says."""
    if isinstance(forecast, TooLittle):
        return f"No forecast: {forecast.reason}."
    total, end = forecast.total, _moment(forecast.horizon_ns, zone)
    over = "" if forecast.p_over is None else f" With {_chance(forecast.p_over)} probability that is over the limit."
    return (
        f"{forecast.so_far:,.2f} USD are spent; until {end} it will be {total.low:,.2f} to {total.high:,.2f} USD "
        f"({_percent(COVERAGE)} interval, median {total.median:,.2f}).{over}"
    )


def _moment(time_ns: int, zone: str) -> str:
    at = datetime.fromtimestamp(time_ns / NANOS, ZoneInfo(zone))
    return f"{at:%a} {at.day} {at:%b %H:%M} {at:%Z}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _chance(p: float) -> str:
    """A probability from so many paths is not known closer than to a percent."""
    return "more than 99 %" if p > 0.99 else "less than 1 %" if p < 0.01 else f"{100 * p:.0f} %"
