"""The verdict on a drill: pure functions from what was injected and what arrived to a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tailwatch.demo.sink import Received
from telemetry.findings import fingerprint
from telemetry.windows import NANOS


@dataclass(frozen=True, slots=True)
class Truth:
    """What a drill is known to do: the SLO it breaks, the cause, the guilty slice, and the runbook that fits."""

    drill: str
    slo: str
    cause: str
    slice: Mapping[str, str]
    runbook: str


@dataclass(frozen=True, slots=True)
class DrillReport:
    """One drill, scored. Times are seconds since the epoch; None where something did not happen."""

    drill: str
    injected_at: float | None
    incident: Mapping[str, Any] | None
    notified_at: float | None
    seconds_to_notification: float | None
    false_incidents: int
    requests_sent: int
    spans_stored: int
    memory_mib: float
    expected: Mapping[str, Any]
    problems: tuple[str, ...]
    loop: Mapping[str, Any] | None = None

    @property
    def passed(self) -> bool:
        """Whether the incident was right and its webhook was received."""
        return not self.problems

    def document(self) -> dict[str, Any]:
        """The report as a JSON document."""
        return {**asdict(self), "passed": self.passed}


def score(
    truth: Truth,
    *,
    injected_ns: int | None,
    incidents: Sequence[Mapping[str, Any]],
    received: Sequence[Received],
    requests_sent: int,
    spans_stored: int,
    memory_mib: float,
) -> DrillReport:
    """Hold incidents (as the API gives them) and received notifications against the truth."""
    injected_s = None if injected_ns is None else injected_ns / NANOS
    after = [one for one in incidents if injected_s is not None and one["opened_at"] >= injected_s]
    found = next((one for one in after if _is_right(one, truth)), after[0] if after else None)
    notified = None if found is None else _first_webhook(found, received, injected_ns or 0)
    problems = _problems(truth, injected_s, found)
    if found is not None and notified is None:
        problems.append("no signed webhook with this incident was received")
    return DrillReport(
        drill=truth.drill,
        injected_at=injected_s,
        incident=None if found is None else _summary(found),
        notified_at=None if notified is None else notified.at_ns / NANOS,
        seconds_to_notification=(
            None if notified is None or injected_ns is None else round((notified.at_ns - injected_ns) / NANOS, 3)
        ),
        false_incidents=len(incidents) - (found is not None),
        requests_sent=requests_sent,
        spans_stored=spans_stored,
        memory_mib=round(memory_mib, 1),
        expected={"slo": truth.slo, "cause": truth.cause, "slice": dict(truth.slice), "runbook": truth.runbook},
        problems=tuple(problems),
    )


def with_loop(
    report: DrillReport, incident: Mapping[str, Any], serving: Mapping[str, Mapping[str, float]]
) -> DrillReport:
    """The report with how the response hook closed the loop, and what is lacking of that.

    Args:
        report: the drill as scored.
        incident: its incident, with ``hook_runs``, as the API gives it now.
        serving: by model, the share of each version in the reference service now.
    """
    ran_at = next((run["sent_at"] for run in incident["hook_runs"] if run["state"] == "sent"), None)
    bad = report.expected["slice"].get("model_version")
    still = sorted(model for model, shares in serving.items() if bad in shares)
    resolved_at = incident["resolved_at"]
    problems = [*report.problems]
    if ran_at is None:
        problems.append("no response hook has run")
    if still:
        problems.append(f"{', '.join(still)} still serves {bad}")
    if resolved_at is None:
        problems.append("the incident has not ended")
    elif incident["timeline"][-1]["author"] != "tailwatch":
        problems.append("the incident did not end by itself")
    since = report.injected_at
    loop = {
        "hook_ran_after_s": None if ran_at is None or since is None else round(ran_at - since, 1),
        "serving": {model: dict(shares) for model, shares in serving.items()},
        "resolved_after_s": None if resolved_at is None or since is None else round(resolved_at - since, 1),
    }
    return replace(report, problems=tuple(problems), loop=loop)


def _slos(incident: Mapping[str, Any]) -> set[str]:
    return {incident["slo"], *(alert["labels"].get("slo", "") for alert in incident["alerts"])}


def _is_right(incident: Mapping[str, Any], truth: Truth) -> bool:
    return not _differences(incident, truth)


def _differences(incident: Mapping[str, Any], truth: Truth) -> list[str]:
    faults = []
    if truth.slo not in _slos(incident):
        faults.append(f"the incident is about {incident['slo']}, not about {truth.slo}")
    for key, expected in (("cause", truth.cause), ("runbook", truth.runbook)):
        if incident[key] != expected:
            faults.append(f"the {key} is {incident[key]}, not {expected}")
    missing = {name: value for name, value in truth.slice.items() if incident["slice"].get(name) != value}
    if missing:
        faults.append(f"the slice is {dict(incident['slice'])}, which lacks {missing}")
    return faults


def _problems(truth: Truth, injected_s: float | None, found: Mapping[str, Any] | None) -> list[str]:
    if injected_s is None:
        return ["the fault was not injected before the time was over"]
    if found is None:
        return ["no incident was opened after the fault was injected"]
    return _differences(found, truth)


def _first_webhook(incident: Mapping[str, Any], received: Sequence[Received], since_ns: int) -> Received | None:
    """The first signed Alertmanager-format notification that names one of the incident's alerts."""
    fingerprints = {fingerprint(alert["labels"]) for alert in incident["alerts"]}
    for one in received:
        alerts = one.document.get("alerts", [])
        if (
            one.path == "/webhook" and one.signed and one.at_ns >= since_ns
            and fingerprints & {alert.get("fingerprint") for alert in alerts}
        ):  # fmt: skip
            return one
    return None


def _summary(incident: Mapping[str, Any]) -> dict[str, Any]:
    return {key: incident[key] for key in ("id", "title", "slo", "cause", "slice", "runbook", "severity", "opened_at")}
