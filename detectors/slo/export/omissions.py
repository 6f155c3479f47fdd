"""What Prometheus cannot be told about an SLO, and why; it decides, and writes no rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from detectors.slo.export.names import group_label_names, is_counter
from detectors.slo.spec import BurnPair, Slo
from telemetry.windows import NANOS, format_duration

SCRAPE_NS: Final = 15 * NANOS
"""How often Tailwatch is assumed to be scraped unless somebody says otherwise."""
SCRAPES_IN_A_WINDOW: Final = 4
"""A rate needs two samples; with four, one scrape may fail and another come late."""


@dataclass(frozen=True, slots=True)
class Omission:
    """A part of an SLO that is left out: ``what`` is ``SLO`` for all of it."""

    slo: str
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.slo}: {self.what} left out: {self.why}"


def omissions(slo: Slo, scrape_ns: int = SCRAPE_NS) -> list[Omission]:
    """Everything about ``slo`` that its rules will not say; empty when they say all of it but the evidence."""
    whole = _reason_against_all(slo)
    if whole:
        return [Omission(slo.name, "SLO", whole)]
    found = [
        Omission(
            slo.name, f"alert over {format_duration(pair.long_ns)}",
            f"its short window, {format_duration(pair.short_ns)}, holds fewer than {SCRAPES_IN_A_WINDOW} scrapes of "
            f"{format_duration(scrape_ns)}",
        )
        for pair in slo.policy.pairs if not expressible_pair(pair, scrape_ns)
    ]  # fmt: skip
    if slo.calendar is not None:
        found.append(Omission(slo.name, f"budget of the {slo.calendar.unit}", "PromQL has no calendar periods"))
    if slo.policy.sequential and not slo.policy.pairs:
        found.append(Omission(slo.name, "sequential alert", "PromQL has no sequential test, and there is no burn pair"))
    found += [
        Omission(slo.name, f"label {name}", "names that begin with __ are Prometheus's own")
        for name in slo.labels if name.startswith("__")
    ]  # fmt: skip
    return found


def expressible(slo: Slo) -> bool:
    """Whether the SLO has rules at all."""
    return not _reason_against_all(slo)


def expressible_pair(pair: BurnPair, scrape_ns: int) -> bool:
    """Whether both windows of the pair hold samples enough for a rate."""
    return pair.short_ns >= SCRAPES_IN_A_WINDOW * scrape_ns


def judged_by_evidence(slo: Slo) -> bool:
    """Whether Tailwatch's own alerts also weigh evidence (gate or sequential test), which the rules do not."""
    policy = slo.policy
    return expressible(slo) and (policy.sequential is not None or (policy.gate and bool(policy.pairs)))


def _reason_against_all(slo: Slo) -> str:
    if not is_counter(slo):
        return (
            "its budget is for slices of time, which Tailwatch judges, and judges anew when late data come; "
            "no counter can follow that"
        )
    names = Counter(group_label_names(slo))
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        return f"two fields of per would both be the label {twice[0]}"
    return ""
