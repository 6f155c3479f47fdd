"""What evaluations keep of what is stored: as much as counts, for as long as nothing changes."""

from __future__ import annotations

from sqlalchemy import event

from alerting.lazy_json import LazyJson
from tests.alerting.makers import Recorder, at, diagnosis, finding, run, set_up, undiagnosed


def test_a_steady_evaluation_loads_neither_alerts_nor_incidents(lite):
    alerting = set_up(lite, Recorder())
    held = [finding(slo=name, service=name) for name in "abc"]
    run(alerting, held, 0, 200)
    asked: list[str] = []

    def note(_connection, _cursor, statement, *_):
        asked.append(statement)

    for engine in (lite._reader, lite._writer):
        event.listen(engine, "before_cursor_execute", note)
    alerting.apply(held, undiagnosed, at(210))
    assert asked
    assert not [text for text in asked if "FROM alerts" in text or "FROM incidents" in text or "FROM told" in text]
    alerting.apply([], undiagnosed, at(220))
    asked.clear()
    alerting.apply([], undiagnosed, at(230))
    assert [text for text in asked if "FROM alerts" in text], "what the evaluation before has changed is loaded"


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
