"""The exported rules: what they contain, that real promtool takes them, and what is left out and why."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from detectors.slo.export.names import group_label_names, label_name
from detectors.slo.export.omissions import judged_by_evidence, omissions
from detectors.slo.export.prometheus import PrometheusOptions, prometheus_rules
from detectors.slo.parse import load_slos, parse_slos
from detectors.slo.spec import SloSet
from telemetry.windows import NANOS
from tests.detectors.slo.documents import EVERY_KIND, EXAMPLE
from tests.detectors.slo.traffic import slos_of
from tests.docs.pages import ROOT
from tests.external import require_program

EXAMPLES = sorted(
    path for path in (ROOT / "examples").rglob("*.yaml") if "version: 1\nslos:\n" in path.read_text("utf-8")
)


def parsed(text: str) -> SloSet:
    return parse_slos([("slos.yaml", text)])


def rules_of(slos: SloSet, **options: Any) -> list[dict[str, Any]]:
    document = yaml.safe_load(prometheus_rules(slos, PrometheusOptions(**options)))
    return [rule for group in document["groups"] for rule in group["rules"]]


def check(folder: Path, text: str) -> str:
    """Output of ``promtool check rules``; fails on what it refuses."""
    path = folder / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    promtool = require_program("promtool", "prometheus")
    done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_promtool_takes_every_example(tmp_path: Path, path: Path) -> None:
    assert "SUCCESS" in check(tmp_path, prometheus_rules(load_slos([path])))


def test_promtool_takes_every_kind_and_hostile_text(tmp_path: Path) -> None:
    hostile = slos_of(
        "{name: a.b-c, service: 'q\"{{ .x }}\\', owner: '{{end}}', description: \"two\\nlines: {{ $labels }} #\","
        " sli: {errors: {}}, per: [instance, model], objective: 99.99%, window: 28d,"
        " runbook: 'r{{', labels: {team: '{{x}}', model: fixed, note: 'yes'}}"
    )
    text = prometheus_rules(SloSet((*parsed(EVERY_KIND).slos, *parsed(EXAMPLE).slos, *hostile.slos)))
    assert "SUCCESS" in check(tmp_path, text)
    alert = next(rule for rule in rules_of(hostile) if "alert" in rule)
    assert alert["labels"]["note"] == "yes"
    assert "model" not in alert["labels"], "the group's own value holds"
    assert alert["labels"]["service"] == 'q"{{ "{{" }} .x }}\\'
    assert "sum by (slo, service, service_instance, model)" in text


def test_the_rules_of_the_example() -> None:
    rules = rules_of(parsed(EXAMPLE), runbooks="https://runbooks.example.com/")
    records = [rule["record"] for rule in rules if "record" in rule]
    windows = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
    assert records == [
        *(f"slo:sli_error:ratio_rate{window}" for window in windows), "slo:current_burn_rate:ratio",
        "slo:objective:ratio", "slo:error_budget:ratio", "slo:time_period:days", "slo:sli_error:ratio_rate30d",
        "slo:period_burn_rate:ratio", "slo:period_error_budget_remaining:ratio",
    ]  # fmt: skip
    alerts = [rule for rule in rules if "alert" in rule]
    assert [(one["alert"], one["labels"]["severity"], one["labels"]["window"]) for one in alerts] == [
        ("ErrorBudgetBurn", "page", "1h"), ("ErrorBudgetBurn", "page", "6h"),
        ("ErrorBudgetBurn", "ticket", "1d"), ("ErrorBudgetBurn", "ticket", "3d"),
    ]  # fmt: skip
    first = alerts[0]
    assert first["labels"] | {"slo": "chat-tail-latency", "service": "chat", "team": "inference"} == first["labels"]
    assert first["annotations"]["runbook"] == "tail-latency"
    assert first["annotations"]["runbook_url"] == "https://runbooks.example.com/tail-latency.md"
    assert first["annotations"]["owner"] == "inference-team"
    thresholds = [re.findall(r"> ([\d.]+) \* ([\d.]+) ", one["expr"]) for one in alerts]
    assert thresholds == [[(factor, "0.005")] * 2 for factor in ("14.4", "6", "3", "1")]


def test_an_slo_without_alerts_is_recorded_all_the_same() -> None:
    rules = rules_of(slos_of("{name: a, service: s, sli: {errors: {}}, objective: 99%, alert: none}"))
    assert not [rule for rule in rules if "alert" in rule]
    assert {"slo:sli_error:ratio_rate5m", "slo:sli_error:ratio_rate30d"} <= {rule["record"] for rule in rules}


def test_a_period_that_is_also_an_alert_s_window_is_recorded_once(tmp_path: Path) -> None:
    slos = slos_of(
        "{name: a, service: s, sli: {errors: {}}, objective: 90%, window: 1d,"
        " alert: [{severity: page, long: 1d, factor: 1}]}"
    )
    records = [rule["record"] for rule in rules_of(slos) if "record" in rule]
    assert records.count("slo:sli_error:ratio_rate1d") == 1
    check(tmp_path, prometheus_rules(slos))


def test_the_same_slos_give_the_same_text() -> None:
    assert prometheus_rules(parsed(EXAMPLE)) == prometheus_rules(parsed(EXAMPLE))


def test_what_cannot_be_expressed_is_named_with_the_reason() -> None:
    by_name = {slo.name: [str(one) for one in omissions(slo)] for slo in parsed(EVERY_KIND).slos}
    for name in ("first-token", "inputs", "outputs"):
        assert len(by_name[name]) == 1
        assert "slices of time" in by_name[name][0]
        assert by_name[name][0].startswith(f"{name}: SLO left out: ")
    assert [by_name[name] for name in ("errors", "refused-apart", "cost")] == [[], [], []]
    exported = prometheus_rules(parsed(EVERY_KIND))
    assert "first-token" not in exported
    assert 'slo="cost"' in exported


def test_pairs_too_short_for_the_scrapes_are_left_out() -> None:
    slos = slos_of(
        "{name: a, service: s, sli: {errors: {}}, objective: 90%, window: 1d,"
        " alert: [{severity: page, long: 5m, factor: 5}, {severity: page, long: 1h, factor: 2}]}"
    )
    (slo,) = slos.slos
    assert [str(one) for one in omissions(slo)] == [
        "a: alert over 5m left out: its short window, 20s, holds fewer than 4 scrapes of 15s"
    ]
    assert [rule["labels"]["window"] for rule in rules_of(slos) if "alert" in rule] == ["1h"]
    assert not omissions(slo, 5 * NANOS)
    assert len([rule for rule in rules_of(slos, scrape_ns=5 * NANOS) if "alert" in rule]) == 2


def test_a_policy_of_the_sequential_alert_alone_and_labels_of_prometheus_are_named() -> None:
    (slo,) = slos_of(
        "{name: a, service: s, sli: {errors: {}}, objective: 90%, alert: {sequential: {}}, labels: {__x: y}}"
    ).slos
    assert [one.what for one in omissions(slo)] == ["sequential alert", "label __x"]
    assert judged_by_evidence(slo)


def test_calendar_periods_have_alerts_but_no_budget_in_prometheus(tmp_path: Path) -> None:
    slos = slos_of(
        "{name: a, service: s, sli: {errors: {}}, objective: 99%, window: {calendar: month, timezone: Europe/Berlin}}"
    )
    (slo,) = slos.slos
    assert [str(one) for one in omissions(slo)] == ["a: budget of the month left out: PromQL has no calendar periods"]
    rules = rules_of(slos)
    assert not [rule for rule in rules if rule.get("record", "").startswith("slo:period_")]
    assert "slo:sli_error:ratio_rate30d" not in {rule.get("record") for rule in rules}
    alerts = [rule for rule in rules if "alert" in rule]
    assert len(alerts) == 4
    assert "(99 % over a calendar month)" in alerts[0]["annotations"]["description"]
    check(tmp_path, prometheus_rules(slos))


def test_money_has_the_rules_of_every_budget_and_no_objective(tmp_path: Path) -> None:
    slos = slos_of(
        "{name: bill, service: s, sli: {spend: {budget: $720}}, per: [tenant]}\n"
        "{name: month, service: s, sli: {spend: {budget: $20}}, window: {calendar: month}}"
    )
    assert omissions(slos.slos[0]) == []
    check(tmp_path, prometheus_rules(slos))
    rules = rules_of(slos)
    own = {rule.get("record"): rule["expr"] for rule in rules if rule["labels"]["slo"] == "bill"}
    assert "slo:objective:ratio" not in own
    assert own["slo:error_budget:ratio"] == "vector(1)"
    assert " ".join(own["slo:sli_error:ratio_rate1h"].split()) == (
        '( sum by (slo, service, tenant) (rate(tailwatch_slo_spent_usd_total{slo="bill"}[1h])) * 2592000 / 720 ) > 0'
    )
    assert any("scalar(days_in_month() * 86400)" in rule["expr"] for rule in rules)
    first = next(rule for rule in rules if "alert" in rule)
    assert "offset" not in first["expr"], "money spent is known from the first dollar on"
    assert first["annotations"]["description"] == (
        "The budget of bill (720 USD over 30d) burns faster than 14.4x over 1h and 5m."
    )


def test_timeslices_of_events_are_slices() -> None:
    slos = slos_of("{name: a, service: s, sli: {errors: {}}, objective: 99%, budgeting: {timeslices: {target: 95%}}}")
    assert [one.what for one in omissions(slos.slos[0])] == ["SLO"]
    assert not rules_of(slos)


def test_the_gate_and_the_sequential_test_are_what_the_rules_lack() -> None:
    judged = {slo.name for slo in parsed(EVERY_KIND).slos if judged_by_evidence(slo)}
    assert judged == {"errors", "refused-apart"}


def test_labels_of_groups_never_clash() -> None:
    assert [label_name(field) for field in ("model", "instance", "feature.a-b")] == [
        "model", "service_instance", "feature_a_b",
    ]  # fmt: skip
    (slo,) = slos_of("{name: a, service: s, sli: {errors: {}}, objective: 90%, per: [feature.a.b, feature.a_b]}").slos
    assert group_label_names(slo)[2:] == ("feature_a_b", "feature_a_b")
    assert ["two fields of per" in one.why for one in omissions(slo)] == [True]
