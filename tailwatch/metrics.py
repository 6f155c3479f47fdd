"""Tailwatch's own numbers and the status of every SLO for Prometheus; it counts nothing, it only reads."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from alerting.outbox import ReceiverHealth
from collector.counters import Counters, Histogram
from collector.skew import SourceClock
from detectors.slo.export.names import GOOD_EVENTS, SPENT_USD, VALID_EVENTS, label_name
from tailwatch.event_counts import EventCount
from tailwatch.reloading import Configuration
from telemetry.deltas import group_key
from telemetry.errors import StorageError
from telemetry.windows import NANOS

SloDocuments = Sequence[Mapping[str, Any]]
"""SLO statuses as the API gives them."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the numbers are read when somebody scrapes."""

    counters: Callable[[], Counters]
    decoder: Callable[[], str]
    overflowed: Callable[[], Mapping[str, int]]
    sources: Callable[[], Sequence[SourceClock]]
    slos: Callable[[], SloDocuments]
    slo_events: Callable[[], Sequence[EventCount]]
    """Events by SLO and group since this process began to evaluate; none while another one does."""
    evaluations: Callable[[], tuple[int, float, float]]
    """Evaluations so far, seconds they took together, and when the last one was (seconds since the epoch)."""
    open_incidents: Callable[[], Mapping[str, int]]
    """Incidents that are not resolved, by severity."""
    receivers: Callable[[], Sequence[ReceiverHealth]]
    told: Callable[[], Mapping[str, tuple[int, int, bool]]]
    """By receiver, pages and notifications of the last 24 hours, and whether they are beyond its noise budget."""
    prices_stale: Callable[[], bool]
    configuration: Callable[[], Configuration]
    certificate_ends: Callable[[], float | None]
    """When the certificate of the server's listeners ends (seconds since the epoch); None without one."""


class _Tailwatch(Collector):
    """Everything of ``sources`` as metric families."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def describe(self) -> list[Metric]:
        """Nothing ahead of time, so that registering asks no source."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One family a name."""
        yield from _intake(self._sources.counters())
        yield _counter(
            "tailwatch_cardinality_overflow_events",
            "Events counted in the overflow group, because a rule had too many groups or a field too many texts.",
            "scope", self._sources.overflowed(),
        )  # fmt: skip
        yield GaugeMetricFamily(
            "tailwatch_decoder_compiled", "1 once compiled code reads OTLP protobuf.",
            value=float(self._sources.decoder() == "ready"),
        )  # fmt: skip
        yield from _clocks(self._sources.sources())
        yield from _evaluations(*self._sources.evaluations())
        documents = self._sources.slos()
        yield from _kept(documents)
        yield from _slos(documents)
        yield from _slo_events(self._sources.slo_events())
        yield _incidents(self._sources.open_incidents)
        pending = GaugeMetricFamily(
            "tailwatch_pending_notifications", "Notifications that wait to be delivered.", labels=["receiver"]
        )
        undelivered = GaugeMetricFamily(
            "tailwatch_undelivered_notifications",
            "Notifications that were given up, and that nothing later has made good.", labels=["receiver"],
        )  # fmt: skip
        with contextlib.suppress(StorageError):
            for one in self._sources.receivers():
                pending.add_metric([one.receiver], one.pending)
                undelivered.add_metric([one.receiver], one.undelivered)
        yield pending
        yield undelivered
        yield from _noise(self._sources.told)
        yield GaugeMetricFamily(
            "tailwatch_prices_stale", "1 when the newest price is older than stale_after.",
            value=float(self._sources.prices_stale()),
        )  # fmt: skip
        yield from _configuration(self._sources.configuration())
        ends_s = self._sources.certificate_ends()
        if ends_s is not None:
            yield GaugeMetricFamily(
                "tailwatch_tls_certificate_not_after_timestamp_seconds",
                "When the certificate by which this server speaks TLS ends.", value=ends_s,
            )  # fmt: skip


