"""What a runbook can ask the counters about an incident, now and before it began; every answer is Markdown.

Requests are those of the incident's service, and of its slice as far as the counters know its labels. "Now" is the last
five minutes, "before" a quarter of an hour that ended when the trouble began, both in whole minutes. Answers read at
most :data:`ROWS` groups and change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import func, select

from alerting.incidents import format_id
from alerting.runbooks.markdown import Markdown, code, escape, number, percent, quantity, seconds, table, utc
from alerting.tables import incidents as stored_incidents
from storage.database import Database
from storage.gauges import gauge_readings
from storage.series import MeasureSeries, measure_series
from telemetry.matchers import Matcher, Matchers
from telemetry.metric_names import KNOWN_METRICS
from telemetry.points import GaugeState, MetricSeries
from telemetry.rules import SERIES_MEASURES, SERIES_RULE
from telemetry.sketches import merge
from telemetry.windows import NANOS

ROWS: Final = 10
_MINUTE_NS: Final = 60 * NANOS
_NOW_NS: Final = 5 * _MINUTE_NS
_BEFORE_NS: Final = 15 * _MINUTE_NS
_TIMES: Final = ("duration", "ttft", "tpot", "queue", "prefill", "decode")
_NOTHING: Final = Markdown("No requests of it in the last five minutes, and none in the quarter of an hour before.")
_NO_SERVICE: Final = Markdown("The alert names no service to ask about.")
_NO_SLO: Final = Markdown("The alert belongs to no SLO.")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about.

    Attributes:
        service: of the incident.
        slice: the labels of its traffic.
        slo: its SLO; ``group`` the labels of the SLO's group.
        onset_ns: when the trouble began; ``now_ns`` the time.
        statuses: every SLO as the HTTP API shows it, by name.
    """

    database: Database
    service: str
    slice: Mapping[str, str]
    slo: str
    group: Mapping[str, str]
    onset_ns: int
    now_ns: int
    statuses: Callable[[], Mapping[str, Any]]

    @property
    def now_range(self) -> tuple[int, int]:
        """The last minutes, [start, end) in ns."""
        return _minute(self.now_ns - _NOW_NS), _minute(self.now_ns) + _MINUTE_NS

    @property
    def before_range(self) -> tuple[int, int]:
        """The time before the trouble, [start, end) in ns."""
        return _minute(self.onset_ns - _BEFORE_NS), _minute(self.onset_ns)


@dataclass(frozen=True, slots=True)
class _Row:
    """One group of the traffic in one range of time."""

    requests: int
    failed: int
    values: MeasureSeries

    def mean(self) -> float:
        sketch = merge(self.values.sketches)
        return sketch.total / sketch.count if sketch.count else math.nan

    def quantiles(self) -> Sequence[float]:
        return merge(self.values.sketches).quantiles((0.5, 0.99))

    def total(self) -> float:
        return sum(sketch.total for sketch in self.values.sketches)


Asked = Callable[..., Markdown]


def errors(subject: Subject, *, by: str = "", everything: bool = False) -> Markdown:
    """The share of requests that fail."""
    return _compared(
        subject, "duration", by, everything, "failed",
        lambda row, _s: Markdown(f"{percent(row.failed / row.requests)} of {number(row.requests)}"),
    )  # fmt: skip


def traffic(subject: Subject, *, by: str = "", everything: bool = False) -> Markdown:
    """Requests a minute."""
    return _compared(
        subject, "duration", by, everything, "requests a minute",
        lambda row, minutes: number(round(row.requests / minutes, 1)),
    )  # fmt: skip


def latency(subject: Subject, measure: str = "duration", *, by: str = "", everything: bool = False) -> Markdown:
    """The median and the 99th percentile of a time: duration, ttft, tpot, queue, prefill, decode."""
    if measure not in _TIMES:
        raise ValueError(f"{measure} is no time; the times are {', '.join(_TIMES)}")

    def cell(row: _Row, _minutes: float) -> Markdown:
        median, tail = row.quantiles()
        return Markdown(f"{seconds(median)} / {seconds(tail)}") if math.isfinite(tail) else Markdown("not measured")

    return _compared(subject, measure, by, everything, f"{measure}, median / p99", cell)


def mean(subject: Subject, measure: str, *, by: str = "", everything: bool = False) -> Markdown:
    """The mean of a measure, such as tokens_out, batch_size or confidence."""

    def cell(row: _Row, _minutes: float) -> Markdown:
        value = row.mean()
        if not math.isfinite(value):
            return Markdown("not measured")
        return seconds(value) if measure in _TIMES else number(value)

    return _compared(subject, measure, by, everything, f"mean {measure}", cell)


