"""When the requests of a simulation come in: at once, unless an incident delays or withholds them. It counts none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tailwatch.simulation.scenario import Scenario
from tailwatch.simulation.struck import strength_of, strikes_within
from telemetry.columns import Columns
from telemetry.windows import BUCKET_NS


class Arrivals:
    """Parts requests by when they come in."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._troubles = [one for one in scenario.disturbances if one.silent or one.delay_ns]

    @property
    def names(self) -> frozenset[str]:
        """The fields of requests that are needed to know which are struck."""
        return frozenset(name for one in self._troubles for name in one.where)

    def parts(self, requests: Columns) -> Iterator[tuple[int | None, Columns]]:
        """Requests that come in together, and from when on (ns) they are known; None for as soon as their bucket is.

        Those that are withheld are in no part.
        """
        struck = [one for one in self._troubles if strikes_within(one, self._scenario, requests)]
        if not struck:
            yield None, requests
            return
        delay_ns = np.zeros(len(requests), dtype=np.int64)
        sent = np.ones(len(requests), dtype=np.bool_)
        for one in struck:
            strength = strength_of(one, self._scenario, requests)
            delay_ns += (one.delay_ns * strength).astype(np.int64)
            if one.silent:
                sent &= strength == 0
        at_once = np.flatnonzero(sent & (delay_ns == 0))
        if len(at_once):
            yield None, requests.take(at_once)
        late = np.flatnonzero(sent & (delay_ns > 0))
        came_ns = (requests.time_ns[late] + delay_ns[late]) // BUCKET_NS * BUCKET_NS
        for start_ns in np.unique(came_ns).tolist():
            rows = late[came_ns == start_ns]
            yield start_ns + BUCKET_NS, replace(requests.take(rows), received_ns=start_ns)
