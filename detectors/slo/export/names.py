"""Names of the metrics, labels and series that the exports and /metrics share; it writes no rule and counts nothing."""

from __future__ import annotations

import re
from typing import Final

from detectors.slo.spec import Slo
from telemetry.windows import format_duration

GOOD_EVENTS: Final = "tailwatch_slo_good_events_total"
VALID_EVENTS: Final = "tailwatch_slo_valid_events_total"
SPENT_USD: Final = "tailwatch_slo_spent_usd_total"
OBJECTIVE: Final = "slo:objective:ratio"
ERROR_BUDGET: Final = "slo:error_budget:ratio"
PERIOD_DAYS: Final = "slo:time_period:days"
CURRENT_BURN: Final = "slo:current_burn_rate:ratio"
PERIOD_BURN: Final = "slo:period_burn_rate:ratio"
BUDGET_REMAINING: Final = "slo:period_error_budget_remaining:ratio"
BURN_ALERT: Final = "ErrorBudgetBurn"
"""The engine's own name, so that routes and silences hold for both."""

_TAKEN: Final = {"instance": "service_instance", "job": "service_job"}
"""Labels that Prometheus gives every target, and what a field of that name is called instead."""


def is_counter(slo: Slo) -> bool:
    """Whether what the SLO is about only ever grows, events or money: slices are judged anew."""
    return slo.slice_ns is None


def label_name(field: str) -> str:
    """The label under which a group's field is exposed: ``feature.length`` is ``feature_length``."""
    return _TAKEN.get(field, re.sub(r"[^A-Za-z0-9_]", "_", field))


def group_label_names(slo: Slo) -> tuple[str, ...]:
    """``slo``, ``service`` and the labels of ``per``, in its order: what tells one budget from another."""
    return ("slo", "service", *(label_name(field) for field in slo.per if field != "service"))


def error_ratio(window_ns: int) -> str:
    """Name of the recorded error ratio over a window: ``slo:sli_error:ratio_rate5m``."""
    return f"slo:sli_error:ratio_rate{format_duration(window_ns)}"
