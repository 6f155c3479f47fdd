"""Alerting as the rest of Tailwatch sees it: findings in, incidents and notifications out; it detects nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from alerting import dead_letters, outbox, posted, postmortem, repository, silence_book
from alerting.actions import Actions, find_incident, person
from alerting.composing import leased_notification
from alerting.config import AlertingConfig
from alerting.delivery import Courier, DeliveryPolicy, DeliveryReport
from alerting.dispatch import Dispatch
from alerting.documents import alert_document, event_document, incident_document
from alerting.explaining import Diagnose, diagnose_some
from alerting.hearing_now import hearing_documents
from alerting.hooks import documents as hook_documents
from alerting.hooks.actions import HookActions
from alerting.incidents import Alert, Incident, format_id
from alerting.mirror import Mirror
from alerting.notifications import Notification
from alerting.outbox import Leased, ReceiverHealth
from alerting.planning import Plan, plan
from alerting.posted import PostedAlert
from alerting.postmortem_charts import Curve, Graphs
from alerting.quiet_now import load_quieting
from alerting.runbooks.library import Runbook, RunbookLibrary
from alerting.runbooks.live import LiveSteps, Statuses, not_asked
from alerting.runbooks.rendering import first_step, render
from alerting.second_looks import SecondLooks
from alerting.silence_book import SilenceBook
from alerting.steps import Step, advance
from alerting.stored import Latest, Stored
from alerting.telling import Setup, due, queue
from storage.database import Database
from telemetry.clock import Clock, SystemClock
from telemetry.findings import Diagnosis, Finding

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Look:
    """What is stored, what holds now by fingerprint, and how the alerts change; ``seen`` is all that they go by."""

    seen: tuple[object, ...]
    stored: Stored
    findings: Mapping[str, Finding]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class _Decision:
    """What an evaluation would change, as the database stands."""

    plan: Plan
    dispatches: list[Dispatch]

    @property
    def empty(self) -> bool:
        return not (self.plan.alerts or self.plan.dropped or self.plan.changed or self.dispatches)


class Alerting(Actions, HookActions):
    """Alerts, incidents and their delivery, over one database.

    Args:
        database: with the schema of this Tailwatch.
        config: receivers, routes and timing.
        clock: only measures how long deliveries take; the time itself is every method's argument.
        runbooks: by default those that are shipped, and the folder that the configuration names.
        delivery: how deliveries are tried.
        statuses: every SLO as the HTTP API shows it, by name, for the live steps of runbooks.
        deliver_soon: called after each commit of what a person did, so that nobody waits for the next pass.

    Attributes:
        silences: what people keep quiet for a while.
        mirror: keeps Alertmanagers informed.
    """

    def __init__(
        self,
        database: Database,
        config: AlertingConfig,
        clock: Clock | None = None,
        runbooks: RunbookLibrary | None = None,
        *,
        delivery: DeliveryPolicy | None = None,
        statuses: Statuses = dict,
        deliver_soon: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._deliver_soon = deliver_soon
        self.silences = SilenceBook(database)
        self.mirror = Mirror(database, config.alertmanagers, config.external_url)
        self._setup = Setup.of(config, RunbookLibrary(config.runbooks) if runbooks is None else runbooks)
        self._looks = SecondLooks()
        self._latest = Latest()
        self._live = LiveSteps(database, statuses)
        receivers = (*config.receivers, *self._setup.hooks.callers(database, config.trust))
        policy = delivery or DeliveryPolicy()
        self._courier = Courier(database, receivers, policy, clock or SystemClock(), self._compose)

    @property
    def config(self) -> AlertingConfig:
        """What is in force."""
        return self._setup.config

    def use(self, config: AlertingConfig) -> None:
        """Go on by another configuration; what waits for a receiver that it lacks is given up, with the reason.

        Raises:
            ConfigError: its runbooks cannot be read; everything stays as it was.
        """
        setup = Setup.of(config, RunbookLibrary(config.runbooks))
        # The courier first: whatever is queued by the new routes finds its receiver there.
        self._courier.use((*config.receivers, *setup.hooks.callers(self._database, config.trust)))
        self.mirror.use(config.alertmanagers, config.external_url)
        self._setup = setup

    def apply(
        self, findings: Sequence[Finding], diagnose: Diagnose, now_ns: int, *, withdrawn: Collection[str] = ()
    ) -> list[str]:
        """Take over one evaluation: alert states, incidents and notifications change in one transaction, or not at all.

        Args:
            findings: every condition that holds now; what is missing has ended.
            diagnose: says why a finding holds. It is called before the transaction, for alerts that begin to fire
                and for young incidents anew, the most important first, as :mod:`alerting.explaining` chooses;
                when it fails, the alert still fires.
            now_ns: nanoseconds since the epoch.
            withdrawn: fingerprints of alerts whose findings late data proved wrong.

        Returns:
            The ids of the incidents that were opened or changed.

        Raises:
            StorageError: the database cannot be used; nothing has changed, and the next evaluation makes up for it.
        """
        self._setup.standing.turn()
        with self._database.read() as connection:
            look = self._look(connection, repository.load_revision(connection), findings, now_ns, withdrawn)
            again = {incident.primary for incident in self._looks.due(look.stored.world.incidents, now_ns)}
            # Where alerts change there is something to store; what exactly is decided once, in the transaction.
            steady = not look.steps and self._decide(connection, look, {}, now_ns).empty
        if steady and not again:
            return []
        firing = [step.after for step in look.steps if step.fires]
        firing += [alert for alert in look.stored.world.alerts if alert.fingerprint in again]
        diagnoses = diagnose_some(firing, findings, diagnose)
        if steady and not diagnoses:
            return []
        with self._database.write() as connection:
            revision = repository.lock(connection)
            look = self._look(connection, revision, findings, now_ns, withdrawn, earlier=look)
            decision = self._decide(connection, look, diagnoses, now_ns)
            world = repository.save(connection, decision.plan, look.stored.world)
            queue(connection, decision.dispatches)
            changed = [decision.plan.incidents[number] for number in sorted(decision.plan.changed)]
            before = {incident.number: incident for incident in look.stored.world.incidents}
            members = {one.number: tuple(decision.plan.members.get(one.number, {}).values()) for one in changed}
            self._setup.hooks.react(connection, before, changed, members, now_ns)
        self._latest.keep(look.stored.followed_by(world, decision.dispatches))
        return [format_id(number) for number in sorted(decision.plan.changed)]

    def deliver(self, now_ns: int) -> DeliveryReport:
        """Send what is due; safe to call from several threads and processes at once.

        Raises:
            StorageError: the database cannot be used.
        """
        return self._courier.deliver(now_ns)

    def incidents(
        self, status: str | None = None, *, service: str | None = None, limit: int = 200, now_ns: int | None = None
    ) -> list[dict[str, Any]]:
        """``INC`` documents of the HTTP API, the newest first; with ``now_ns`` with what keeps alerts quiet then."""
        with self._database.read() as connection:
            found = repository.list_incidents(connection, status=status, service=service, limit=limit)
            members = repository.load_members(connection, [incident.number for incident in found])
            if now_ns is None:
                return [incident_document(incident, members[incident.number]) for incident in found]
            every = chain.from_iterable(members.values())
            quieting = load_quieting(connection, self.config.route, now_ns, every)
        return [
            incident_document(incident, members[incident.number]) | quieting.summary(members[incident.number])
            for incident in found
        ]

    def unresolved(self) -> dict[str, int]:
        """How many incidents are not resolved, by severity.

        Raises:
            StorageError: the database cannot be used.
        """
        with self._database.read() as connection:
            return repository.count_unresolved(connection)

    def incident(self, incident_id: str, now_ns: int | None = None) -> dict[str, Any]:
        """``INC`` with ``timeline``, ``evidence``, its runbook, ``hooks`` that fit it, and ``hook_runs``.

        The live steps of the runbook, what keeps alerts quiet (``suppressed``) and who hears of it (``hearing``) are
        answered as of ``now_ns``; without it they are not asked.

        Raises:
            NotFoundError: there is no such incident.
        """
        with self._database.read() as connection:
            incident = find_incident(connection, incident_id)
            members = repository.load_members(connection, [incident.number])[incident.number]
            timeline = repository.load_timeline(connection, incident.number)
            setup = self._setup
            hooks = hook_documents.of_incident(connection, setup.config.hooks, incident, members)
            quieting, hearing = None, {}
            if now_ns is not None:
                quieting = load_quieting(connection, setup.config.route, now_ns, members)
                hearing = {"hearing": hearing_documents(connection, incident, members, setup.config, quieting)}
        runbook = self._rendered(setup.runbooks.choose(incident.runbook, incident.cause), incident, members, now_ns)
        return (
            incident_document(incident, members, quieting=quieting)
            | ({} if quieting is None else quieting.summary(members))
            | hearing
            | hooks
            | {
                "timeline": [event_document(event) for event in timeline],
                "evidence": dict(incident.evidence),
                "runbook_markdown": runbook,
                "runbook_first_step": first_step(runbook),
            }
        )

    def runbooks(self) -> list[dict[str, Any]]:
        """Every runbook: its name, title, causes and kinds of SLI, and whether it is the user's own."""
        return [runbook.document() for runbook in self._setup.runbooks.all()]

    def runbook(self, incident_id: str, name: str, now_ns: int) -> dict[str, Any]:
        """One runbook, filled with an incident's evidence and with live answers, as Markdown.

        Raises:
            NotFoundError: there is no such incident or runbook.
        """
        with self._database.read() as connection:
            incident = find_incident(connection, incident_id)
            members = repository.load_members(connection, [incident.number])[incident.number]
        runbook = self._setup.runbooks.named(name)
        return runbook.document() | {"markdown": self._rendered(runbook, incident, members, now_ns)}

    def _rendered(self, runbook: Runbook, incident: Incident, members: list[Alert], now_ns: int | None) -> str:
        live = not_asked if now_ns is None else self._live.of(incident, members, now_ns)
        document = incident_document(incident, members)
        return render(runbook, document, incident.evidence, self._setup.config.external_url, live)

    def postmortem(self, incident_id: str, curves: Sequence[Curve], now_ns: int, graphs: Graphs = "mermaid") -> str:
        """A post-mortem drafted from the incident, with the given curves, as Markdown.

        Raises:
            NotFoundError: there is no such incident.
        """
        with self._database.read() as connection:
            incident = find_incident(connection, incident_id)
            timeline = repository.load_timeline(connection, incident.number)
        return postmortem.draft(incident, timeline, curves, now_ns, graphs)

    def living(self) -> tuple[Alert, ...]:
        """The alerts that are pending, firing or suppressed now."""
        with self._database.read() as connection:
            return repository.load_living(connection)

    def alerts(self) -> list[dict[str, Any]]:
        """The documents of the alerts that are pending, firing or suppressed now, with the ids of their incidents."""
        return [
            alert_document(alert) | {"incident": None if alert.incident is None else format_id(alert.incident)}
            for alert in self.living()
        ]

    def post(self, alerts: Sequence[PostedAlert], now_ns: int, *, actor: str) -> None:
        """Take in alerts that somebody else evaluates; the next evaluation treats them like its own findings.

        Raises:
            StorageError: the database cannot be used; none was taken in.
        """
        with self._database.write() as connection:
            posted.store(connection, alerts, now_ns, actor=actor)

    def health(self) -> tuple[ReceiverHealth, ...]:
        """How delivery to each receiver stands."""
        with self._database.read() as connection:
            receivers = outbox.health(connection, self._receivers)
            lost = dead_letters.counted(connection, self._receivers)
        return tuple(replace(one, undelivered=lost[one.receiver]) for one in receivers) + self.mirror.health()

    def undelivered(self) -> list[dict[str, Any]]:
        """The documents of the notifications that were given up, and that nothing later has made good."""
        with self._database.read() as connection:
            return dead_letters.listed(connection, self._receivers)

    def retry_undelivered(self, number: int | None, author: str, now_ns: int, *, actor: str) -> list[dict[str, Any]]:
        """Let one of them be tried again, or all; the documents of those that are.

        Raises:
            NotFoundError: there is no such notification.
            ConflictError: it was not given up, or has been overtaken.
            PayloadError: there is no author.
        """
        who = person(author, "author")
        with self._database.write() as connection:
            again = dead_letters.retry(connection, self._receivers, number, author=who, actor=actor, now_ns=now_ns)
        self._deliver_soon()
        return again

    def _compose(self, leased: Leased, now_ns: int) -> Notification:
        with self._database.read() as connection:
            silences = self.silences.recently(connection, now_ns)
            return leased_notification(connection, leased, self._setup, silences, now_ns)

    @property
    def _receivers(self) -> list[str]:
        return [receiver.id for receiver in self.config.receivers]

    def forget(self, before_ns: int) -> int:
        """Delete what ended before a moment: incidents with everything about them, silences; how many incidents."""
        with self._database.write() as connection:
            repository.lock(connection)
            silence_book.delete_ended_before(connection, before_ns)
            posted.delete_ended_before(connection, before_ns)
            return repository.delete_resolved_before(connection, before_ns)

    def _look(
        self,
        connection: Connection,
        revision: int,
        findings: Sequence[Finding],
        now_ns: int,
        withdrawn: Collection[str],
        earlier: _Look | None = None,
    ) -> _Look:
        """How the alerts change; as it was found ``earlier`` in this evaluation, where nothing differs since."""
        timing, rules = self.config.timing, self.config.inhibit_rules
        stored = self._latest.read(connection, now_ns - timing.reopen_within_ns, revision)
        # Our own first: of two with the same labels the first counts.
        held = [*findings, *(alert.finding() for alert in posted.active(connection, now_ns))]
        silences = silence_book.in_force(connection, now_ns)
        seen = (timing, rules, revision, held, silences)
        if earlier is not None and earlier.seen == seen:
            return earlier
        alerts = stored.world.alerts
        steps = advance(alerts, held, now_ns, timing, withdrawn=withdrawn, silences=silences, inhibit_rules=rules)
        return _Look(seen, stored, {finding.fingerprint: finding for finding in reversed(held)}, steps)

    def _decide(
        self, connection: Connection, look: _Look, diagnoses: Mapping[str, Diagnosis], now_ns: int
    ) -> _Decision:
        setup = self._setup
        draft = plan(look.stored.world, look.steps, diagnoses, now_ns, setup.rules)
        members = {number: tuple(group.values()) for number, group in draft.members.items()}
        found = due(
            setup, connection, draft.incidents, members, now_ns,
            directory=setup.standing, told=look.stored.told, findings=look.findings,
        )  # fmt: skip
        return _Decision(draft, found)
