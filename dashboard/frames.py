"""The service's points as data frames for charts; times become instants in UTC, and nothing is interpolated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from dashboard import formats
from dashboard.documents.budgets import Correction, FanPoint
from dashboard.documents.evidence import Attribution, TailPart
from dashboard.documents.metrics import GaugeColumn, MetricCourse, MetricPoint, MetricSeries
from dashboard.documents.slos import HistoryPoint
from dashboard.documents.traffic import Heatmap, OneSeries
from dashboard.periods import Period, with_silence

_SERIES_COLUMNS = [
    *("series", "time", "count", "errors", "ok", "per_minute", "ok_per_minute", "errors_per_minute"),
    *("error_share", "sum_per_minute", "p50", "p90", "p95", "p99"),
]

_PERCENTILES = ("p50", "p90", "p99")


def history(points: Sequence[HistoryPoint]) -> pd.DataFrame:
    """Columns time, sli, burn, budget_remaining, bad, total; absent values are missing."""
    frame = pd.DataFrame(
        {
            "time": [point.t for point in points],
            "sli": [point.sli for point in points],
            "burn": [point.burn for point in points],
            "budget_remaining": [point.budget_remaining for point in points],
            "bad": [
                None if point.total is None or point.good is None else point.total - point.good for point in points
            ],
            "total": [point.total for point in points],
        },
    )
    return _typed(frame, text=())


def fan(points: Sequence[FanPoint]) -> pd.DataFrame:
    """Columns time, low, median, high: what may be left of a budget."""
    columns = {name: [getattr(point, name) for point in points] for name in ("low", "median", "high")}
    return _typed(pd.DataFrame({"time": [point.t for point in points], **columns}), text=())


def spans(corrections: Sequence[Correction], start: float, end: float) -> pd.DataFrame:
    """Columns time, until, reason, author: the parts of active corrections that lie within start..end."""
    shown = [one for one in corrections if one.cancelled is None and one.start < end and one.end > start]
    frame = pd.DataFrame(
        {
            "time": [max(one.start, start) for one in shown],
            "until": [min(one.end, end) for one in shown],
            "reason": [one.reason for one in shown],
            "author": [one.author for one in shown],
        }
    )
    frame = _typed(frame, text=("reason", "author"))
    frame["until"] = pd.to_datetime(frame["until"], unit="s", utc=True)
    return frame


def series(every: Sequence[OneSeries], name: Callable[[OneSeries], str], period: Period) -> pd.DataFrame:
    """Columns series, time, count, errors, ok, per_minute, error_share, p50 ... p99, sum_per_minute."""
    rows = [
        {
            "series": name(one),
            "time": point.t,
            "count": point.count,
            "errors": point.errors,
            "ok": point.count - point.errors,
            "per_minute": point.count * 60 / period.step,
            "ok_per_minute": (point.count - point.errors) * 60 / period.step,
            "errors_per_minute": point.errors * 60 / period.step,
            "error_share": point.errors / point.count if point.count else None,
            "sum_per_minute": None if point.sum is None else point.sum * 60 / period.step,
            "p50": point.p50,
            "p90": point.p90,
            "p95": point.p95,
            "p99": point.p99,
        }
        for one in every
        for point in with_silence(one.points, period)
    ]
    return _typed(pd.DataFrame(rows, columns=_SERIES_COLUMNS), text=("series",))


def metric(
    course: MetricCourse, name: Callable[[MetricSeries], str], period: Period, gauge: GaugeColumn = "avg"
) -> pd.DataFrame:
    """Columns series, time, value: of a gauge what ``gauge`` says, the rate of a sum, a histogram's p50, p90 and p99.

    Steps without values are gaps, since nobody knows what was in between; the last step is not over.
    """
    steps = round((period.end - period.start) / period.step)
    single = {"gauge": gauge, "sum": "rate"}
    rows = [
        {
            "series": column if column in _PERCENTILES else name(one),
            "time": period.start + index * period.step,
            "value": value,
        }
        for one in course.series
        for column in ((single[one.kind],) if one.kind in single else _PERCENTILES)
        for index, value in _on_steps(one.points, column, period, steps)
    ]
    return _typed(pd.DataFrame(rows, columns=["series", "time", "value"]), text=("series",))


def _on_steps(points: Sequence[MetricPoint], column: str, period: Period, steps: int) -> list[tuple[int, float | None]]:
    found = {round((point.t - period.start) / period.step): getattr(point, column) for point in points}
    return [(index, found.get(index)) for index in range(steps) if index in found or index < steps - 1]


def heatmap(heat: Heatmap, step_s: float) -> pd.DataFrame:
    """Columns time, until, low, high, count: one row for each bin that holds something.

    A first edge of zero or below is moved to half of the next one, for a logarithmic axis has no zero.
    """
    edges = list(heat.edges)
    if len(edges) > 1 and edges[0] <= 0:
        edges[0] = edges[1] / 2
    rows = [
        {"time": t, "until": t + step_s, "low": edges[j], "high": edges[j + 1], "count": number}
        for t, counts in zip(heat.t, heat.counts, strict=False)
        for j, number in enumerate(counts[: max(0, len(edges) - 1)])
        if number > 0 and 0 < edges[j] < edges[j + 1]
    ]
    frame = _typed(pd.DataFrame(rows, columns=["time", "until", "low", "high", "count"]), text=())
    frame["until"] = pd.to_datetime(frame["until"], unit="s", utc=True)
    return frame


def attribution(parts: Sequence[Attribution], most: int = 12) -> pd.DataFrame:
    """Columns slice, share, bad, total: the slices with the largest share of the excess, largest first."""
    ordered = sorted(parts, key=lambda one: -(one.excess_share or 0.0))[:most]
    return pd.DataFrame(
        {
            "slice": [formats.labels(one.slice) for one in ordered],
            "dimension": [one.dimension for one in ordered],
            "value": [one.value for one in ordered],
            "share": [one.excess_share or 0.0 for one in ordered],
            "bad": [one.bad for one in ordered],
            "total": [one.total for one in ordered],
        }
    )


def tail(parts: Sequence[TailPart]) -> pd.DataFrame:
    """Columns part, when, seconds: each part before and during the incident."""
    rows = [
        {"part": one.part, "when": when, "seconds": value}
        for one in parts
        for when, value in (("before", one.before_s), ("now", one.after_s))
        if value is not None
    ]
    return pd.DataFrame(rows, columns=["part", "when", "seconds"])


def _typed(frame: pd.DataFrame, text: Sequence[str]) -> pd.DataFrame:
    numbers = [column for column in frame.columns if column not in text]
    frame[numbers] = frame[numbers].apply(pd.to_numeric)
    frame["time"] = pd.to_datetime(frame["time"], unit="s", utc=True)
    return frame
