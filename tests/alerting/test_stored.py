"""What evaluations keep of what is stored: as much as counts, for as long as nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter

import pytest
from sqlalchemy import event

from alerting import repository
from alerting.lazy_json import LazyJson
from alerting.state import AlertTiming
from storage.database import Database
from telemetry.errors import StorageError
from telemetry.findings import Diagnosis
from telemetry.windows import NANOS
from tests.alerting.makers import Recorder, at, diagnosis, finding, run, set_up, undiagnosed

number = attrgetter("number")


@contextmanager
def noting(database: Database) -> Iterator[list[str]]:
    """The statements that are executed meanwhile."""
    asked: list[str] = []

    def note(_connection, _cursor, statement, *_):
        asked.append(statement)

    for engine in (database._reader, database._writer):
        event.listen(engine, "before_cursor_execute", note)
    yield asked
    for engine in (database._reader, database._writer):
        event.remove(engine, "before_cursor_execute", note)


def test_a_steady_evaluation_loads_neither_alerts_nor_incidents(lite):
    alerting = set_up(lite, Recorder())
    held = [finding(slo=name, service=name) for name in "abc"]
    run(alerting, held, 0, 200)
    with noting(lite) as asked:
        alerting.apply(held, undiagnosed, at(210))
    assert asked
    assert not [text for text in asked if "FROM alerts" in text or "FROM incidents" in text or "FROM told" in text]


def test_what_ended_long_ago_counts_no_more_though_nothing_is_loaded_anew(database):
    alerting = set_up(database, Recorder())
    run(alerting, [finding()], 0, 30)
    run(alerting, [], 30, 200)
    alerting.apply([], undiagnosed, at(1000))
    assert alerting.apply([finding(since=6000)], undiagnosed, at(6000)) == ["INC-2"]


def test_a_clock_that_is_set_back_finds_again_what_counts_then(lite):
    alerting = set_up(lite, Recorder())
    run(alerting, [finding()], 0, 30)
    run(alerting, [], 30, 200)
    alerting.apply([], undiagnosed, at(9000))
    assert alerting.apply([finding(since=300)], undiagnosed, at(300)) == ["INC-1"], "it has only just ended"


def test_evidence_is_read_when_it_is_asked_for():
    stored = LazyJson('{"burn": [1], "budget": {"remaining": 0.5}}')
    assert dict(stored) == stored == {"burn": [1], "budget": {"remaining": 0.5}}
    assert (len(stored), stored["burn"], stored.get("x", 2)) == (2, [1], 2)
    assert list(stored) == ["burn", "budget"]


def test_a_later_diagnosis_is_kept_with_the_evidence_that_was_stored(database):
    alerting = set_up(database, Recorder())
    run(alerting, [finding(evidence={"kind": "errors"})], 0, 10)
    run(alerting, [finding(evidence={"kind": "errors"})], 10, 20, diagnose=lambda _: diagnosis("bad-release", v="3"))
    evidence = alerting.incident("INC-1")["evidence"]
    assert (evidence["cause"], evidence["kind"]) == ("bad-release", "errors")


def course(alerting, seconds):
    """Evaluations of a day with everything in it: what joins, is quiet, waits, ends, comes back, and what people do."""

    def awkward(_finding):
        return Diagnosis("bad-release", "since \ud800 v3\x00", float("nan"), {"model_version": "v\x003"}, {"x": {1}})

    page, ticket = finding(), finding("slow-burn", severity="ticket", suppressed_by=finding().fingerprint)
    other, third = finding(slo="latency"), finding(service="search", slo="found", since=100.0, tenant="a\x00b")
    yield alerting.apply([page, ticket], undiagnosed, at(seconds))
    yield alerting.apply([page, ticket, other], awkward, at(seconds + 10))
    yield alerting.apply([page, ticket, other, third], undiagnosed, at(seconds + 20))
    yield alerting.apply([page, ticket, other, third], undiagnosed, at(seconds + 40))
    if seconds == 0:
        yield alerting.acknowledge("INC-1", "ada", "", at(45))
        yield alerting.merge("INC-2", "INC-1", "ada", "", at(46))
    yield alerting.apply([third], awkward, at(seconds + 50), withdrawn=[other.fingerprint])
    yield alerting.apply([third], undiagnosed, at(seconds + 100))
    yield alerting.apply([page], undiagnosed, at(seconds + 150))
    yield alerting.apply([], undiagnosed, at(seconds + 160))
    yield alerting.apply([], undiagnosed, at(seconds + 600))
    yield alerting.apply([page, third], undiagnosed, at(seconds + 610))
    yield alerting.apply([], undiagnosed, at(seconds + 620))
    yield alerting.apply([], undiagnosed, at(seconds + 2000))


@pytest.mark.parametrize("timing", [AlertTiming(), AlertTiming(pending_for_ns=15 * NANOS)], ids=["at once", "pending"])
def test_what_is_kept_of_an_evaluation_is_what_would_be_read(database, timing):
    alerting = set_up(database, Recorder(), timing=timing)
    compared = 0
    for start in (0, 9000, 9300):
        for _ in course(alerting, start):
            with database.read() as connection:
                revision, kept = repository.load_revision(connection), alerting._latest._kept
                if kept.revision != revision:
                    continue  # a person changed something
                world = repository.load_world(connection, kept.recent_ns)
                told = repository.load_told(connection, [incident.number for incident in world.incidents])
            found = kept.since(kept.recent_ns)
            assert found.world.alerts == world.alerts
            assert sorted(found.world.incidents, key=number) == sorted(world.incidents, key=number)
            assert (found.world.next_number, found.told) == (world.next_number, told)
            compared += bool(world.alerts)
    assert compared > 20


def test_an_evaluation_reads_nothing_of_what_the_one_before_it_has_stored(lite):
    alerting = set_up(lite, Recorder())
    alerting.apply([], undiagnosed, at(0))
    with noting(lite) as asked:
        alerting.apply([finding(slo=name, service=name) for name in "abc"], undiagnosed, at(10))
        asked.clear()
        alerting.apply([], undiagnosed, at(20))
        alerting.apply([], undiagnosed, at(90))
    assert [text for text in asked if "UPDATE" in text]
    assert not [text for text in asked if "FROM alerts" in text or "FROM incidents" in text or "FROM told" in text]


def test_what_could_not_be_committed_is_not_gone_by(lite, monkeypatch):
    alerting = set_up(lite, Recorder())
    alerting.apply([], undiagnosed, at(0))

    def full(*_):
        raise StorageError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("alerting.hooks.desk.HookDesk.react", full)
        with pytest.raises(StorageError):
            alerting.apply([finding()], undiagnosed, at(10))
    assert alerting.apply([finding()], undiagnosed, at(20)) == ["INC-1"]


def test_what_another_process_has_changed_meanwhile_is_read(database):
    one, other = set_up(database, Recorder()), set_up(database, Recorder())
    one.apply([finding()], undiagnosed, at(0))
    other.acknowledge("INC-1", "ada", "", at(5))
    other.apply([finding(), finding(slo="latency")], undiagnosed, at(10))
    one.apply([finding(), finding(slo="latency")], undiagnosed, at(20))
    assert one.apply([], undiagnosed, at(30)) == []
    assert one.apply([], undiagnosed, at(100)) == ["INC-1"]
    assert [alert["state"] for alert in one.incident("INC-1")["alerts"]] == ["resolved", "resolved"]


def test_who_delivers_and_acts_but_does_not_evaluate_remembers_no_routes(database):
    heard = Recorder()
    leader, follower = set_up(database, heard), set_up(database, heard)
    held = [finding(slo=name, service=name) for name in "abc"]
    leader.apply(held, undiagnosed, at(0))
    follower.acknowledge("INC-1", "ada", "", at(5))
    follower.deliver(at(10))
    leader.apply(held, undiagnosed, at(20))
    assert heard.reasons == ["opened"] * 3
    assert not remembered(follower)
    assert len(remembered(leader)) == 3


def remembered(alerting):
    places = alerting._setup.directory, alerting._setup.standing
    return {key for place in places for kept in vars(place).values() if isinstance(kept, dict) for key in kept}
