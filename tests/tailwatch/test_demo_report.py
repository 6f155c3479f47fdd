"""The demo's verdict: it passes only for the right incident with a signed webhook, and says what is wrong otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tailwatch.demo.report import DrillReport, Truth, score
from tailwatch.demo.sink import Received
from telemetry.findings import fingerprint
from telemetry.windows import NANOS

TRUTH = Truth("errors-by-input-type", "request-errors", "slice-errors", {"input_type": "code"}, "slice-errors")
INJECTED_NS = 1_700_000_000 * NANOS
LABELS = {"alertname": "ErrorBudgetBurn", "slo": "request-errors", "input_type": "code"}


def incident(**changes: Any) -> dict[str, Any]:
    return {
        "id": "INC-1", "title": "Errors", "slo": "request-errors", "cause": "slice-errors", "runbook": "slice-errors",
        "slice": {"input_type": "code"}, "severity": "page", "opened_at": INJECTED_NS / NANOS + 8,
        "alerts": [{"name": "ErrorBudgetBurn", "labels": LABELS, "state": "firing", "since": INJECTED_NS / NANOS}],
    } | changes  # fmt: skip


def webhook(
    labels: Mapping[str, str] = LABELS, *, after_s: float = 9, signed: bool = True, path: str = "/webhook"
) -> Received:
    document = {"alerts": [{"fingerprint": fingerprint(labels)}]}
    return Received(INJECTED_NS + round(after_s * NANOS), path, signed, document)


def scored(*incidents: Mapping[str, Any], received: tuple[Received, ...] = (), injected: bool = True) -> DrillReport:
    return score(
        TRUTH, injected_ns=INJECTED_NS if injected else None, incidents=incidents, received=received,
        requests_sent=100, spans_stored=90, memory_mib=300.04,
    )  # fmt: skip


def test_the_right_incident_with_a_signed_webhook_passes() -> None:
    report = scored(incident(), received=(webhook(after_s=9.5), webhook(after_s=20)))
    assert report.passed
    assert (report.false_incidents, report.seconds_to_notification, report.memory_mib) == (0, 9.5, 300.0)
    document = report.document()
    assert document["passed"] is True
    assert document["incident"]["id"] == "INC-1"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"cause": "error-burst"}, "the cause is error-burst, not slice-errors"),
        ({"runbook": "unknown"}, "the runbook is unknown, not slice-errors"),
        ({"slice": {"input_type": "chat"}}, "which lacks {'input_type': 'code'}"),
        ({"slice": {}}, "the slice is {}, which lacks"),
        ({"slo": "other", "alerts": [{"labels": {"slo": "other"}}]}, "about other, not about request-errors"),
    ],
)
def test_a_wrong_incident_fails_and_says_why(changes: dict[str, Any], problem: str) -> None:
    report = scored(incident(**changes), received=(webhook(),))
    assert not report.passed
    assert problem in "; ".join(report.problems)


@pytest.mark.parametrize(
    "received",
    [
        (),
        (webhook(signed=False),),
        (webhook(path="/slack"),),
        (webhook({**LABELS, "input_type": "chat"}),),
        (webhook(after_s=-1),),
        (Received(INJECTED_NS + NANOS, "/webhook", signed=True, document={"text": "hello"}),),
    ],
    ids=["none", "unsigned", "slack", "another alert", "too early", "another format"],
)
def test_only_a_signed_webhook_about_the_incident_counts(received: tuple[Received, ...]) -> None:
    report = scored(incident(), received=received)
    assert report.problems == ("no signed webhook with this incident was received",)
    assert report.seconds_to_notification is None


def test_other_incidents_are_counted_as_false() -> None:
    early = incident(id="INC-0", opened_at=INJECTED_NS / NANOS - 60)
    wrong = incident(id="INC-2", cause="error-burst")
    report = scored(wrong, incident(), early, received=(webhook(),))
    assert report.passed
    assert report.incident is not None
    assert report.incident["id"] == "INC-1"
    assert report.false_incidents == 2


def test_an_incident_from_before_the_fault_is_not_the_answer() -> None:
    report = scored(incident(opened_at=INJECTED_NS / NANOS - 1), received=(webhook(),))
    assert report.problems == ("no incident was opened after the fault was injected",)
    assert (report.incident, report.false_incidents) == (None, 1)


def test_without_a_fault_nothing_is_passed() -> None:
    report = scored(incident(), received=(webhook(),), injected=False)
    assert report.problems == ("the fault was not injected before the time was over",)
    assert report.false_incidents == 1
