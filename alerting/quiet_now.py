"""What keeps alerts quiet at a moment, from what is stored; what that means is for ``alerting.quieting`` to say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from alerting import repository, silence_book
from alerting.incidents import Alert
from alerting.quieting import Quieting
from alerting.routing import Route
from alerting.silences import Silence
from alerting.state import LIVING
from alerting.tables import alerts as table


def load_quieting(
    connection: Connection,
    root: Route | None,
    now_ns: int,
    alerts: Iterable[Alert],
    silences: Sequence[Silence] | None = None,
) -> Quieting:
    """What keeps these alerts quiet: the silences in force, the routes below ``root``, who inhibits them.

    ``silences`` are loaded where they are not given.
    """
    members = list(alerts)
    known = {alert.fingerprint: alert for alert in members}
    wanted = {alert.suppressed_by for alert in members if alert.suppressed_by is not None}
    if missing := sorted(wanted - known.keys()):
        for start in range(0, len(missing), 500):
            some = table.c.fingerprint.in_(missing[start : start + 500])
            elsewhere = repository.load_alerts(connection, table.c.status.in_(LIVING) & some)
            known |= {alert.fingerprint: alert for alert in elsewhere}
    inhibitors = {fingerprint: known[fingerprint] for fingerprint in wanted if fingerprint in known}
    in_force = silence_book.in_force(connection, now_ns) if silences is None else silences
    return Quieting(in_force, root, now_ns, inhibitors)