def spend(subject: Subject, *, by: str = "", everything: bool = False) -> Markdown:
    """US dollars an hour."""
    return _compared(
        subject, "cost", by, everything, "USD an hour", lambda row, minutes: number(row.total() / minutes * 60)
    )


def gauge(subject: Subject, name: str) -> Markdown:
    """The latest value of a gauge of the service, and its range over the last five minutes.

    ``name`` is that of a metric, or a role (``queue_depth``) that stands for the well-known ones that say the same,
    each in its own unit.
    """
    if not subject.service:
        return _NO_SERVICE
    start_ns, end_ns = subject.now_range
    names = [one.name for one in KNOWN_METRICS.values() if one.role == name and one.kind == "gauge"] or [name]
    found = gauge_readings(subject.database, names, [subject.service], start_ns, end_ns)
    latest: dict[MetricSeries, GaugeState] = {}
    for reading in sorted(found, key=lambda one: one.bucket_ns):
        known = latest.get(reading.series)
        latest[reading.series] = reading.state if known is None else known.merged(reading.state)
    rows = [
        (code(f"{series.name} {'' if series.labels == '{}' else series.labels}".strip()),
         *(quantity(value, series.unit) for value in (state.last, state.low, state.high)),
         utc(state.last_ns / NANOS))
        for series, state in sorted(latest.items(), key=lambda item: (item[0].name, item[0].labels))[:ROWS]
    ]  # fmt: skip
    if not rows:
        return Markdown(f"{escape(subject.service)} has sent no gauge {code(name)} in the last five minutes.")
    return table((name, "now", "least", "most", "at"), rows)


def budget(subject: Subject) -> Markdown:
    """The state of the incident's SLO, what is left of its budget, and how fast it burns."""
    if not subject.slo:
        return _NO_SLO
    status = subject.statuses().get(subject.slo)
    if status is None:
        return Markdown(f"The SLO {code(subject.slo)} is not among those in force.")
    groups = status["groups"]
    chosen = next(
        (one for one in groups if one["group"] == dict(subject.group)), groups[0] if len(groups) == 1 else None
    )
    if chosen is None:
        return Markdown(f"The SLO {code(subject.slo)} has no such group now.")
    left = chosen["budget_remaining"]
    burns = ", ".join(
        f"{number(round(rate, 2))}x over {escape(window)}"
        for window, rate in chosen["burn"].items() if rate is not None
    )  # fmt: skip
    state = escape(str(chosen["state"]).replace("_", " "))
    if left is None:
        rest = "how much of its budget is left is not known"
    elif left <= 0:
        rest = f"its budget is spent, {number(1 - left, 2)} times over"
    else:
        rest = f"{percent(left)} of its budget is left"
    return Markdown(f"The SLO is **{state}**; {rest}{f'; it burns {burns}' if burns else ''}.")


def groups(subject: Subject) -> Markdown:
    """Every group of the incident's SLO, such as each region, with the least budget first."""
    if not subject.slo:
        return _NO_SLO
    status = subject.statuses().get(subject.slo)
    if status is None:
        return Markdown(f"The SLO {code(subject.slo)} is not among those in force.")
    found = sorted(
        status["groups"], key=lambda one: math.inf if one["budget_remaining"] is None else one["budget_remaining"]
    )
    rows = []
    for one in found[:ROWS]:
        labels = ", ".join(f"{name}={value}" for name, value in sorted(one["group"].items())) or "all of the traffic"
        fastest = max((rate for rate in one["burn"].values() if rate is not None), default=None)
        burn = Markdown("" if fastest is None else f"{number(round(fastest, 2))}x")
        rows.append((code(labels), str(one["state"]).replace("_", " "), _left(one["budget_remaining"]), burn))
    shown = table(("group", "state", "budget left", "fastest burn"), rows)
    return _cut(shown, len(found), "groups") or Markdown(f"The SLO {code(subject.slo)} has no group with traffic.")


def _left(budget: float | None) -> Markdown:
    if budget is None:
        return Markdown("not known")
    return percent(budget) if budget > 0 else Markdown(f"spent, {number(1 - budget, 2)} times over")


def incidents(subject: Subject) -> Markdown:
    """Every incident that goes on, of any service: what began first is first."""
    known = stored_incidents.c
    going_on = known.status.in_(("open", "acknowledged"))
    query = select(known.number, known.onset_ns, known.severity, known.service, known.slo, known.cause).where(going_on)
    with subject.database.read() as connection:
        found = connection.execute(query.order_by(known.onset_ns, known.number).limit(ROWS)).all()
        total = connection.execute(select(func.count()).select_from(stored_incidents).where(going_on)).scalar_one()
    rows = [
        (format_id(row.number), utc(row.onset_ns / NANOS), row.severity,
         _named(row.service), _named(row.slo), row.cause)
        for row in found
    ]  # fmt: skip
    shown = table(("incident", "began", "severity", "service", "SLO", "cause"), rows)
    return _cut(shown, total, "incidents") or Markdown("No incident goes on now.")


