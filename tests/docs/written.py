"""Writes the tables and examples in docs/ that follow from the code: ``python -m tests.docs.written``.

A test fails while a page differs from what this writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Final

import numpy as np

from collector.decode.rejections import REASONS
from collector.limits import Limits
from detectors.slo.alerts import DEFAULT_ARL_NS
from detectors.slo.evidence import MIN_BAD_EVENTS, Evidence
from detectors.slo.ledger import HOUR_NS, MINUTE_NS, Ledger
from detectors.slo.policy import named_policy
from detectors.slo.reach import Reach
from tailwatch.settings import Settings
from telemetry.deltas import SliDelta
from telemetry.findings import CAUSES
from telemetry.metric_names import KNOWN_METRICS
from telemetry.rules import SERIES_MEASURES, SERIES_RULE
from telemetry.schema import FIELDS, LOG_HOME, Field
from telemetry.windows import BUCKET_NS, NANOS, format_duration, parse_duration
from tests.docs import example
from tests.docs.pages import PAGES, read, with_parts, written_parts

PERIODS: Final = ("7d", "28d", "30d", "90d")
OBJECTIVES: Final = (0.99, 0.995, 0.999)
ERROR_RATES: Final = (1.0, 0.1, 0.02, 0.01)
RATES_PER_S: Final = (0.1, 1.0, 10.0)
RUNS: Final = 101
LONGEST_S: Final = 3600
HISTORY_S: Final = 7200


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fields() -> str:
    return table(
        ("field", "kind", "unit", "read from (first that is present)", "else from the resource", "counted from"),
        [
            (
                f"`{field.name}`",
                field.kind,
                field.unit,
                ", ".join(f"`{name}`" for name in field.sources) or ("" if field.resource else "(derived)"),
                ", ".join(f"`{name}`" for name in field.resource),
                _home(field),
            )
            for field in FIELDS
        ],
    )


def _home(field: Field) -> str:
    return "logs, spans" if field.name in LOG_HOME else "spans"


def metric_names() -> str:
    return table(
        ("metric", "kind", "unit", "title", "says", "from"),
        [
            (f"`{one.name}`", formatted(one.kind), f"`{one.unit}`", one.title, formatted(one.role), one.source)
            for one in KNOWN_METRICS.values()
            if one.role != "other"
        ],
    )


def formatted(word: str) -> str:
    return word.replace("_", " ")


def rejections() -> str:
    return table(("reason", "what is wrong"), [(f"`{name}`", text) for name, text in REASONS.items()])


def limits() -> str:
    most = Limits()
    defaults = {name: Settings.model_fields[name].default for name in ("max_body_mib", "queue_mib", "max_groups")}
    return table(
        ("limit", "value", "beyond it"),
        [
            ("body, before and after decompression", f"`max_body_mib`, {defaults['max_body_mib']} MiB", "413"),
            ("bodies on their way to a commit", f"`queue_mib`, {defaults['queue_mib']} MiB", "503 with `Retry-After`"),
            ("records of one request", f"{most.records:,}", "413"),
            ("text of an attribute", f"{most.text_length} characters", "cut; the stored row keeps the record's bytes"),
            ("feature names of one request", f"{most.features}", "the others are ignored and counted"),
            (
                "time of a record",
                f"`future_horizon`, {format_duration(most.future_ns)} ahead of the clock",
                "the record is rejected",
            ),
            (
                "groups of an SLO, series of a service, values of a text field",
                f"`max_groups`, {defaults['max_groups']:,}",
                "counted as `__overflow__`; one unseen for a day gives its place up",
            ),
        ],
    )


def series() -> str:
    measures = ", ".join(f"`{name}`" for name in SERIES_MEASURES)
    labels = ", ".join(f"`{name}`" for name in SERIES_RULE.per)
    return f"Measures: {measures}. Labels: {labels}."


def policies() -> str:
    rows: list[Sequence[str]] = []
    for period in PERIODS:
        policy = named_policy("page-and-ticket", parse_duration(period))
        rows.extend(
            (
                period,
                pair.severity,
                format_duration(pair.long_ns),
                format_duration(pair.short_ns),
                f"{100 * pair.factor * pair.long_ns / parse_duration(period):.3g} %",
                f"{pair.factor:.4g}x",
            )
            for pair in policy.pairs
        )
    return table(("`window`", "severity", "long", "short", "of the budget", "factor"), rows)


def crossing() -> str:
    pairs = named_policy("page-and-ticket", parse_duration("30d")).pairs
    header = ["objective", "error rate", *(f"{pair.severity} {format_duration(pair.long_ns)}" for pair in pairs)]
    rows = [
        (f"{100 * objective:g} %", f"{100 * rate:g} %", *(_crossing(rate, objective, pair) for pair in pairs))
        for objective in OBJECTIVES
        for rate in ERROR_RATES
    ]
    return table(header, rows)


def _crossing(rate: float, objective: float, pair: object) -> str:
    factor, long_ns = pair.factor, pair.long_ns  # type: ignore[attr-defined]  # a BurnPair
    share = factor * round(1 - objective, 12) / rate
    if share >= 1 - 1e-9:
        return "never"
    seconds = share * long_ns / NANOS
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def early() -> str:
    header = ["requests a second", *(f"{100 * rate:g} % errors" for rate in ERROR_RATES)]
    rows = [(f"{per_s:g}", *(_median_delay(per_s, rate) for rate in ERROR_RATES)) for per_s in RATES_PER_S]
    return table(header, rows)


@cache
def _median_delay(per_s: float, rate: float) -> str:
    """Median seconds from the first error to the alarm of the sequential test at 99.9 %, over simulated services."""
    rng = np.random.default_rng([int(per_s * 10), int(rate * 100)])
    ledger, evidence = Ledger(4 * HOUR_NS), Evidence(0.001, DEFAULT_ARL_NS, BUCKET_NS, MIN_BAD_EVENTS)
    delays = np.full(RUNS, np.inf)
    start_ns = parse_duration("20000d")
    ledger.register([str(run) for run in range(RUNS)])
    for bucket in range(-HISTORY_S * NANOS // BUCKET_NS, LONGEST_S * NANOS // BUCKET_NS):
        bucket_ns = start_ns + bucket * BUCKET_NS
        total = rng.poisson(per_s * BUCKET_NS / NANOS, RUNS)
        bad = rng.binomial(total, 0.001 if bucket < 0 else rate)
        ledger.add(
            SliDelta("rule", str(run), bucket_ns, int(total[run] - bad[run]), int(total[run]))
            for run in np.flatnonzero(total)
        )
        if bucket < 0 and bucket % 60:
            continue
        now_ns = bucket_ns + BUCKET_NS - 1
        standing = evidence.advance(ledger, ledger.advance(now_ns), now_ns)
        alarmed = (standing.alarm_ns > start_ns) & np.isinf(delays)
        delays[alarmed] = (bucket + 1) * BUCKET_NS / NANOS
        if np.isfinite(delays).sum() > RUNS // 2:
            median = float(np.median(delays))
            return f"{median:g} s" if median < 600 else f"{median / 60:.3g} min"
    return f"over {LONGEST_S // 60} min"


def reach() -> str:
    header = ("requests an hour", "outage", "least error rate within 1 h", "within 6 h")
    rows = []
    for per_hour in (1, 10, 100, 1000, 360_000):
        one = Reach(0.001, DEFAULT_ARL_NS, MIN_BAD_EVENTS, HOUR_NS / per_hour)
        rates = [one.error_rate(hours * HOUR_NS) for hours in (1, 6)]
        after = f"{one.outage_ns() / MINUTE_NS:.2g} min" if per_hour < 10_000 else "the next bucket"
        rows.append((f"{per_hour:,}", after, *("none" if rate is None else f"{100 * rate:.2g} %" for rate in rates)))
    return table(header, rows)


def causes() -> str:
    return table(("cause", "what it says"), [(f"`{name}`", text) for name, text in CAUSES.items()])


PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "fields": fields,
    "metric-names": metric_names,
    "rejections": rejections,
    "limits": limits,
    "series": series,
    "policies": policies,
    "crossing": crossing,
    "early": early,
    "reach": reach,
    "causes": causes,
}


@cache
def part(name: str) -> str:
    """What stands in the part called ``name``."""
    if name.endswith("-example"):
        return _examples()[name]
    return PARTS[name]()


@cache
def _examples() -> Mapping[str, str]:
    return dict(example.documents())


def main() -> None:
    """Write every such part of every page."""
    for page in PAGES:
        names = written_parts(page)
        if names:
            page.write_text(with_parts(read(page), {name: part(name) for name in names}), encoding="utf-8")


if __name__ == "__main__":
    main()
