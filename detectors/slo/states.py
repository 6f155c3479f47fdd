"""The state of a group's budget, told apart from mere silence; derived anew each time, never stored.

Silence is three things: a source that says nothing at all (no_telemetry), a source that is heard but has no events of
this group (no_traffic), and events too few to judge (not_enough_data). A source that is heard, but only of what is long
past, is late. None of them is ok, and none burns. While a budget correction covers this moment (corrected), nothing is
judged; nor can counts be judged that say more good events than events (misconfigured), as imported ratios can.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from detectors.slo.ledger import HOUR_NS, MINUTE_NS
from detectors.slo.tier import Counts

State = Literal[
    "ok",
    "burning",
    "exhausted",
    "corrected",
    "no_traffic",
    "no_telemetry",
    "not_enough_data",
    "late",
    "outage",
    "misconfigured",
]

RATE_WINDOW_NS: Final = 24 * HOUR_NS
"""The rate that silence is measured against is that of the last day."""
SHORTEST_SILENCE_NS: Final = 5 * MINUTE_NS
IMPROBABLE_GAP: Final = 13.8
"""A gap of this many mean gaps has probability 1e-6 in Poisson traffic: -ln 1e-6."""


def silence_limit_ns(events: Counts, over_ns: Counts) -> NDArray[np.float64]:
    """Nanoseconds without events from which on a series is silent; at least five minutes.

    A series without any event in the last day is silent however rare its events were before.

    Args:
        events: events of the last day, same shape as the result.
        over_ns: length of the history that they came in, at most a day.
    """
    gap_ns = np.divide(over_ns, events, out=np.zeros(np.shape(events)), where=events > 0)
    return np.asarray(np.maximum(gap_ns * IMPROBABLE_GAP, SHORTEST_SILENCE_NS))


def state_of(
    *,
    alerting: bool,
    remaining: float | None,
    bad: float,
    allowed: float,
    min_bad: int,
    silent: bool,
    source_silent: bool,
    source_late: bool,
    outage: bool,
    misconfigured: bool,
) -> State:
    """The state of one group; the first that applies.

    Args:
        alerting: whether any alert of the budget holds.
        remaining: share of the budget that is left; None without events in the SLO's window.
        bad: bad events in the window.
        allowed: bad events that the objective allows for the window's events.
        min_bad: bad events below which an overspent budget of few events means nothing.
        silent: whether the group has had no events for improbably long.
        source_silent: whether the service has sent nothing at all for improbably long.
        source_late: whether what the service sends now is of long ago, see :mod:`detectors.slo.punctuality`.
        outage: whether every event of the shortest window is bad, and there are enough of them.
        misconfigured: whether more events are good than there are.
    """
    holds: dict[State, bool] = {
        "misconfigured": misconfigured,
        "outage": outage and not source_silent,
        "burning": alerting,
        "exhausted": remaining is not None and remaining <= 0 and bad >= min_bad,
        "late": source_late,
        "no_telemetry": source_silent,
        "no_traffic": silent,
        "not_enough_data": remaining is None or (allowed < 1 and bad < min_bad),
    }
    return next((state for state, held in holds.items() if held), "ok")
