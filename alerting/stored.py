"""What an evaluation goes by, as it is stored, kept from one to the next until it changes; nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from alerting import repository
from alerting.notifications import Told
from alerting.planning import World
from alerting.state import LIVING


@dataclass(frozen=True, slots=True)
class Stored:
    """Alerts and incidents at a revision, as far back as ``recent_ns``, and what was told of the incidents."""

    revision: int
    recent_ns: int
    world: World
    told: Mapping[tuple[int, str, str], Told]


class Latest:
    """Reads what is stored, once for each revision: in a steady state, however large, an evaluation loads nothing."""

    def __init__(self) -> None:
        self._kept: Stored | None = None

    def read(self, connection: Connection, recent_ns: int, revision: int) -> Stored:
        """What an evaluation goes by.

        Args:
            connection: within the transaction that decides.
            recent_ns: incidents that were resolved since then count still, in nanoseconds since the epoch.
            revision: the present one. It must have been read before, so that what is read here is no older.
        """
        kept = self._kept
        if kept is None or kept.revision != revision or recent_ns < kept.recent_ns:
            self._kept = None  # or there would be two while the next is read
            world = repository.load_world(connection, recent_ns)
            told = repository.load_told(connection, [incident.number for incident in world.incidents])
            kept = Stored(revision, recent_ns, world, told)
        self._kept = replace(kept, recent_ns=recent_ns, world=_since(kept.world, recent_ns))
        return self._kept


def _since(world: World, recent_ns: int) -> World:
    """The world without incidents that ended too long ago to count, as :func:`repository.load_world` would have it."""
    if not any(one.resolved_ns is not None and one.resolved_ns < recent_ns for one in world.incidents):
        return world
    living = {alert.incident for alert in world.alerts if alert.state.status in LIVING}
    kept = tuple(
        one
        for one in world.incidents
        if one.status != "resolved" or (one.resolved_ns or 0) >= recent_ns or one.number in living
    )
    numbers = {one.number for one in kept}
    alerts = tuple(one for one in world.alerts if one.state.status in LIVING or one.incident in numbers)
    return replace(world, alerts=alerts, incidents=kept)
