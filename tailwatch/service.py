"""The running service: every part built, connected, started and ended in order. It listens on nothing itself."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from alerting.config import AlertingConfig, check_receivers
from alerting.hindsight import last_day
from alerting.mirror import EVERY_NS
from alerting.service import Alerting
from collector.decode import PROTOBUF
from collector.intake import Intake
from collector.limits import MIB
from collector.skew import SourceClock
from detectors.slo.exclusions import edges
from detectors.slo.spec import Slo, SloSet
from storage import corrections, retention
from storage.block_merge import merge_blocks
from storage.collectors import HEARTBEAT_NS
from storage.compaction import Splits, compact
from storage.database import Database
from storage.metric_upkeep import compact_points, forget_points
from storage.retention import RetentionPolicy
from tailwatch.access.guard import Guard, rules_of
from tailwatch.access.keyring import REFRESH_NS, KeyRing
from tailwatch.calls import EVERY_NS as CALLS_NS
from tailwatch.calls import Calls
from tailwatch.catalogue import Catalogue
from tailwatch.diagnoser import Diagnoser
from tailwatch.estimates import Estimates
from tailwatch.evaluator import Evaluator
from tailwatch.forecasts import Forecasts
from tailwatch.labels import Labels
from tailwatch.membership import Membership
from tailwatch.metrics import Sources, registry_of
from tailwatch.rates import SAMPLE_NS, Rates
from tailwatch.reloading import POLL_NS, Reloader
from tailwatch.reports import DriftReports
from tailwatch.scheduler import Job, Scheduler
from tailwatch.scraping import Scraping
from tailwatch.settings import Settings, load_settings
from tailwatch.store import Store
from telemetry.clock import Clock
from telemetry.errors import StorageError, TailwatchError
from telemetry.findings import Finding
from telemetry.windows import NANOS

if TYPE_CHECKING:
    from tailwatch.access.certificate import Certificate

_EVALUATION = "evaluation"
_DELIVERY = "delivery"
_DELIVERY_NS = NANOS // 2
_MIRROR = "alertmanagers"
_DELIVERERS = 4
"""Passes over the outbox at once: one that waits for a slow receiver must not hold up the others."""
_REPORTS_NS = 5 * NANOS
_LABELS_NS = 5 * NANOS
_ESTIMATES_NS = 60 * NANOS
_FORECASTS_NS = 5 * NANOS
_COMPACTION_NS = 60 * NANOS
_RETENTION_NS = 600 * NANOS
_DIGESTS_NS = 2 * 86400 * NANOS
_INCIDENTS_NS = 400 * 86400 * NANOS

_log = logging.getLogger(__name__)


class Service:
    """Collector, evaluator, alerting and their schedule over one store."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        config: Path | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        """A service that reads ``settings`` anew from the file ``config``, if it is given one.

        Whoever listens for it does so with ``certificate``.
        """
        self.settings = settings
        self.certificate = certificate
        self.clock = clock
        self.started_ns = clock.now_ns()
        self._store = store
        self.queue_bytes = settings.queue_mib * MIB
        self.intake = Intake(store.commit, clock, store.pipeline, capacity_bytes=self.queue_bytes)
        self.membership = Membership(store.database, store.catalogue.rules, self.started_ns)
        self.rates = Rates()
        self.keyring = KeyRing(store.database, clock)
        self.guard = Guard(self.keyring, rules_of(settings), clock)
        self.alerting = Alerting(
            store.database, settings.alerting, clock, statuses=self._statuses, deliver_soon=self._deliver_soon
        )
        self.calls = Calls(store.database, settings.alerting, self.alerting.use)
        self._diagnoser = Diagnoser(store.database, store.catalogue.slos)
        self.evaluator = Evaluator(store.database, store.catalogue.slos, store.commit, self._act)
        self._labels = Labels(store.database, lambda: self.intake.pipeline.rules, store.pipeline.guard)
        self.reports = DriftReports(settings.data_dir / "reports", settings.url, store.catalogue.slos, self.alerting)
        self.reloader = Reloader(
            settings, store.catalogue, reread=partial(load_settings, config) if config else lambda: settings,
            database=store.database, intake=self.intake, adopt=self._adopt, alert_by=self._alert_by,
            agree=self.membership.agree, config=config, now_ns=self.started_ns,
        )  # fmt: skip
        self.estimates = Estimates(store.database, lambda: self.slos)
        self.forecasts = Forecasts(store.database, lambda: self.slos, self.evaluator.statuses)
        self.scraping = Scraping(store.targets, store.commit, store.pipeline.places)
        self._scheduler = Scheduler(self._jobs(), clock)

    @property
    def database(self) -> Database:
        """Where everything is kept."""
        return self._store.database

    @property
    def slos(self) -> SloSet:
        """The SLOs in force."""
        return self.reloader.catalogue.slos

    def slo(self, name: str) -> Slo | None:
        """The SLO of that name."""
        return self.slos.named(name)

    def start(self) -> None:
        """Load history and begin to evaluate.

        Raises:
            StorageError: the database cannot be used.
        """
        for problem in self.warnings():
            _log.warning("%s", problem)
        self.membership.step(self.clock.now_ns())
        self.evaluator.start(self.clock.now_ns())
        self._sample(self.clock.now_ns())
        self._scheduler.start()
        self._scheduler.wake(_EVALUATION)
        PROTOBUF.warm(self.settings.data_dir)

    def stop(self) -> None:
        """Commit what was accepted, evaluate and deliver once more, and end; what fails is logged and ends the rest."""
        self.intake.close()
        self.reports.close()
        self._scheduler.stop()
        self.scraping.close()
        now_ns = self.clock.now_ns()
        for name, step in (
            ("evaluation", self.evaluator.step),
            ("delivery", self.alerting.deliver),
            ("look at tokens", self.keyring.step),
        ):
            try:
                step(now_ns)
            except TailwatchError as error:
                _log.error("the last %s failed; the next start makes up for it: %s", name, error)
        self.evaluator.stop()
        self.membership.leave()

    def not_ready(self) -> str:
        """Why the service cannot do its work, or nothing."""
        last = self.evaluator.last
        if last is None:
            return "no evaluation has ended yet"
        stale_ns = max(30 * NANOS, 10 * self.settings.evaluation_interval)
        if self.clock.now_ns() - last.at_ns > stale_ns:
            return f"the last evaluation is {(self.clock.now_ns() - last.at_ns) / NANOS:.0f} s old; see the log"
        return ""

    def warnings(self) -> Sequence[object]:
        """What a user should know about the configuration, though it can be used."""
        found: list[object] = [*self.reloader.catalogue.warnings, *check_receivers(self.alerting.config)]
        found += self.membership.warnings()
        found += [f"{name} was changed: restart the service to put it in force" for name in self.reloader.state.restart]
        if self.certificate is not None:
            found += self.certificate.warnings(self.clock.now_ns())
        if self._prices_stale():
            found.append(f"{self.settings.prices}: the newest price is older than stale_after; check the prices")
        return found

    def overflowed(self) -> Mapping[str, int]:
        """Events counted in the overflow group, by rule, and points of metrics, by what there were too many of."""
        pipeline = self._store.pipeline
        return {**pipeline.guard.overflowed(), **pipeline.places.overflowed()}

    def sources(self) -> Sequence[SourceClock]:
        """Who sent within the last hour, and how their clocks compare."""
        return self._store.pipeline.clocks.sources(self.clock.now_ns())

    @cached_property
    def registry(self) -> CollectorRegistry:
        """Everything for Prometheus."""
        return registry_of(
            Sources(
                counters=self.intake.counters,
                decoder=lambda: PROTOBUF.state,
                overflowed=self.overflowed,
                sources=self.sources,
                slos=lambda: [self.forecasts.beside(status) for status in self.evaluator.statuses().values()],
                slo_events=self.evaluator.events.counts,
                evaluations=self._evaluations,
                open_incidents=self.alerting.unresolved,
                receivers=self.alerting.health,
                told=lambda: last_day(self.database, self.alerting.config, self.clock.now_ns()),
                prices_stale=self._prices_stale,
                configuration=lambda: self.reloader.state,
                certificate_ends=lambda: None if self.certificate is None else self.certificate.ends_s,
            )
        )

    def _jobs(self) -> tuple[Job, ...]:
        certificate = self.certificate
        return (
            *([] if certificate is None else [Job("certificate", NANOS, certificate.step)]),
            Job(_EVALUATION, self.settings.evaluation_interval, self.evaluator.step),
            Job(_DELIVERY, _DELIVERY_NS, self.alerting.deliver, overlapping=_DELIVERERS),
            Job(_MIRROR, EVERY_NS, self.alerting.mirror.step),
            Job("drift reports", _REPORTS_NS, self.reports.step),
            Job("labels", _LABELS_NS, self._count_labels),
            Job("scraping", NANOS, self.scraping.step),
            Job("heartbeat", HEARTBEAT_NS, self.membership.step),
            Job("configuration", POLL_NS, self.reloader.step),
            Job("rates", SAMPLE_NS, self._sample),
            Job("calls between services", CALLS_NS, self.calls.step),
            Job("tokens", REFRESH_NS, self.keyring.step),
            Job("estimates", _ESTIMATES_NS, self.estimates.step),
            Job("forecasts", _FORECASTS_NS, self.forecasts.step),
            Job("compaction", _COMPACTION_NS, self._compact),
            Job("retention", _RETENTION_NS, self._retain),
        )

    def _statuses(self) -> Mapping[str, Any]:
        return self.evaluator.statuses()

    def _deliver_soon(self) -> None:
        self._scheduler.wake(_DELIVERY)

    def _act(self, findings: Sequence[Finding], now_ns: int) -> None:
        changed = self.alerting.apply(
            findings,
            lambda finding: self._diagnoser.diagnose(finding, now_ns),
            now_ns,
            withdrawn=self.evaluator.withdrawn,
        )
        if changed:
            self._deliver_soon()
            self._scheduler.wake(_MIRROR)

    def _adopt(self, catalogue: Catalogue, recounted: frozenset[str]) -> None:
        """Let everybody use the SLOs of ``catalogue``."""
        gone = {name for name in self.evaluator.statuses() if catalogue.slos.named(name) is None}
        self._diagnoser.slos = self.reports.slos = catalogue.slos
        self.membership.use(catalogue.rules)
        self.evaluator.use(catalogue.slos, recounted)
        if gone and self.evaluator.position is not None:
            self._note_removal(gone)
        self._scheduler.wake(_EVALUATION)

    def _alert_by(self, config: AlertingConfig) -> None:
        """Go on alerting by ``config``; what stands in its way is told, as at a start."""
        self.calls.alert_by(config)
        for problem in check_receivers(config):
            _log.warning("%s", problem)
        self._scheduler.wake(_EVALUATION)
        self._scheduler.wake(_DELIVERY)

    def _note_removal(self, gone: Collection[str]) -> None:
        """Say on the timelines why the alerts of these SLOs end; who leads does it, so that it is said once."""
        try:
            for incident in [*self.alerting.incidents("open"), *self.alerting.incidents("acknowledged")]:
                named = {alert["labels"].get("slo") for alert in incident["alerts"]}.intersection(gone)
                if named:
                    text = f"{', '.join(sorted(named))}: no longer in the SLO files, so its alerts end"
                    self.alerting.comment(incident["id"], "tailwatch", text, self.clock.now_ns())
        except StorageError as error:
            _log.warning("no note of removed SLOs on their incidents: %s", error)

    def _count_labels(self, now_ns: int) -> None:
        if self.evaluator.position is not None:
            self._labels.step(now_ns)

    def _compact(self, now_ns: int) -> None:
        compact_points(self.database, now_ns)
        merge_blocks(self.database, now_ns)
        position = self.evaluator.position
        if position is not None:
            compact(self.database, now_ns, position, splits=self._splits())

    def _splits(self) -> Splits:
        """Where counts must not be folded together: edges of calendar periods and of corrections."""
        in_force = corrections.load(self.database)
        slos = self.slos
        return lambda start_ns, end_ns: slos.splits(start_ns, end_ns) | {*edges(in_force, start_ns, end_ns)}

    def _retain(self, now_ns: int) -> None:
        keeping = self.settings.keeping
        policy = RetentionPolicy(
            spans_ns=keeping["span"],
            logs_ns=keeping["log"],
            feedback_ns=keeping["feedback"],
            deltas_ns=self.settings.rollup_retention,
            digests_ns=_DIGESTS_NS,
        )
        retention.apply(self.database, now_ns, policy)
        forget_points(self.database, now_ns - self.settings.rollup_retention)
        self.alerting.forget(now_ns - _INCIDENTS_NS)

    def _sample(self, now_ns: int) -> None:
        self.rates.sample(self.intake.counters(), now_ns)

    def _evaluations(self) -> tuple[int, float, float]:
        last = self.evaluator.last
        return self.evaluator.steps, self.evaluator.seconds, 0.0 if last is None else last.at_ns / NANOS

    def _prices_stale(self) -> bool:
        return self.reloader.catalogue.prices.is_stale(self.clock.now_ns())
