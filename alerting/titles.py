"""What an incident is called: where, how bad, and why if that is known; the SLO's name is a field of its own.

A title is made when the incident opens and again when its cause becomes known, always from what its speaking alert
said when it began to fire: it does not change with every evaluation, so people find it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from alerting.incidents import Alert
from alerting.texts import cut, flat

LONGEST: Final = 200

BECAUSE: Final[Mapping[str, str]] = {
    "slice-errors": "most of them in one slice",
    "error-burst": "in all of the traffic",
    "queue-saturation": "waiting in the queue",
    "tail-spike": "a small share is much slower",
    "slow-service": "all of them are slower",
    "cold-start": "while instances warm up",
    "input-drift": "the inputs have changed",
    "prediction-drift": "the answers have changed, the inputs have not",
    "bad-release": "with a new release",
    "cost-explosion": "each costs more than before",
    "telemetry-silence": "telemetry is missing or late",
    "resource-saturation": "a resource is used up",
    "unknown": "",
}
"""Every cause as the end of a title."""


def title_of(alert: Alert, cause: str, where: Mapping[str, str]) -> str:
    """One line: ``chat: 37 % of requests of input_type=code fail, with a new release (model_version=v3)``.

    Args:
        alert: the one that speaks for the incident.
        cause: a key of ``telemetry.findings.CAUSES``.
        where: the slice that the cause names; what the alert's own group says already is left out.
    """
    slo = alert.labels.get("slo", "")
    who = alert.labels.get("service", "") if slo else ""
    said = alert.evidence.get("complaint")
    complaint = said if isinstance(said, str) and said else alert.summary.removeprefix(f"{slo}: ")
    group = alert.evidence.get("group")
    known = group if isinstance(group, Mapping) else {}
    rest = {name: value for name, value in where.items() if str(known.get(name)) != value}
    because = "" if cause == "slice-errors" and not rest else BECAUSE.get(cause, "")
    subject = who or slo or name_of(alert)
    # An alert that says of itself only that it fires is not named twice.
    begun = complaint if complaint == f"{subject} fires" else f"{subject}: {complaint}"
    parts = f"{begun}{f', {because}' if because else ''}"
    in_slice = ", ".join(f"{name}={value}" for name, value in sorted(rest.items()))
    return cut(flat(f"{parts}{f' ({in_slice})' if in_slice and because else ''}"), LONGEST)


def kind_of(alert: Alert) -> str:
    """The kind of SLI that it is about, where its evidence says so."""
    kind = alert.evidence.get("kind")
    return kind if isinstance(kind, str) else ""


def name_of(alert: Alert) -> str:
    """What the alert is called."""
    return alert.labels.get("alertname") or alert.fingerprint


def told_apart(alert: Alert) -> str:
    """The name with what alerts of that name differ in: ``ErrorBudgetBurn of chat-errors (tenant=acme, window=6h)``."""
    owner = alert.labels.get("slo") or alert.labels.get("service")
    group = alert.evidence.get("group")
    names = {*(group if isinstance(group, Mapping) else ()), "window"}
    rest = ", ".join(f"{name}={alert.labels[name]}" for name in sorted(names) if alert.labels.get(name))
    return flat(f"{name_of(alert)}{f' of {owner}' if owner else ''}{f' ({rest})' if rest else ''}")
