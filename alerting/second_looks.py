"""When an incident is diagnosed again: the first page must not wait for more data, but its explanation gains by it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from alerting.incidents import Incident
from telemetry.windows import NANOS

LOOKS_NS: Final = (10 * NANOS, 30 * NANOS, 120 * NANOS)
"""Ages at which an open incident's primary alert is diagnosed anew: two batches of an exporter later, and so on."""


class SecondLooks:
    """Remembers which looks were taken; after a restart, looks that are overdue are taken once."""

    def __init__(self) -> None:
        self._taken: dict[int, int] = {}

    def due(self, incidents: Iterable[Incident], now_ns: int) -> list[Incident]:
        """The unresolved incidents that have reached the age of their next look, and count it as taken."""
        waiting = [incident for incident in incidents if incident.status != "resolved"]
        taken = {incident.number: self._taken.get(incident.number, 0) for incident in waiting}
        due = []
        for incident in waiting:
            reached = sum(now_ns - incident.opened_ns >= age_ns for age_ns in LOOKS_NS)
            if reached > taken[incident.number]:
                taken[incident.number] = reached
                due.append(incident)
        self._taken = taken
        return due
