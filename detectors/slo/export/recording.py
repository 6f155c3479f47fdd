"""The recording rules of one SLO: error ratios by window, objective, burn and budget. It raises no alert.

An error ratio is 1 - rate(good) / rate(valid), summed over the instances of Tailwatch first. Both counters are scraped
together, so what ``rate`` extrapolates cancels. Without events there is no series: silence burns nothing and is never
100 %. Of a budget of money the ratio is that of its spending to even spending.
"""

from __future__ import annotations

from typing import Final

from detectors.slo.export.names import (
    BUDGET_REMAINING,
    CURRENT_BURN,
    ERROR_BUDGET,
    GOOD_EVENTS,
    OBJECTIVE,
    PERIOD_BURN,
    PERIOD_DAYS,
    VALID_EVENTS,
    error_ratio,
    group_label_names,
)
from detectors.slo.export.omissions import SCRAPE_NS, expressible_pair
from detectors.slo.export.rule import Recording, verbatim
from detectors.slo.export.spending import speed_of_spending, spent_rate
from detectors.slo.spec import BurnPair, Slo
from telemetry.windows import NANOS, format_duration, parse_duration

_DAY_S: Final = 86400
_PLAIN_WINDOWS_NS: Final = (parse_duration("5m"), parse_duration("1h"))
"""What is recorded of an SLO that has no burn alert."""


def number(value: float) -> str:
    """A number as PromQL reads it, without the float's noise."""
    return f"{value:.12g}"


def pairs_of(slo: Slo, scrape_ns: int = SCRAPE_NS) -> tuple[BurnPair, ...]:
    """The burn pairs that the rules alert on."""
    return tuple(pair for pair in slo.policy.pairs if expressible_pair(pair, scrape_ns))


def alert_windows(slo: Slo, scrape_ns: int = SCRAPE_NS) -> list[int]:
    """The windows (ns) over which the error ratio is recorded for alerts, ascending."""
    pairs = pairs_of(slo, scrape_ns)
    used = {window_ns for pair in pairs for window_ns in (pair.long_ns, pair.short_ns)}
    return sorted(used or _PLAIN_WINDOWS_NS)


def identity(slo: Slo) -> dict[str, str]:
    """The labels by which every rule says whose it is: two rules of one name may not have the same labels."""
    return {"slo": slo.name, "service": verbatim(slo.service)}


def summed(slo: Slo, per_instance: str) -> str:
    """An expression summed over everything but the SLO's own groups."""
    return f"sum by ({', '.join(group_label_names(slo))}) ({per_instance})"


def ratio_rules(slo: Slo, scrape_ns: int = SCRAPE_NS) -> list[Recording]:
    """The error ratio over every window of the SLO's alerts, and how fast the budget burns over the shortest."""
    windows = alert_windows(slo, scrape_ns)
    burn = f"{_select(error_ratio(windows[0]), slo)} / {number(slo.error_budget)}"
    return [*(_ratio_rule(slo, window_ns) for window_ns in windows), Recording(CURRENT_BURN, burn, identity(slo))]


def period_rules(slo: Slo, scrape_ns: int = SCRAPE_NS) -> list[Recording]:
    """Objective, budget and length of the SLO's window; of a rolling one also what is burnt and left of the budget."""
    fixed = identity(slo)
    objective = [Recording(OBJECTIVE, f"vector({number(slo.objective)})", fixed)] if slo.allowance is None else []
    rules = [
        *objective,
        Recording(ERROR_BUDGET, f"vector({number(slo.error_budget)})", fixed),
        Recording(PERIOD_DAYS, f"vector({number(slo.window_ns / NANOS / _DAY_S)})", fixed),
    ]
    if slo.calendar is not None:
        return rules
    if slo.window_ns not in alert_windows(slo, scrape_ns):
        rules.append(_ratio_rule(slo, slo.window_ns))
    burn = f"{_select(error_ratio(slo.window_ns), slo)} / {number(slo.error_budget)}"
    left = f"1 - {_select(PERIOD_BURN, slo)}"
    return [*rules, Recording(PERIOD_BURN, burn, fixed), Recording(BUDGET_REMAINING, left, fixed)]


def _ratio_rule(slo: Slo, window_ns: int) -> Recording:
    window = format_duration(window_ns)
    if slo.allowance is not None:
        expr = speed_of_spending(slo, summed(slo, spent_rate(slo, window)))
        return Recording(error_ratio(window_ns), expr, {**identity(slo), "window": window})
    good, valid = (
        summed(slo, f'rate({name}{{slo="{slo.name}"}}[{window}])') for name in (GOOD_EVENTS, VALID_EVENTS)
    )  # fmt: skip
    # A counter's first samples are extrapolated no further than to zero, each counter on its own: hence the clamp.
    expr = f"clamp_min(\n  1 - (\n    {good}\n    /\n    ({valid} > 0)\n  ),\n  0\n)\n"
    return Recording(error_ratio(window_ns), expr, {**identity(slo), "window": window})


def _select(series: str, slo: Slo) -> str:
    return f'{series}{{slo="{slo.name}"}}'
