"""The burn alerts of one SLO as Prometheus rules: the plain rule of each pair, without the statistical gate.

A pair fires where both windows burn faster than its factor, strictly (Site Reliability Workbook, chapter 5), and the
group is as old as the long window or has had as many bad events as the engine asks of a younger one.
"""

from __future__ import annotations

from typing import Final

from detectors.slo.burn import MIN_BAD_YOUNG
from detectors.slo.export.names import BURN_ALERT, GOOD_EVENTS, VALID_EVENTS, error_ratio, group_label_names, label_name
from detectors.slo.export.omissions import SCRAPE_NS
from detectors.slo.export.recording import identity, number, pairs_of, summed
from detectors.slo.export.rule import Alerting, verbatim
from detectors.slo.spec import BurnPair, Slo
from telemetry.rules import MONEY_UNIT
from telemetry.windows import format_duration

UNDIAGNOSED: Final = "unknown"
"""The runbook of an SLO that names none: Prometheus does not diagnose a cause."""
_STRICTLY: Final = "(1 + 1e-9)"
"""A burn of exactly the factor does not fire, whatever the float's noise."""


def burn_alerts(slo: Slo, scrape_ns: int = SCRAPE_NS, runbooks: str = "") -> list[Alerting]:
    """One alert a burn pair.

    Args:
        slo: an SLO that counts events, or money.
        scrape_ns: how often Tailwatch is scraped.
        runbooks: address below which runbooks are published; empty for none.
    """
    return [_alert(slo, pair, runbooks) for pair in pairs_of(slo, scrape_ns)]


def _alert(slo: Slo, pair: BurnPair, runbooks: str) -> Alerting:
    grouped = {label_name(field) for field in slo.per}
    own = {
        name: verbatim(text)
        for name, text in slo.labels.items() if name not in grouped and not name.startswith("__")
    }  # fmt: skip
    labels = {**own, **identity(slo), "severity": pair.severity, "window": format_duration(pair.long_ns)}
    return Alerting(BURN_ALERT, _expression(slo, pair), labels, _annotations(slo, pair, runbooks))


def _expression(slo: Slo, pair: BurnPair) -> str:
    groups, chosen = ", ".join(group_label_names(slo)), f'{{slo="{slo.name}"}}'
    least = f"{number(pair.factor)} * {number(slo.error_budget)} * {_STRICTLY}"
    window = format_duration(pair.long_ns)
    fast = (
        f"(\n  {error_ratio(pair.long_ns)}{chosen} > {least}\n  and on ({groups})\n"
        f"  {error_ratio(pair.short_ns)}{chosen} > {least}\n)\n"
    )
    if slo.allowance is not None:
        return fast  # money spent is known from the first dollar on
    # All that a group younger than the window ever counted lies within it, so the counters need no range.
    bad = summed(slo, f"{VALID_EVENTS}{chosen} - {GOOD_EVENTS}{chosen}")
    grown = summed(slo, f"{VALID_EVENTS}{chosen} offset {window}")
    return f"{fast}and on ({groups})\n(\n  {bad} >= {MIN_BAD_YOUNG}\n  or\n  {grown}\n)\n"


def _annotations(slo: Slo, pair: BurnPair, runbooks: str) -> dict[str, str]:
    runbook = slo.runbook or UNDIAGNOSED
    of = "".join(f" {name}={{{{ $labels.{name} }}}}" for name in group_label_names(slo)[2:])
    period = format_duration(slo.window_ns) if slo.calendar is None else f"a calendar {slo.calendar.unit}"
    long, short = format_duration(pair.long_ns), format_duration(pair.short_ns)
    if slo.allowance is None:
        summary = f"{{{{ $value | humanizePercentage }}}} of events are bad over {long}"
        budget = f"The error budget of {slo.name} ({number(100 * slo.objective)} % over {period})"
    else:
        summary = f"money goes {{{{ $value | humanize }}}} times as fast over {long} as the budget lasts"
        budget = f"The budget of {slo.name} ({number(slo.allowance / MONEY_UNIT)} USD over {period})"
    annotations = {
        "summary": f"{slo.name}{of}: {summary}",
        "description": f"{budget} burns faster than {number(pair.factor)}x over {long} and {short}.",
        "runbook": verbatim(runbook),
    }
    if slo.description:
        annotations["objective"] = verbatim(slo.description)
    if slo.owner:
        annotations["owner"] = verbatim(slo.owner)
    if runbooks:
        annotations["runbook_url"] = verbatim(f"{runbooks.rstrip('/')}/{runbook}.md")
    return annotations
