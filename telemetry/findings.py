"""What detectors conclude and alerting acts on: findings, causes and diagnoses; neither side is known here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

Severity = Literal["page", "ticket"]

CAUSES: Final[Mapping[str, str]] = {
    "slice-errors": "Errors concentrate in one slice of the traffic",
    "error-burst": "Errors across all of the traffic",
    "queue-saturation": "Requests wait in the queue longer than the model works on them",
    "resource-saturation": "A resource of the service is used up to its bound",
    "tail-spike": "A small share of requests is much slower, the rest is unchanged",
    "slow-service": "The whole latency distribution has shifted",
    "cold-start": "Requests are slow while instances warm up",
    "input-drift": "The inputs differ from the reference",
    "prediction-drift": "Predictions or confidence differ from the reference, the inputs do not",
    "bad-release": "The trouble began with, or is confined to, a new model version",
    "cost-explosion": "Requests cost more than they did",
    "telemetry-silence": "Telemetry is missing, or comes late",
    "unknown": "No single cause stands out",
}
"""Every cause that a diagnosis can name, and what it says; each has a runbook of the same name."""


@dataclass(frozen=True)
class Finding:
    """One violated condition, as one evaluation sees it.

    The evaluator returns every condition that holds now; a condition it no longer returns has ended.

    Attributes:
        labels: identity. Always ``alertname``, ``slo``, ``service``, ``severity``; the group's labels beside them.
        severity: ``page`` or ``ticket``.
        since_ns: when the condition is estimated to have begun (onset, not detection).
        summary: one sentence for a person.
        evidence: JSON document: ``budget``, ``burn``, ``objective``, kind-specific facts.
        suppressed_by: fingerprint of the page of the same budget, if any; such a finding notifies nobody.
    """

    labels: Mapping[str, str]
    severity: Severity
    since_ns: int
    summary: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    runbook: str | None = None
    suppressed_by: str | None = None

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over the sorted labels."""
        return fingerprint(self.labels)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a finding holds.

    Attributes:
        cause: a key of ``CAUSES``.
        confidence: 0..1, the share of the excess that the cause explains; None when it cannot be said.
        slice: the dimension values that carry the excess; empty when it is all of the traffic.
        summary: one sentence for a person.
        evidence: JSON document: ``attribution``, ``tail``, ``changes``, ``drift``, ``exemplars``.
    """

    cause: str
    summary: str
    confidence: float | None = None
    slice: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)


def fingerprint(labels: Mapping[str, str]) -> str:
    """16 hex digits that identify a label set, whatever its order."""
    text = "\x1f".join(f"{name}\x1e{labels[name]}" for name in sorted(labels))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
