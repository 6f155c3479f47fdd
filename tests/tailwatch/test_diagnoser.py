"""Findings diagnosed from stored records: the right records, the right cause, and no answer about unknown SLOs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from storage.database import Database
from tailwatch.diagnoser import BEFORE_NS, Diagnoser
from telemetry.findings import Finding
from telemetry.windows import BUCKET_NS, NANOS
from tests.tailwatch.declared import AVAILABILITY, MINUTE_NS, START_NS, slo_set, store

BY_TYPE = AVAILABILITY.replace("per: [model]", "per: [input_type]\n    where: ['operation=\"chat\"']")


def finding(slo: str, **labels: str) -> Finding:
    named = {"alertname": "ErrorBudgetBurn", "slo": slo, "service": "chat", "severity": "page", **labels}
    return Finding(named, "page", START_NS, "too many errors")


def fill(database: Database) -> None:
    """An hour and a half of good requests; since START_NS most of the code requests fail."""
    for i in range(1, 7):
        for kind in ("chat", "code"):
            kinds = {"tailwatch.input.type": kind}
            store(database, (), 60, at_ns=START_NS - i * 15 * MINUTE_NS + NANOS, attributes=kinds)
    for kind, bad in (("chat", 0), ("code", 55)):
        kinds = {"tailwatch.input.type": kind}
        store(database, (), 60, at_ns=START_NS + 30 * NANOS, bad=bad, attributes=kinds)
    other = {"tailwatch.input.type": "long", "gen_ai.operation.name": "embeddings"}
    store(database, (), 60, at_ns=START_NS + 30 * NANOS, bad=60, attributes=other)
    store(database, (), 60, at_ns=START_NS + 30 * NANOS, bad=60, service="other")


def test_the_slice_that_fails_is_named(database: Database, tmp_path: Path) -> None:
    fill(database)
    diagnoser = Diagnoser(database, slo_set(tmp_path, BY_TYPE))
    diagnosis = diagnoser.diagnose(finding("availability", input_type="code"), START_NS + MINUTE_NS)
    assert diagnosis is not None
    assert diagnosis.cause == "slice-errors"
    assert diagnosis.slice["input_type"] == "code"
    first = diagnosis.evidence["attribution"][0]
    assert (first["bad"], first["total"]) == (55, 60)
    assert {one["error_type"] for one in diagnosis.evidence["exemplars"]} == {"timeout"}


def test_records_are_those_of_the_slo_an_hour_before_and_since(database: Database, tmp_path: Path) -> None:
    fill(database)
    slos = slo_set(tmp_path, BY_TYPE)
    now_ns = START_NS + MINUTE_NS
    own, told = Diagnoser(database, slos).records(slos.slos[0], START_NS, now_ns)
    assert (len(own.before), len(own.after)) == (4 * 120, 120)
    assert own.before.time_ns.min() >= START_NS - BEFORE_NS
    assert own.before.time_ns.max() < START_NS <= own.after.time_ns.min()
    assert own.after.time_ns.max() < now_ns + BUCKET_NS
    assert set(own.after.string("operation").values) == {"chat"}
    assert (len(told.before), len(told.after)) == (0, 0)


def test_a_composite_is_diagnosed_by_its_worst_component(database: Database, tmp_path: Path) -> None:
    fill(database)
    quick = """
  - {name: quick, service: chat, sli: {latency: {measure: duration, below: 60s}}, objective: 99%}
"""
    both = """
  - {name: both, service: chat, sli: {composite: {of: [{slo: quick}, {slo: availability}]}}, objective: 95%}
"""
    diagnoser = Diagnoser(database, slo_set(tmp_path, BY_TYPE, quick, both))
    shares = {"slice_of_time": {"shares": {"quick": 1.0, "availability": 0.5}}}
    found = replace(finding("both"), evidence=shares)
    diagnosis = diagnoser.diagnose(found, START_NS + MINUTE_NS)
    assert diagnosis is not None
    assert (diagnosis.cause, diagnosis.slice["input_type"]) == ("slice-errors", "code")


def test_without_records_the_cause_is_unknown(database: Database, tmp_path: Path) -> None:
    diagnosis = Diagnoser(database, slo_set(tmp_path, BY_TYPE)).diagnose(finding("availability"), START_NS)
    assert diagnosis is not None
    assert diagnosis.cause == "unknown"


def test_an_slo_that_is_gone_has_no_diagnosis(database: Database, tmp_path: Path) -> None:
    assert Diagnoser(database, slo_set(tmp_path, BY_TYPE)).diagnose(finding("gone"), START_NS) is None
