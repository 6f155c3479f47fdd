"""What a budget of money is in PromQL: how fast it is spent, over even spending; it writes no rule.

An amount B for a period P is spent evenly at B / P, so a rate of spending r burns at r P / B, over any window. Recorded
as the error ratio of a budget of 1, it goes through the rules and alerts that all budgets have.
"""

from __future__ import annotations

from detectors.slo.export.names import SPENT_USD
from detectors.slo.spec import Slo
from telemetry.rules import MONEY_UNIT
from telemetry.windows import NANOS


def speed_of_spending(slo: Slo, summed_rate: str) -> str:
    """Spending over even spending; no series where nothing was spent: who is silent and who is thrifty look alike."""
    assert slo.allowance is not None
    usd = f"{slo.allowance / MONEY_UNIT:.12g}"
    return f"(\n  {summed_rate}\n  * {_period_s(slo)} / {usd}\n) > 0\n"


def spent_rate(slo: Slo, window: str) -> str:
    """US dollars a second of each instance and group."""
    return f'rate({SPENT_USD}{{slo="{slo.name}"}}[{window}])'


def _period_s(slo: Slo) -> str:
    """Length of the period in seconds; PromQL knows the real one of a month only, and that in UTC."""
    if slo.calendar is not None and slo.calendar.unit == "month":
        return "scalar(days_in_month() * 86400)"
    return f"{slo.window_ns / NANOS:.12g}"
