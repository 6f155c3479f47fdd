"""What is to be told of incidents as they stand, decided and queued within a transaction; it sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from sqlalchemy import Connection

from alerting import outbox, repository
from alerting.config import AlertingConfig
from alerting.correlation import related_services
from alerting.dispatch import Directory, Dispatch, StandingDirectory, dispatches
from alerting.hooks.desk import HookDesk
from alerting.incidents import MACHINE, Alert, Incident, TimelineEvent
from alerting.notifications import Notification, Told
from alerting.outbox import Queued
from alerting.planning import PlanRules
from alerting.runbooks.library import RunbookLibrary
from telemetry.findings import Finding


@dataclass(frozen=True, slots=True)
class Setup:
    """A configuration and what follows from it: who works by it sees all of it, or all of the next one.

    Attributes:
        standing: the directory of evaluations, which ask for the same again and again.
    """

    config: AlertingConfig
    runbooks: RunbookLibrary
    rules: PlanRules
    directory: Directory
    standing: StandingDirectory
    hooks: HookDesk

    @classmethod
    def of(cls, config: AlertingConfig, runbooks: RunbookLibrary) -> Self:
        """The configuration with these runbooks."""
        related = related_services(config.depends_on)
        rules = PlanRules(config.timing, config.correlation_ns, runbooks, related, config.route)
        hooks = HookDesk(config.hooks, config.external_url)
        return cls(config, runbooks, rules, Directory(config), StandingDirectory(config), hooks)


def due(
    setup: Setup,
    connection: Connection,
    incidents: Mapping[int, Incident],
    members: Mapping[int, Sequence[Alert]],
    now_ns: int,
    *,
    directory: Directory | None = None,
    told: Mapping[tuple[int, str, str], Told] | None = None,
    findings: Mapping[str, Finding] | None = None,
) -> list[Dispatch]:
    """What is to be told now of these incidents, with their alerts.

    ``directory`` is by default that of who asks once; ``told``, what receivers were told before, is loaded.
    """
    if setup.config.route is None or not incidents:
        return []
    numbers = sorted(incidents)
    return dispatches(
        [incidents[number] for number in numbers],
        members,
        told=repository.load_told(connection, numbers) if told is None else told,
        unsaid=outbox.unsaid(connection, [number for number in numbers if any(map(_damped, members.get(number, ())))]),
        config=setup.config,
        directory=directory or setup.directory,
        now_ns=now_ns,
        findings=findings or {},
    )


def _damped(alert: Alert) -> bool:
    """Whether it fires and is quiet: what has not been delivered yet matters to no other alert."""
    return alert.state.damped and alert.state.status == "firing"


def queue(
    connection: Connection, found: Sequence[Dispatch], told: Callable[[Dispatch], Notification] | None = None
) -> None:
    """Remember what receivers will have been told, and let it be delivered.

    What is told is put together when it is sent, or now by ``told`` where that will not be possible any more.
    """
    repository.save_told(connection, [((one.number, one.receiver, one.group_key), one.known) for one in found])
    told_too = "Nobody has acknowledged it: {} is told too"
    repository.append_events(
        connection,
        (
            (one.number, TimelineEvent(one.known.at_ns, "escalated", MACHINE, told_too.format(one.receiver)))
            for one in found
            if one.escalates
        ),
    )
    outbox.enqueue(
        connection,
        (
            Queued(
                one.number,
                one.opened_ns,
                one.receiver,
                one.group_key,
                one.reason,
                one.known,
                one.figures,
                None if told is None else told(one),
            )
            for one in found
            if one.said
        ),
    )
