"""New SLOs count what is stored already: once, whatever interrupts them, and under the meaning that they have now."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from collector.cardinality import CardinalityGuard
from collector.pipeline import Pipeline
from collector.request import Request
from detectors.slo.compile import compile_rules, rule_id
from detectors.slo.spec import SloSet
from storage.database import Database
from storage.ingest import commit
from storage.revisions import revisions
from storage.rollups import load_distributions, sli_totals
from tailwatch import backfill as subject
from tailwatch.backfill import backfill
from tailwatch.standing import evaluate_now
from telemetry.errors import StorageError
from telemetry.rules import SERIES_RULE, RollupRule
from telemetry.windows import NANOS
from tests.tailwatch.declared import AVAILABILITY, START_NS, prepare, slo_set, store

FOREVER_NS = 2**62
CONFIDENCE = """
  - name: confidence
    service: chat
    sli: {drift: {fields: [confidence, feature.length], reference: {first: 200}, slice: 1m}}
    objective: 90%
    alert: ticket-only
"""


def rules_of(slos: SloSet) -> tuple[RollupRule, ...]:
    return tuple(rule for slo in slos.slos for rule in compile_rules(slo))


def counted(database: Database, slos: SloSet) -> dict[str, tuple[int, int]]:
    """Good and total by rule."""
    totals = {rule.id: sli_totals(database, rule.id, 0, FOREVER_NS) for rule in rules_of(slos)}
    return {rule: (sum(one.good for one in found), sum(one.total for one in found)) for rule, found in totals.items()}


def fill(database: Database, slos: SloSet) -> list[str]:
    return backfill(database, (SERIES_RULE, *rules_of(slos)), CardinalityGuard(), START_NS)


def logs(count: int) -> bytes:
    """An Export request of inference logs with a confidence and a feature."""
    records = [
        LogRecord(
            time_unix_nano=START_NS + i * NANOS,
            event_name="tailwatch.inference",
            trace_id=(i + 1).to_bytes(16, "big"),
            span_id=(i + 1).to_bytes(8, "big"),
            attributes=[
                KeyValue(key="tailwatch.confidence", value=AnyValue(double_value=i / count)),
                KeyValue(key="tailwatch.feature.length", value=AnyValue(double_value=float(i))),
            ],
        )
        for i in range(count)
    ]
    resource = ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])
    resource.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="chat")))
    return ExportLogsServiceRequest(resource_logs=[resource]).SerializeToString()


def test_a_new_slo_is_counted_from_rows_once(database: Database, tmp_path: Path) -> None:
    slos = slo_set(tmp_path, AVAILABILITY)
    rule = rule_id(slos.slos[0])
    store(database, (), 30, at_ns=START_NS, bad=4)
    store(database, (), 5, at_ns=START_NS, service="other")
    series = sli_totals(database, SERIES_RULE.id, 0, FOREVER_NS)
    assert fill(database, slos) == [rule]
    assert fill(database, slos) == []
    assert counted(database, slos) == {rule: (26, 30)}
    assert sli_totals(database, SERIES_RULE.id, 0, FOREVER_NS) == series
    (revision,) = revisions(database)
    assert (revision.name, revision.revision, revision.backfilled_ns) == ("availability", rule, START_NS)


def test_what_comes_after_it_is_counted_on_its_way_in(database: Database, tmp_path: Path) -> None:
    slos = slo_set(tmp_path, AVAILABILITY)
    store(database, (), 30, at_ns=START_NS, bad=4)
    fill(database, slos)
    store(database, rules_of(slos), 10, at_ns=START_NS, bad=1)
    assert fill(database, slos) == []
    assert counted(database, slos) == {rule_id(slos.slos[0]): (35, 40)}


def test_a_kill_before_the_note_is_made_up_for(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slos = slo_set(tmp_path, AVAILABILITY)
    store(database, (), 30, at_ns=START_NS, bad=4)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(subject, "end_backfill", killed)
        with pytest.raises(KeyboardInterrupt):
            fill(database, slos)
    assert subject.backfilled(database) == frozenset()
    assert fill(database, slos) == [rule_id(slos.slos[0])]
    assert counted(database, slos) == {rule_id(slos.slos[0]): (26, 30)}
    assert fill(database, slos) == []


def test_a_failed_commit_is_made_up_for(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slos = slo_set(tmp_path, AVAILABILITY)
    store(database, (), 30, at_ns=START_NS)

    def full(*_: object, **__: object) -> None:
        raise StorageError("the disk is full", where="test", remedy="free some space")

    with monkeypatch.context() as patch:
        patch.setattr(subject, "replace_counters", full)
        with pytest.raises(StorageError):
            fill(database, slos)
    assert fill(database, slos) == [rule_id(slos.slos[0])]
    assert counted(database, slos) == {rule_id(slos.slos[0]): (30, 30)}


def test_a_changed_meaning_is_a_new_revision_and_a_changed_objective_is_none(
    database: Database, tmp_path: Path
) -> None:
    store(database, (), 10, at_ns=START_NS, bad=2)
    store(database, (), 10, at_ns=START_NS, attributes={"gen_ai.operation.name": "embeddings"})
    first = slo_set(tmp_path, AVAILABILITY)
    stricter = slo_set(tmp_path, AVAILABILITY.replace("99%", "99.9%"))
    narrower = slo_set(tmp_path, AVAILABILITY + "    where: ['operation=\"chat\"']\n")
    assert len(fill(database, first)) == 1
    assert fill(database, stricter) == []
    assert fill(database, narrower) == [rule_id(narrower.slos[0])]
    assert counted(database, first) == {rule_id(first.slos[0]): (18, 20)}
    assert counted(database, narrower) == {rule_id(narrower.slos[0]): (8, 10)}
    assert {one.revision for one in revisions(database, "availability")} == {
        rule_id(first.slos[0]), rule_id(narrower.slos[0]),
    }  # fmt: skip


def test_fields_of_inference_logs_are_gathered_too(database: Database, tmp_path: Path) -> None:
    slos = slo_set(tmp_path, CONFIDENCE)
    prepared = prepare(Pipeline(), Request("log", "protobuf", logs(40)), START_NS)
    assert prepared.payload is not None
    commit(database, [prepared.payload], START_NS)
    (rule,) = fill(database, slos)
    for field, total in (("confidence", sum(range(40)) / 40), ("feature.length", sum(range(40)))):
        found = load_distributions(database, [rule], 0, FOREVER_NS, field=field)
        sketches = [sketch for series in found for sketch in series.distributions]
        assert sum(sketch.count for sketch in sketches) == 40
        assert sum(sketch.total for sketch in sketches) == pytest.approx(total)


def test_how_slos_stand_is_the_same_counted_or_from_rows(database: Database, tmp_path: Path) -> None:
    slos = slo_set(tmp_path, AVAILABILITY)
    store(database, (), 30, at_ns=START_NS, bad=4)
    from_rows = evaluate_now(database, slos, 100, START_NS)
    assert revisions(database) == []
    assert counted(database, slos) == {rule_id(slos.slos[0]): (0, 0)}
    fill(database, slos)
    assert evaluate_now(database, slos, 100, START_NS) == from_rows
    assert [(group["good"], group["total"]) for group in from_rows[0]["groups"]] == [(26, 30)]