def _named(value: str) -> Markdown:
    """A name in a table's cell; an alert that was posted may have none."""
    return code(value) if value else Markdown("-")


def last_request(subject: Subject) -> Markdown:
    """When the service was last heard of, within an hour."""
    if not subject.service:
        return _NO_SERVICE
    found = _rows(subject, "duration", (), (subject.now_ns - 60 * _MINUTE_NS, subject.now_range[1]), everything=True)
    for row in found.values():
        heard = row.values.time_ns[row.values.total > 0]
        if len(heard):
            ago = max(0, (subject.now_ns - int(heard[-1])) // _MINUTE_NS)
            words = "within the last minute" if ago < 1 else f"about {ago} min ago"
            return Markdown(f"The last request of {code(subject.service)} came {words}.")
    return Markdown(f"No request of {code(subject.service)} has come within an hour.")


QUESTIONS: Final[Mapping[str, Asked]] = {
    "errors": errors, "traffic": traffic, "latency": latency, "mean": mean, "spend": spend, "gauge": gauge,
    "budget": budget, "groups": groups, "incidents": incidents, "last_request": last_request,
}  # fmt: skip
"""What ``live(NAME, ...)`` in a runbook asks."""


def _compared(
    subject: Subject, measure: str, by: str, everything: bool, title: str, cell: Callable[[_Row, float], Markdown]
) -> Markdown:
    labels = tuple(name.strip() for name in by.split(",") if name.strip())
    unknown = sorted(set(labels) - set(SERIES_RULE.per))
    if unknown:
        raise ValueError(f"requests are not counted by {unknown[0]}; by is one of {', '.join(SERIES_RULE.per)}")
    if measure not in SERIES_MEASURES:
        raise ValueError(f"{measure} is no measure; the measures are {', '.join(SERIES_MEASURES)}")
    if not subject.service:
        return _NO_SERVICE
    ranges = subject.now_range, subject.before_range
    now, before = (_rows(subject, measure, labels, one, everything=everything) for one in ranges)
    keys = sorted(now.keys() | before.keys(), key=lambda key: -_requests(now, key) - _requests(before, key))
    if not keys:
        return _NOTHING
    # The present minute has only begun: what is counted of it is divided by as much of it as has passed.
    starts = ranges[0][0], _began(subject, before)
    minutes = [
        (min(end_ns, subject.now_ns) - begin) / _MINUTE_NS for begin, (_, end_ns) in zip(starts, ranges, strict=True)
    ]
    rows = [
        (*(code(value) for value in key),
         *(cell(side[key], length) if _requests(side, key) else Markdown("no requests")
           for side, length in ((now, minutes[0]), (before, minutes[1]))))
        for key in keys[:ROWS]
    ]  # fmt: skip
    return _cut(table((*labels, f"{title}, now", "before it began"), rows), len(keys), "groups")


def _began(subject: Subject, before: Mapping[tuple[str, ...], _Row]) -> int:
    """Where the time before the trouble begins (ns): with the first request of a service that is younger than that."""
    start_ns, end_ns = subject.before_range
    if not before or _first(before) <= start_ns + _MINUTE_NS:
        return start_ns
    everything = _rows(subject, "duration", (), (start_ns - _BEFORE_NS, end_ns), everything=True)
    return max(start_ns, _first(everything))


def _first(rows: Mapping[tuple[str, ...], _Row]) -> int:
    """The minute of the first request (ns)."""
    return min(int(row.values.time_ns[row.values.total > 0][0]) for row in rows.values())


def _cut(shown: Markdown, total: int, what: str) -> Markdown:
    return Markdown(f"{shown}\n\n{total - ROWS} more {what} are not shown.") if total > ROWS else shown


def _requests(side: Mapping[tuple[str, ...], _Row], key: tuple[str, ...]) -> int:
    return side[key].requests if key in side else 0


def _rows(
    subject: Subject, measure: str, labels: tuple[str, ...], between: tuple[int, int], *, everything: bool
) -> dict[tuple[str, ...], _Row]:
    known = {} if everything else {name: value for name, value in subject.slice.items() if name in SERIES_RULE.per}
    wanted = {"service": subject.service} | {name: value for name, value in known.items() if name not in labels}
    where = Matchers(tuple(Matcher(name, "=", value) for name, value in wanted.items()))
    found = measure_series(subject.database, measure, *between, _MINUTE_NS, by=labels, where=where)
    return {
        tuple(one.labels.values()): _Row(int(np.sum(one.total)), int(np.sum(one.total - one.good)), one)
        for one in found
    }


def _minute(time_ns: int) -> int:
    return time_ns - time_ns % _MINUTE_NS
