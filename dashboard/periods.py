"""Which span of time a page asks for, and in which steps; pure arithmetic on seconds, without a clock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.documents.slos import HistoryPoint
from dashboard.documents.traffic import SeriesPoint

# The service's buckets are 10 s; every step is a multiple, so that a step is a sum of whole buckets.
STEPS_S = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)

# The ranges offered, in seconds; "window" is the SLO's own.
RANGES_S = {"15 min": 900, "1 h": 3600, "6 h": 21600, "24 h": 86400, "7 d": 604800}


@dataclass(frozen=True)
class Period:
    """A span of time in steps, all in seconds; `start` and `end` lie on whole steps."""

    start: float
    end: float
    step: float


def step_for(span_s: float, most_points: int) -> int:
    """The smallest offered step that covers `span_s` seconds with at most `most_points` points."""
    for step in STEPS_S:
        if span_s <= step * most_points:
            return step
    return math.ceil(span_s / most_points / 86400) * 86400


def last(span_s: float, now: float, most_points: int = 180) -> Period:
    """The last `span_s` seconds up to the end of the step that `now` lies in."""
    step = step_for(span_s, most_points)
    end = math.floor(now / step + 1) * step
    return Period(end - math.ceil(span_s / step) * step, end, step)


def closer(period: Period, points: Sequence[HistoryPoint], now: float, most_points: int = 180) -> Period | None:
    """A shorter period with finer steps where the data begin late, or None where there is nothing to gain.

    An SLO that was switched on ten minutes ago has one point in a window of 30 days at 4 h a step;
    its course is visible only when the page looks closer.
    """
    filled = [point.t for point in points if point.total]
    if not filled:
        return None
    # a point may stand for the step before it or after it, so the data may begin a step earlier
    begin = min(filled) - period.step
    span_s = now - begin
    if span_s > (period.end - period.start) / 3:
        return None
    step = step_for(span_s, most_points)
    if step >= period.step:
        return None
    start = math.floor(begin / step) * step
    return Period(start, math.floor(now / step + 1) * step, step)


def with_silence(points: Sequence[SeriesPoint], period: Period) -> list[SeriesPoint]:
    """The points with an empty one for every step that has none, since the service leaves steps without traffic out.

    A silence that is left out would be drawn as a straight line through it. The last step is not over, so its
    absence says nothing yet.
    """
    steps = round((period.end - period.start) / period.step)
    found = {round((point.t - period.start) / period.step): point for point in points}
    silent = {i: SeriesPoint(t=period.start + i * period.step) for i in range(steps - 1) if i not in found}
    return [point for _, point in sorted({**found, **silent}.items())]
