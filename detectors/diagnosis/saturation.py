"""Why a gauge is beyond its bound: what the requests of the time say, else the resource itself; it reads no gauge."""

from __future__ import annotations

from typing import Final

from detectors.diagnosis.latency import diagnose_latency
from detectors.diagnosis.situation import Situation, Verdict

_QUEUES: Final = ("queue_depth", "running", "batch_size")
"""Gauges of requests that wait or are worked on; all others are of a resource."""
_EXPLAINS: Final = ("queue-saturation", "bad-release", "cold-start", "input-drift")
"""What requests can say that explains a gauge; that they are slower, too, does not."""


def diagnose_saturation(situation: Situation) -> Verdict:
    """The cause that the requests show, if it explains the gauge; else what the gauge is of."""
    if len(situation.after):
        seen = diagnose_latency(situation)
        if seen.cause in _EXPLAINS:
            return seen
    gauge = situation.gauge or "the gauge"
    told = "the requests of the time do not say why" if len(situation.after) else "no requests of the time are stored"
    cause = "queue-saturation" if situation.gauge in _QUEUES else "resource-saturation"
    return Verdict(cause, f"{gauge} is beyond its bound; {told}", None, dict(situation.labels))