def registry_of(sources: Sources) -> CollectorRegistry:
    """A registry with Tailwatch's metrics and those of the process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Tailwatch(sources))
    return registry


def _counter(name: str, text: str, label: str, values: Mapping[Any, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in sorted(values.items(), key=lambda item: str(item[0])):
        family.add_metric([str(key)], value)
    return family


def _intake(counters: Counters) -> Iterator[Metric]:
    yield _counter(
        "tailwatch_requests", "OTLP requests by what became of them.", "outcome",
        {
            "committed": counters.requests_committed,
            "repeated": counters.requests_repeated,
            "refused": counters.requests_refused,
            "invalid": counters.requests_invalid.total(),
        },
    )  # fmt: skip
    yield _counter(
        "tailwatch_records", "Records committed, by kind.", "kind",
        {
            "span": counters.spans, "log": counters.log_records, "feedback": counters.feedback,
            "metric_point": counters.metric_points,
        },
    )  # fmt: skip
    yield _counter("tailwatch_rejected_records", "Records refused, by reason.", "reason", counters.rejected)
    yield _counter(
        "tailwatch_unpriced_spans", "Inference spans without a price and without a stated cost.", "model",
        counters.unpriced,
    )  # fmt: skip
    plain = {
        "tailwatch_received_bytes": ("Bytes of request bodies as they were sent.", counters.bytes_received),
        "tailwatch_passed_over_log_records": (
            "Log records that are neither inference logs nor feedback.", counters.passed_over,
        ),
        "tailwatch_ignored_attribute_values": ("Attribute values beyond a limit.", counters.ignored_values),
        "tailwatch_commits": ("Transactions of the collector.", counters.commits),
        "tailwatch_commit_failures": ("Transactions of the collector that failed.", counters.commit_failures),
    }  # fmt: skip
    for name, (text, value) in plain.items():
        yield CounterMetricFamily(name, text, value=value)
    yield GaugeMetricFamily(
        "tailwatch_intake_held_bytes", "Bytes of requests on their way to a commit.", value=counters.held_bytes
    )
    yield GaugeMetricFamily(
        "tailwatch_intake_unanswered_requests", "Requests on their way to a commit.", value=counters.unanswered
    )
    yield _histogram("tailwatch_batch_requests", "Requests that were prepared together.", counters.batch_requests)
    yield _histogram("tailwatch_commit_seconds", "Time that transactions of the collector took.", counters.commit_s)


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    bounds = [*(str(bound) for bound in histogram.bounds), "+Inf"]
    so_far = map(float, accumulate(histogram.counts))
    return HistogramMetricFamily(name, text, buckets=list(zip(bounds, so_far, strict=True)), sum_value=histogram.total)


def _clocks(sources: Sequence[SourceClock]) -> Iterator[Metric]:
    """The worst instance of each service: instances come and go, and would leave a series each behind."""
    count = GaugeMetricFamily(
        "tailwatch_sources", "Instances that sent telemetry within the last hour.", labels=["service"]
    )
    ahead = GaugeMetricFamily(
        "tailwatch_source_clock_ahead_seconds",
        "How far the clock of a service's worst instance is ahead of the collector's at least.",
        labels=["service"],
    )
    lag = GaugeMetricFamily(
        "tailwatch_source_lag_min_seconds",
        "Smallest lag of a service's worst instance in 5 min: its clock is behind, or its data late, by at most that.",
        labels=["service"],
    )
    by_service: dict[str, list[SourceClock]] = defaultdict(list)
    for one in sources:
        by_service[one.service].append(one)
    for service, instances in by_service.items():
        count.add_metric([service], len(instances))
        ahead.add_metric([service], max(one.ahead_s for one in instances))
        lag.add_metric([service], max(one.lag_min_s for one in instances))
    yield from (count, ahead, lag)


def _evaluations(count: int, seconds: float, last_s: float) -> Iterator[Metric]:
    yield CounterMetricFamily("tailwatch_evaluations", "Evaluations of all SLOs.", value=count)
    yield CounterMetricFamily("tailwatch_evaluation_seconds", "Time that evaluations took.", value=seconds)
    yield GaugeMetricFamily(
        "tailwatch_last_evaluation_timestamp_seconds", "When the last evaluation ended.", value=last_s
    )


def _configuration(state: Configuration) -> Iterator[Metric]:
    """Under the names that Prometheus and Alertmanager have for theirs."""
    yield GaugeMetricFamily(
        "tailwatch_config_last_reload_successful", "Whether the last reading of the configuration succeeded.",
        value=float(state.successful),
    )  # fmt: skip
    yield GaugeMetricFamily(
        "tailwatch_config_last_reload_success_timestamp_seconds", "When the configuration in force was read.",
        value=state.since_ns / NANOS,
    )  # fmt: skip


def _incidents(open_incidents: Callable[[], Mapping[str, int]]) -> Metric:
    """Left empty while the database cannot be read: when it is down, the other numbers are wanted most."""
    family = GaugeMetricFamily("tailwatch_open_incidents", "Incidents that are not resolved.", labels=["severity"])
    with contextlib.suppress(StorageError):
        for severity, count in sorted(open_incidents().items()):
            family.add_metric([severity], count)
    return family


def _noise(told: Callable[[], Mapping[str, tuple[int, int, bool]]]) -> Iterator[Metric]:
    pages = GaugeMetricFamily(
        "tailwatch_pages_24h", "Pages that were opened, escalated or re-opened to a receiver within 24 hours.",
        labels=["receiver"],
    )  # fmt: skip
    all_told = GaugeMetricFamily(
        "tailwatch_notifications_24h", "Notifications delivered to a receiver within 24 hours.", labels=["receiver"]
    )
    over = GaugeMetricFamily(
        "tailwatch_noise_over_budget", "1 while that is more than the receiver's noise budget.", labels=["receiver"]
    )
    with contextlib.suppress(StorageError):
        for receiver, (page_count, count, beyond) in sorted(told().items()):
            pages.add_metric([receiver], page_count)
            all_told.add_metric([receiver], count)
            over.add_metric([receiver], float(beyond))
    yield from (pages, all_told, over)


_BUDGETS = ["slo", "service", "group"]


def _budgets(slos: SloDocuments) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], list[str]]]:
    """Every budget: its SLO, its group, and the values of ``_BUDGETS``."""
    for slo in slos:
        for group in slo["groups"]:
            yield slo, group, [slo["name"], slo["service"], group_key(group["group"])]


def _slos(slos: SloDocuments) -> Iterator[Metric]:
    budget = GaugeMetricFamily(
        "tailwatch_slo_budget_remaining_ratio", "Share of the error budget that is left; negative when overspent.",
        labels=_BUDGETS,
    )  # fmt: skip
    burn = GaugeMetricFamily(
        "tailwatch_slo_burn_rate",
        "Error rate over 1 - objective; 1 uses the budget up exactly.",
        labels=[*_BUDGETS, "window"],
    )
    exhaustion = GaugeMetricFamily(
        "tailwatch_slo_exhaustion_probability",
        "Probability that the budget is exhausted before its window ends, as last forecast.",
        labels=_BUDGETS,
    )
    state = GaugeMetricFamily("tailwatch_slo_state", "1 for the state that holds.", labels=[*_BUDGETS, "state"])
    for _, group, key in _budgets(slos):
        if group["budget_remaining"] is not None:
            budget.add_metric(key, group["budget_remaining"])
        for window, rate in group["burn"].items():
            if rate is not None:
                burn.add_metric([*key, window], rate)
        forecast = group["forecast"]
        if forecast is not None and forecast["enough_data"]:
            exhaustion.add_metric(key, forecast["p_exhausted"])
        state.add_metric([*key, group["state"]], 1)
    yield from (budget, burn, exhaustion, state)


def _kept(slos: SloDocuments) -> Iterator[Metric]:
    """What is good of what, where that is what is promised; of money how much there is, and is left."""
    objective = GaugeMetricFamily("tailwatch_slo_objective_ratio", "Share that shall be good.", labels=["slo"])
    sli = GaugeMetricFamily("tailwatch_slo_sli_ratio", "Share that was good within the window.", labels=_BUDGETS)
    events = GaugeMetricFamily(
        "tailwatch_slo_window_events", "Events within the window, by verdict.", labels=[*_BUDGETS, "verdict"]
    )
    money = GaugeMetricFamily(
        "tailwatch_slo_window_usd", "US dollars of the window's budget of money, and what is left.",
        labels=[*_BUDGETS, "part"],
    )  # fmt: skip
    for slo in slos:
        if slo["objective"] is not None:
            objective.add_metric([slo["name"]], slo["objective"])
    for slo, group, key in _budgets(slos):
        if slo["objective"] is None:
            money.add_metric([*key, "budget"], group["total"])
            money.add_metric([*key, "left"], group["good"])
            continue
        if group["sli"] is not None:
            sli.add_metric(key, group["sli"])
        events.add_metric([*key, "good"], group["good"])
        events.add_metric([*key, "bad"], group["total"] - group["good"])
    yield from (objective, sli, events, money)


def _slo_events(counts: Sequence[EventCount]) -> Iterator[Metric]:
    """Each field of ``per`` is a label, so that rules can sum by it; a field without a value is left out."""
    good = CounterMetricFamily(GOOD_EVENTS, "Good events of an SLO, counted when they came in.")
    valid = CounterMetricFamily(VALID_EVENTS, "Events that an SLO is about, good or bad, counted when they came in.")
    spent = CounterMetricFamily(SPENT_USD, "US dollars of an SLO's budget of money, counted when their calls came in.")
    for one in counts:
        labels = {label_name(field): value for field, value in one.group.items() if value}
        labels |= {"slo": one.slo.name, "service": one.slo.service}
        if one.slo.allowance is not None:
            spent.add_sample(SPENT_USD, labels, one.valid / one.slo.unit)
            continue
        good.add_sample(GOOD_EVENTS, labels, one.good)
        valid.add_sample(VALID_EVENTS, labels, one.valid)
    yield from (good, valid, spent)
