"""Alert policies: the shipped ones, read from data files, scaled to an SLO's period. It evaluates nothing.

Factor = budget share x period / long window (Site Reliability Workbook, chapter 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml

from detectors.slo.spec import NO_POLICY, BurnPair, Policy, Sequential
from telemetry.findings import Severity
from telemetry.windows import BUCKET_NS, NANOS, parse_duration

POLICY_NAMES: Final = ("page-and-ticket", "page-only", "ticket-only")
DEFAULT_POLICY: Final = "page-and-ticket"
NO_ALERT: Final = "none"
SHORT_SHARE: Final = 12
"""The short window is the long one divided by this (Site Reliability Workbook, chapter 5)."""
SHORTEST_LONG_NS: Final = 60 * NANOS
"""Long windows of short periods go no further down: six buckets."""


@dataclass(frozen=True, slots=True)
class Share:
    """Alert when a share of the period's budget would be spent within ``long_ns``."""

    severity: Severity
    long_ns: int
    budget: float


@dataclass(frozen=True, slots=True)
class Template:
    """A policy before it knows its period: rows of shares by the shortest period that each is for."""

    name: str
    gate: bool
    sequential: Sequential | None
    periods: Mapping[int, tuple[Share, ...]]

    def scaled(self, period_ns: int) -> Policy:
        """The policy for an SLO whose window is ``period_ns``."""
        fitting = [start for start in self.periods if start <= period_ns]
        if fitting:
            pairs = tuple(_pair(share, share.long_ns, period_ns) for share in self.periods[max(fitting)])
        else:
            shortest = min(self.periods)
            pairs = tuple(
                _pair(share, max(_whole_buckets(share.long_ns * period_ns / shortest), SHORTEST_LONG_NS), period_ns)
                for share in self.periods[shortest]
            )
        return Policy(self.name, pairs, self.sequential, self.gate)


def burn_factor(share: float, period_ns: int, long_ns: int) -> float:
    """How many times faster than evenly the budget burns when ``share`` of it goes within ``long_ns``."""
    return round(share * period_ns / long_ns, 9)


def short_window(long_ns: int) -> int:
    """A twelfth of the long window, in whole buckets, at least one."""
    return max(_whole_buckets(long_ns / SHORT_SHARE), BUCKET_NS)


def named_policy(name: str, period_ns: int) -> Policy:
    """The shipped policy ``name`` for a period; ``none`` alerts nothing.

    Raises:
        KeyError: no such policy.
    """
    return NO_POLICY if name == NO_ALERT else _shipped()[name].scaled(period_ns)


def _pair(share: Share, long_ns: int, period_ns: int) -> BurnPair:
    return BurnPair(share.severity, long_ns, short_window(long_ns), burn_factor(share.budget, period_ns, long_ns))


def _whole_buckets(duration_ns: float) -> int:
    return round(duration_ns / BUCKET_NS) * BUCKET_NS


@cache
def _shipped() -> Mapping[str, Template]:
    folder = files(__package__) / "policies"
    texts = [(folder / f"{name}.yaml").read_text(encoding="utf-8") for name in POLICY_NAMES]
    return {template.name: template for template in map(_template, texts)}


def _template(text: str) -> Template:
    document: dict[str, Any] = yaml.safe_load(text)
    rows = {
        parse_duration(period): tuple(
            Share(row["severity"], parse_duration(row["long"]), round(float(row["budget"].rstrip("%")) / 100, 12))
            for row in shares
        )
        for period, shares in document["periods"].items()
    }
    alert = document.get("sequential")
    sequential = Sequential(alert["severity"], parse_duration(alert["arl"])) if alert else None
    return Template(document["name"], document["gate"], sequential, rows)
