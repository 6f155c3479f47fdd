"""The engine from deltas to findings: how soon it pages, when it stays quiet, and what it then says."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from detectors.slo.compile import rule_id
from detectors.slo.engine import Engine, Evaluation
from detectors.slo.parse import parse_slos
from telemetry.deltas import SliDelta, group_key
from telemetry.errors import NotFoundError
from telemetry.windows import BUCKET_NS, NANOS
from telemetry.windows import parse_duration as ns
from tests.detectors.slo.documents import EVERY_KIND
from tests.detectors.slo.traffic import T0, errors_slo, play, row, slos_of


def pages(evaluation: Evaluation) -> list[str]:
    return [finding.labels["alertname"] for finding in evaluation.findings if finding.severity == "page"]


def first_page(engine: Engine, seconds: range, counts) -> int | None:
    return next((second for second, evaluation in play(engine, seconds, counts) if pages(evaluation)), None)


def test_a_total_outage_of_a_young_service_pages_within_two_ticks():
    """60 s of clean traffic at 4/s, objective 99.5 %, then every request fails."""
    found = first_page(Engine(errors_slo()), range(120), lambda s: (0 if s < 60 else 4, 4))
    assert found is not None
    assert 60 <= found <= 62


def test_two_percent_of_a_strict_objective_page_within_some_twenty_seconds():
    """15/s, objective 99.9 %, an ARL of 30 d, after an hour at the objective: median over 60 runs of random errors."""
    rng = np.random.default_rng(7)
    slos = errors_slo("99.9%", ", alert: {policy: page-and-ticket, sequential: {severity: page, arl: 30d}}")
    groups = [str(i) for i in range(60)]
    engine = Engine(slos)
    for second in range(-3600, 50, 10):
        bad = rng.binomial(150, 0.001, len(groups))
        time_ns = T0 + second * NANOS
        engine.ingest_sli(row(slos, time_ns, int(b), 150, group) for group, b in zip(groups, bad, strict=True))
    detected: dict[str, int] = {}
    for second in range(50, 130):
        now_ns = T0 + second * NANOS
        bad = rng.binomial(15, 0.02 if second >= 60 else 0, len(groups))
        engine.ingest_sli(row(slos, now_ns, int(b), 15, group) for group, b in zip(groups, bad, strict=True))
        for finding in engine.step(now_ns).findings:
            if finding.severity == "page":
                detected.setdefault(finding.labels["input_type"], second - 60)
    assert len(detected) == len(groups)
    assert min(detected.values()) >= 0
    assert np.median(list(detected.values())) <= 24


def test_one_failure_of_a_quiet_service_does_not_page():
    """10 requests an hour, one failure a day: burn 1000x over five minutes, and silence from us."""
    engine = Engine(errors_slo("99.9%"))
    for minute in range(0, 2 * 24 * 60, 6):
        now_ns = T0 + minute * ns("1m")
        engine.ingest_sli([row(engine.slos, now_ns, int(minute % 1440 == 1200), 1)])
        assert not engine.step(now_ns).findings


def test_the_gate_can_be_switched_off():
    """... and then a single failure of the quiet service pages, as static rules do."""
    engine = Engine(errors_slo("99.9%", ", alert: {policy: page-only, gate: off, sequential: off}"))
    heard = []
    for minute in range(0, 2 * 24 * 60, 6):
        now_ns = T0 + minute * ns("1m")
        engine.ingest_sli([row(engine.slos, now_ns, int(minute == 2400), 1)])
        heard += [finding for finding in engine.step(now_ns).findings if minute >= 2400]
    assert {finding.labels["alertname"] for finding in heard} == {"ErrorBudgetBurn"}
    assert heard[0].since_ns == T0 + 2400 * ns("1m")


def test_one_failure_after_a_fresh_start_does_not_page_even_without_the_gate():
    engine = Engine(errors_slo("99.9%", ", alert: {policy: page-and-ticket, gate: off}"))
    assert first_page(engine, range(60), lambda s: (int(s == 30), 4)) is None


def test_findings_say_what_and_why():
    engine = Engine(errors_slo(more=", runbook: slice-errors, labels: {team: inference}"))
    *_, (_, evaluation) = play(engine, range(200), lambda s: (0 if s < 60 else 2, 4))
    by_name = {(finding.labels["alertname"], finding.labels.get("window")): finding for finding in evaluation.findings}
    assert set(by_name) == {
        ("ErrorBudgetBurn", "1h"), ("ErrorBudgetBurn", "6h"), ("ErrorBudgetBurn", "1d"), ("ErrorBudgetBurn", "3d"),
        ("ErrorBudgetSequential", None),
    }  # fmt: skip
    page = by_name["ErrorBudgetBurn", "1h"]
    assert dict(page.labels) == {
        "alertname": "ErrorBudgetBurn", "slo": "request-errors", "service": "chat", "severity": "page", "window": "1h",
        "input_type": "code", "team": "inference",
    }  # fmt: skip
    assert page.runbook == "slice-errors"
    assert page.since_ns == T0 + 60 * NANOS
    assert page.summary == ("request-errors: 50 % of requests of input_type=code fail, the budget burns at 70x (1h)")
    sequential = by_name["ErrorBudgetSequential", None]
    assert sequential.summary == (
        "request-errors: 50 % of requests of input_type=code fail for the last 2m19s (280 of 560), "
        "more than an objective of 99.5 % explains"
    )
    evidence = page.evidence
    assert (evidence["kind"], evidence["objective"], evidence["good"], evidence["total"]) == ("errors", 0.995, 280, 560)
    assert evidence["budget"] == {
        "remaining": pytest.approx(1 - 280 / (0.005 * 800)), "objective": 0.995, "good": 520, "total": 800,
    }  # fmt: skip
    assert evidence["burn"][0] == {
        "long": "1h", "short": "5m", "factor": 14.4, "long_burn": pytest.approx(70), "short_burn": pytest.approx(70),
        "severity": "page", "holds": True,
    }  # fmt: skip
    json.dumps(evidence, allow_nan=False)


def test_every_finding_that_rests_on_an_alarm_shows_the_evidence_that_raised_it():
    """An alarm starts the statistic anew; a page at that moment still says by how much the threshold was passed."""
    engine = Engine(errors_slo())
    shown = [
        finding.evidence["sequential"]
        for _, evaluation in play(engine, range(400), lambda s: (2 if 60 <= s < 70 else 0, 4))
        for finding in evaluation.findings
    ]
    assert len(shown) > 300, "from the first alarm until the last alert ends"
    assert all(facts["log10_evidence"] >= facts["log10_threshold"] for facts in shown)


def test_without_an_alarm_a_finding_shows_the_evidence_so_far():
    engine = Engine(errors_slo("99.9%", ", alert: {policy: page-only, gate: off, sequential: {arl: 300d}}"))
    findings = [
        finding
        for _, evaluation in play(engine, range(400), lambda s: (int(s % 38 == 0), 4))
        for finding in evaluation.findings
    ]
    assert {finding.labels["alertname"] for finding in findings} == {"ErrorBudgetBurn"}
    assert all(
        0 < finding.evidence["sequential"]["log10_evidence"] < finding.evidence["sequential"]["log10_threshold"]
        for finding in findings
    )


def test_a_page_suppresses_the_tickets_of_its_budget_only():
    slos = errors_slo()
    engine = Engine(slos)
    for second in range(200):
        now_ns = T0 + second * NANOS
        engine.ingest_sli([row(slos, now_ns, 0 if second < 60 else 2, 4, "code"), row(slos, now_ns, 0, 4, "chat")])
    found = engine.step(now_ns).findings
    page = next(finding for finding in found if finding.severity == "page")
    tickets = [finding for finding in found if finding.severity == "ticket"]
    assert {finding.labels["input_type"] for finding in found} == {"code"}
    assert len(tickets) == 3, "two pairs and the sequential alert"
    assert {finding.suppressed_by for finding in tickets} == {page.fingerprint}
    assert page.suppressed_by is None


def test_alerts_end_soon_after_the_incident_and_the_next_one_is_seen_as_fast():
    engine = Engine(errors_slo(more=", alert: {policy: page-and-ticket, sequential: {severity: page}}"))

    def counts(second: int) -> tuple[int, int]:
        return (40 if 600 <= second < 900 or second == 6000 else 0), 40 * (second % 10 == 0)

    heard = {second: pages(evaluation) for second, evaluation in play(engine, range(6010), counts, every_s=10)}
    assert not any(heard[second] for second in range(0, 600, 10))
    assert all(heard[second] for second in range(600, 1190, 10))
    assert "ErrorBudgetSequential" not in heard[1220]
    assert not heard[3000], "the 30 min window of the second pair has passed as well"
    assert heard[6000], "after an incident the statistic starts anew"


def test_the_result_does_not_depend_on_order_or_on_how_often_it_was_asked():
    slos = errors_slo()
    rng = random.Random(3)
    rows = [
        row(slos, T0 + second * NANOS, rng.randint(0, 2) if second > 1500 else 0, 3, group)
        for second in range(0, 1800, 2) for group in ("code", "chat")
    ]  # fmt: skip
    end_ns = T0 + 1800 * NANOS
    patient, eager = Engine(slos), Engine(slos)
    patient.ingest_sli(rng.sample(rows, len(rows)))
    arrivals = [(item.bucket_ns + rng.choice([0, 5, 20, 600]) * NANOS, item) for item in rows]
    for second in range(0, 1800, 25):
        now_ns = T0 + second * NANOS
        eager.ingest_sli(item for at_ns, item in arrivals if now_ns - 25 * NANOS < at_ns <= now_ns)
        eager.step(now_ns)
    eager.ingest_sli(item for at_ns, item in arrivals if at_ns > now_ns)
    first, again = patient.step(end_ns), eager.step(end_ns)

    def shown(evaluation: Evaluation) -> tuple[object, object]:
        groups = {str(group["group"]): group for group in evaluation.statuses[0].to_json()["groups"]}
        return groups, sorted((found.fingerprint, found.since_ns, found.summary) for found in evaluation.findings)

    assert shown(first) == shown(again)
    assert first.findings


def test_late_failures_page_when_they_arrive():
    slos = errors_slo()
    engine = Engine(slos)
    for second in range(0, 1200, 10):
        engine.ingest_sli([row(slos, T0 + second * NANOS, 0, 40)])
        assert not engine.step(T0 + second * NANOS).findings
    engine.ingest_sli([row(slos, T0 + second * NANOS, 40, 40) for second in range(900, 1200, 10)])
    found = engine.step(T0 + 1200 * NANOS).findings
    assert "ErrorBudgetSequential" in {finding.labels["alertname"] for finding in found}
    assert {finding.since_ns for finding in found} == {T0 + 900 * NANOS}


def state(engine: Engine, now_ns: int, **more) -> str:
    (group,) = engine.step(now_ns, **more).statuses[0].groups
    return group.state


def test_silence_is_three_things():
    slos = errors_slo()
    engine = Engine(slos)
    assert state(engine, T0) == "no_telemetry"
    assert state(engine, T0, last_seen_ns={"chat": T0}) == "no_traffic"
    for second in range(300):
        engine.ingest_sli([row(slos, T0 + second * NANOS, 0, 4)])
    assert state(engine, T0 + 20 * NANOS) == "not_enough_data", "80 events allow less than one failure at 99.5 %"
    assert state(engine, T0 + 300 * NANOS) == "ok"
    later = T0 + 700 * NANOS
    assert state(engine, later) == "no_telemetry"
    assert state(engine, later, last_seen_ns={"chat": later}) == "no_traffic"


def test_rare_traffic_is_not_silence():
    slos = errors_slo("90%", ", alert: none")
    engine = Engine(slos)
    for minute in range(0, 600, 6):
        engine.ingest_sli([row(slos, T0 + minute * ns("1m"), 0, 1)])
    assert state(engine, T0 + 630 * ns("1m")) == "ok", "half an hour without events, at ten an hour"
    assert state(engine, T0 + 690 * ns("1m")) == "no_telemetry"


def test_an_overspent_budget_without_a_burn_is_exhausted():
    slos = errors_slo()
    engine = Engine(slos)
    engine.ingest_sli(row(slos, T0 + hour * ns("1h"), 40 if hour == 0 else 0, 40) for hour in range(100))
    engine.ingest_sli([row(slos, T0 + ns("99h") + k * ns("1m"), 0, 1) for k in range(60)])
    (group,) = engine.step(T0 + ns("100h")).statuses[0].groups
    assert group.state == "exhausted"
    assert group.budget_remaining == pytest.approx(1 - 40 / (0.005 * 4060))


def test_no_traffic_yields_no_numbers_that_pretend():
    engine = Engine(parse_slos([("slos.yaml", EVERY_KIND)]))
    evaluation = engine.step(T0)
    assert not evaluation.findings
    for status in evaluation.statuses:
        document = json.loads(json.dumps(status.to_json(), allow_nan=False))
        assert [group["state"] for group in document["groups"]] == ["no_telemetry"]
        assert {(group["sli"], group["budget_remaining"]) for group in document["groups"]} == {(None, None)}


def test_the_document_of_the_api():
    slos = errors_slo(more=", owner: me, runbook: slice-errors")
    engine = Engine(slos)
    *_, (_, evaluation) = play(engine, range(120), lambda s: (0 if s < 110 else 4, 4))
    document = json.loads(json.dumps(evaluation.statuses[0].to_json(), allow_nan=False))
    (group,) = document.pop("groups")
    assert document == {
        "name": "request-errors", "service": "chat", "owner": "me", "description": "", "kind": "errors",
        "objective": 0.995, "window_s": 2592000, "period": None, "budgeting": "occurrences",
        "revision": rule_id(slos.slos[0]), "runbook": "slice-errors", "where": [], "per": ["input_type"],
    }  # fmt: skip
    assert set(group) == {
        "group", "state", "good", "total", "sli", "budget_remaining", "burn", "alerts", "detail", "excluded",
    }  # fmt: skip
    assert (group["group"], group["state"]) == ({"input_type": "code"}, "burning")
    assert (group["good"], group["total"]) == (440, 480)
    assert list(group["burn"]) == ["5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"]
    assert group["alerts"][0] == {"name": "ErrorBudgetBurn", "severity": "page", "since": T0 / NANOS + 110}


def test_refused_requests_are_shown_apart():
    slos = slos_of("{name: a, service: chat, sli: {errors: {throttled: separate}}, objective: 99%}")
    engine = Engine(slos)
    main, refused = engine.rules
    engine.ingest_sli([SliDelta(main.id, "{}", T0, 10, 10), SliDelta(refused.id, "{}", T0, 0, 7)])
    (group,) = engine.step(T0).statuses[0].groups
    assert (group.total, group.detail["throttled"]) == (10, 7)


def test_groups_that_left_every_window_are_forgotten():
    slos = errors_slo("99%", ", window: 1d")
    engine = Engine(slos)
    engine.ingest_sli([row(slos, T0, 1, 10, "old")])
    engine.step(T0)
    for hour in range(1, 80):
        engine.ingest_sli([row(slos, T0 + hour * ns("1h"), 0, 10, "new")])
        engine.step(T0 + hour * ns("1h"))
    groups = engine.step(T0 + 80 * ns("1h")).statuses[0].groups
    assert [group.group for group in groups] == [{"input_type": "new"}]
    assert groups[0].total == 240


def test_rows_of_other_rules_are_passed_over():
    engine = Engine(errors_slo())
    engine.ingest_sli([SliDelta("series", "{}", T0, 1, 1)])
    engine.ingest_distributions([])
    assert engine.step(T0).statuses[0].groups[0].total == 0


def test_the_budget_over_time():
    slos = errors_slo("99%")
    engine = Engine(slos)
    engine.ingest_sli([row(slos, T0 + k * BUCKET_NS, 10 if k == 6 else 0, 100) for k in range(12)])
    engine.step(T0 + 12 * BUCKET_NS)
    labels = {"input_type": "code"}
    points = engine.budget_curve("request-errors", labels, start_ns=T0, end_ns=T0 + ns("2m"), step_ns=ns("1m"))
    assert [(point.good, point.total) for point in points] == [(600, 600), (590, 600)]
    assert [point.remaining for point in points] == [1.0, pytest.approx(1 - 10 / 12)]
    with pytest.raises(NotFoundError, match="no group"):
        engine.budget_curve("request-errors", {}, start_ns=T0, end_ns=T0, step_ns=1)
    with pytest.raises(NotFoundError, match="no SLO"):
        engine.budget_curve("nothing", {}, start_ns=T0, end_ns=T0, step_ns=1)


def test_how_much_history_it_asks_for():
    engine = Engine(parse_slos([("slos.yaml", EVERY_KIND)]))
    assert engine.history_ns == ns("30d")
    assert engine.distribution_history_ns == ns("1d"), "the fixed reference is the beginning of its SLO's window"
    recent = "{name: a, service: b, sli: {drift: {fields: [model], reference: {window: 2h}}}, objective: 95%}"
    assert Engine(slos_of(recent)).distribution_history_ns == ns("3h") + ns("1m")
    assert Engine(errors_slo(more=", window: 1h")).history_ns == ns("1d")


def test_groups_do_not_influence_each_other():
    slos = errors_slo()
    together, alone = Engine(slos), Engine(slos)
    rng = np.random.default_rng(5)
    for second in range(0, 400, 10):
        now_ns = T0 + second * NANOS
        rows = [row(slos, now_ns, int(rng.integers(0, 3)), 20, name) for name in ("a", "b", "c")]
        together.ingest_sli(rows)
        alone.ingest_sli(rows[1:2])
        both = [engine.step(now_ns) for engine in (together, alone)]
        key = group_key({"input_type": "b"})
        shown = [
            [group.to_json() for group in evaluation.statuses[0].groups if group_key(group.group) == key]
            for evaluation in both
        ]
        assert shown[0] == shown[1]
