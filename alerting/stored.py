"""What an evaluation goes by, as it is stored, kept from one to the next until it changes; nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from sqlalchemy import Connection

from alerting import repository
from alerting.dispatch import Dispatch
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

    def since(self, recent_ns: int) -> Self:
        """It without what ended too long ago to count, as :func:`repository.load_world` would have it."""
        living = [alert for alert in self.world.alerts if alert.state.status in LIVING]
        speaking = {alert.incident for alert in living}
        incidents = tuple(
            one
            for one in self.world.incidents
            if one.status != "resolved" or (one.resolved_ns or 0) >= recent_ns or one.number in speaking
        )
        if len(incidents) == len(self.world.incidents) and len(living) == len(self.world.alerts):
            return replace(self, recent_ns=recent_ns)
        numbers = {one.number for one in incidents}
        alerts = tuple(one for one in self.world.alerts if one.state.status in LIVING or one.incident in numbers)
        told = {key: what for key, what in self.told.items() if key[0] in numbers}
        return replace(
            self, recent_ns=recent_ns, world=replace(self.world, alerts=alerts, incidents=incidents), told=told
        )

    def followed_by(self, world: World, told: Iterable[Dispatch]) -> Self:
        """What is stored once an evaluation that went by this has stored that world, and what it tells."""
        known = {(one.number, one.receiver, one.group_key): one.known for one in told}
        return replace(self, revision=self.revision + 1, world=world, told={**self.told, **known})


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
            kept = self._kept = None  # or there would be two while the next is read
            world = repository.load_world(connection, recent_ns)
            told = repository.load_told(connection, [incident.number for incident in world.incidents])
            kept = Stored(revision, recent_ns, world, told)
        # Not looked up again: another evaluation may keep another revision meanwhile.
        kept = self._kept = kept.since(recent_ns)
        return kept

    def keep(self, stored: Stored) -> None:
        """Go on from this, which has just been committed, instead of reading it."""
        self._kept = stored
