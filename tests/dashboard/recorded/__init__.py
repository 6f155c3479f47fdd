"""Answers of the service's HTTP API for one busy afternoon, built from a fixed seed and a fixed clock.

`request-errors` is exhausted by code inputs, `classify-latency` burns, `queue-wait` has gone silent, the rest
is fine or quiet. Every document has the shape that the API promises; tests that need a broken one break a copy.
"""

from tests.dashboard.recorded.budgets import SENTENCE, corrections, forecast
from tests.dashboard.recorded.collector import overflow, services, sources, status
from tests.dashboard.recorded.incidents import evidence, incidents
from tests.dashboard.recorded.measurements import heatmap, series
from tests.dashboard.recorded.moment import MALICIOUS, NOW
from tests.dashboard.recorded.slos import WINDOW_S, group, history, slo, slos
from tests.dashboard.recorded.traces import TRACE_ID, trace, traces

__all__ = [
    "MALICIOUS",
    "NOW",
    "SENTENCE",
    "TRACE_ID",
    "WINDOW_S",
    "corrections",
    "evidence",
    "forecast",
    "group",
    "heatmap",
    "history",
    "incidents",
    "overflow",
    "series",
    "services",
    "slo",
    "slos",
    "sources",
    "status",
    "trace",
    "traces",
]
