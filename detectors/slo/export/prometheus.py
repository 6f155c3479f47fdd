"""Every SLO that Prometheus can express, as one rule file. It computes no status and asks no Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from detectors.slo.export.burn_alerts import burn_alerts
from detectors.slo.export.names import GOOD_EVENTS, SPENT_USD, VALID_EVENTS
from detectors.slo.export.omissions import SCRAPE_NS, expressible
from detectors.slo.export.recording import period_rules, ratio_rules
from detectors.slo.export.rule import RuleGroup, to_yaml
from detectors.slo.spec import Slo, SloSet
from telemetry.windows import NANOS

PERIOD_INTERVAL_NS: Final = 300 * NANOS
"""A budget of days moves slowly, and its rules read the most samples."""


@dataclass(frozen=True, slots=True)
class PrometheusOptions:
    """How the rules will be used.

    Attributes:
        interval_ns: how often ratios and alerts are evaluated.
        scrape_ns: how often Tailwatch is scraped.
        runbooks: address below which runbooks are published as NAME.md; empty for none.
    """

    interval_ns: int = 30 * NANOS
    scrape_ns: int = SCRAPE_NS
    runbooks: str = ""


def rule_groups(slo: Slo, options: PrometheusOptions) -> tuple[RuleGroup, ...]:
    """Two groups of one SLO: ratios with the alerts that read them in the same evaluation, and what the period says."""
    ratios = ratio_rules(slo, options.scrape_ns)
    alerts = burn_alerts(slo, options.scrape_ns, options.runbooks)
    return (
        RuleGroup(f"tailwatch-slo-{slo.name}", options.interval_ns, (*ratios, *alerts)),
        RuleGroup(f"tailwatch-slo-period-{slo.name}", PERIOD_INTERVAL_NS, tuple(period_rules(slo, options.scrape_ns))),
    )


def prometheus_rules(slos: SloSet, options: PrometheusOptions | None = None) -> str:
    """The rule file; the same SLOs give the same text."""
    chosen = options or PrometheusOptions()
    groups = [group for slo in slos.slos if expressible(slo) for group in rule_groups(slo, chosen)]
    heading = (
        "Written by tailwatch slo export: change the SLO file and export again.",
        f"The rules read {GOOD_EVENTS}, {VALID_EVENTS} and {SPENT_USD} of Tailwatch's /metrics.",
        "Alerts are the plain burn-rate rule, without Tailwatch's statistical gate and sequential alert.",
    )
    return to_yaml(groups, heading)
