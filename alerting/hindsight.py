"""What the stored incidents of a period say about alerting itself: how quickly, and how noisy; it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, func, select

from alerting.config import AlertingConfig
from alerting.figures import figures_document
from alerting.handled import Handled, is_notification, load_handled
from alerting.noise import DAY_NS, Noise, Sent, noise, over_budget
from alerting.tables import incidents, outbox
from storage.database import Database
from storage.tables import slo_revisions

_LOOKED_AT: Final = 20
"""Incidents of an SLO, the latest, whose evidence advice is drawn from."""


def response_figures(database: Database, since_ns: int, until_ns: int) -> dict[str, Any]:
    """MTTA and MTTR of the incidents that were opened in a period, as the API gives them.

    Raises:
        StorageError: the database cannot be used.
    """
    with database.read() as connection:
        handled = load_handled(connection, since_ns, until_ns)
    return figures_document(handled, since_ns, until_ns)


def noise_report(database: Database, config: AlertingConfig, since_ns: int, until_ns: int) -> Noise:
    """How noisy a period was.

    Raises:
        StorageError: the database cannot be used.
    """
    with database.read() as connection:
        handled = load_handled(connection, since_ns, until_ns)
        sent = _sent(connection, since_ns, until_ns)
        evidence = _evidence(connection, _latest_of_each(handled))
        began_ns = _began(connection)
    return noise(
        sent,
        handled,
        evidence,
        receivers=[receiver.id for receiver in config.receivers],
        budgets=config.noise_budgets,
        since_ns=since_ns,
        until_ns=until_ns,
        began_ns=began_ns,
    )


def last_day(database: Database, config: AlertingConfig, now_ns: int) -> Mapping[str, tuple[int, int, bool]]:
    """Pages and notifications of each receiver within the last 24 hours, and whether that is beyond its budget.

    Raises:
        StorageError: the database cannot be used.
    """
    with database.read() as connection:
        sent = _sent(connection, now_ns - DAY_NS, now_ns + 1)
    found: dict[str, tuple[int, int, bool]] = {}
    limits = {budget.receiver: budget for budget in config.noise_budgets}
    for receiver in config.receivers:
        own = [one for one in sent if one.receiver == receiver.id]
        pages = sum(one.page for one in own)
        found[receiver.id] = (pages, len(own), over_budget(pages, len(own), limits.get(receiver.name)))
    return found


def _sent(connection: Connection, since_ns: int, until_ns: int) -> list[Sent]:
    row = outbox.c
    query = (
        select(row.receiver, row.incident, row.reason, row.severity, row.concluded_ns)
        .where(
            row.concluded_ns >= since_ns, row.concluded_ns < until_ns, row.status == "delivered", is_notification()
        )
        .order_by(row.concluded_ns)
    )  # fmt: skip
    return [Sent(*found) for found in connection.execute(query)]


def _began(connection: Connection) -> int | None:
    """When the first SLO was there to be evaluated, an incident was opened or somebody was told, as far as is kept."""
    told = select(func.min(outbox.c.concluded_ns)).where(outbox.c.status == "delivered")
    firsts = (select(func.min(slo_revisions.c.created_ns)), select(func.min(incidents.c.opened_ns)), told)
    known = [at_ns for first in firsts if (at_ns := connection.execute(first).scalar()) is not None]
    return min(known, default=None)


def _latest_of_each(handled: Sequence[Handled]) -> list[int]:
    """The numbers of the latest incidents of each SLO."""
    of_slo: dict[str, list[int]] = {}
    for one in handled:
        of_slo.setdefault(one.slo, []).append(one.number)
    return [number for numbers in of_slo.values() for number in sorted(numbers)[-_LOOKED_AT:]]


def _evidence(connection: Connection, numbers: Iterable[int]) -> dict[int, Mapping[str, Any]]:
    wanted, found = list(numbers), {}
    for start in range(0, len(wanted), 500):
        query = select(incidents.c.number, incidents.c.evidence)
        for row in connection.execute(query.where(incidents.c.number.in_(wanted[start : start + 500]))):
            found[row.number] = json.loads(row.evidence)
    return found
