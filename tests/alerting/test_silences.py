"""Silences: when they hold, what a change makes of them, and that alerts obey."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.posted import PostedAlert, active, read_posted, store
from alerting.silence_book import SilenceBook
from alerting.silences import Silence, changed, check, expired
from storage import audit
from storage.database import Database
from telemetry.errors import ConflictError, NotFoundError, PayloadError
from telemetry.matchers import Matchers, parse_matchers
from telemetry.windows import NANOS
from tests.alerting.makers import Recorder, at, finding, run, set_up

CHAT = parse_matchers(["service=chat"])
ONE = Silence("one", CHAT, at(0), at(100), "Ada", "maintenance", at(0))


@pytest.mark.parametrize(("second", "state"), [(-1, "pending"), (0, "active"), (99, "active"), (100, "expired")])
def test_it_holds_from_its_start_until_before_its_end(second, state):
    assert ONE.state(at(second)) == state
    assert ONE.accepts({"service": "chat"}, at(second)) is (state == "active")
    assert not ONE.accepts({"service": "search"}, at(second))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"ends_ns": at(0)}, "start time must be before end time"),
        ({"starts_ns": at(-200), "ends_ns": at(-100)}, "end time can't be in the past"),
        ({"matchers": Matchers()}, "at least one matcher required"),
        ({"matchers": parse_matchers(['service=~".*"', "team!=x"])}, "must not match the empty string"),
    ],
)
def test_what_would_silence_nothing_or_all_is_refused(change, says):
    with pytest.raises(PayloadError, match=says) as error:
        check(replace(ONE, **change), at(0))
    assert error.value.status == 400


def test_an_active_one_is_prolonged_in_place_though_clients_round_its_start():
    begun = replace(ONE, starts_ns=at(0) + 123_456_789)
    wanted = replace(ONE, id="new", starts_ns=at(0) + 123_000_000, ends_ns=at(500))
    assert changed(begun, wanted, at(50)) == (replace(begun, ends_ns=at(500)),)


def test_other_matchers_end_it_and_begin_another():
    wanted = replace(ONE, id="new", matchers=parse_matchers(["service=search"]), ends_ns=at(500))
    before, after = changed(ONE, wanted, at(50))
    assert (before.id, before.ends_ns) == ("one", at(50))
    assert (after.id, after.starts_ns, after.ends_ns) == ("new", at(50), at(500))


def test_one_that_is_over_is_begun_anew():
    (after,) = changed(ONE, replace(ONE, id="new", ends_ns=at(500)), at(200))
    assert (after.id, after.starts_ns) == ("new", at(200))


def test_a_pending_one_may_move():
    wanted = replace(ONE, id="new", starts_ns=at(20), ends_ns=at(30))
    assert changed(ONE, wanted, at(-10)) == (replace(wanted, id="one"),)


def test_a_pending_one_that_is_ended_never_begins():
    ended = expired(ONE, at(-10))
    assert ended.state(at(-10)) == "expired"
    assert not any(ended.accepts({"service": "chat"}, at(second)) for second in (-11, -10, 0, 50))
    with pytest.raises(ConflictError, match="already expired"):
        expired(ended, at(0))


@given(st.integers(-50, 250), st.integers(-50, 250), st.integers(1, 300), st.sampled_from([CHAT, Matchers()]))
def test_whatever_is_changed_the_past_stays_as_it_was(now, start, length, matchers):
    wanted = Silence("new", matchers, at(start), at(start + length), "Bob", "", at(now))
    if wanted.ends_ns <= at(now):
        return
    results = changed(ONE, wanted, at(now))
    for second in range(-50, now):
        before = ONE.accepts({"service": "chat"}, at(second))
        after = any(one.accepts({"service": "chat"}, at(second)) for one in results)
        assert after is before or ONE.state(at(now)) == "expired"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        path = tmp_path / "tailwatch.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        url = f"sqlite:///{path}"
    else:
        url = request.getfixturevalue("postgres_url")
    with Database(url) as opened:
        opened.upgrade()
        yield opened


def test_they_are_kept(database):
    book = SilenceBook(database)
    nasty = parse_matchers(['service="ch\\"at\\n"', "team=~a|b", "x!=1", "y!~z"])
    first = book.put(replace(ONE, id="", matchers=nasty, comment="it's \x00 fine"), at(10))
    assert book.get(first) == replace(
        ONE, id=first, matchers=nasty, starts_ns=at(10), comment="it's  fine", updated_ns=at(10)
    )
    again = book.put(replace(book.get(first), ends_ns=at(900)), at(20))
    assert again == first
    assert [silence.id for silence in book.in_force(at(800))] == [first]
    book.expire(first, at(30))
    assert book.in_force(at(40)) == []
    assert [silence.ends_ns for silence in book.all()] == [at(30)]
    with pytest.raises(NotFoundError):
        book.put(replace(ONE, id="no such"), at(0))


def test_what_fires_is_silenced_and_told_again_when_that_ends(lite):
    oncall = Recorder()
    alerting = set_up(lite, oncall)
    run(alerting, [finding()], 0, 30)
    silence = alerting.silences.put(replace(ONE, id="", starts_ns=at(30), ends_ns=at(20_000)), at(30))
    run(alerting, [finding()], 30, 18_000, every=60)
    assert oncall.reasons == ["opened"], "no reminders"
    assert [alert["state"] for alert in alerting.alerts()] == ["suppressed"]
    alerting.silences.expire(silence, at(18_000))
    run(alerting, [finding()], 18_000, 18_060)
    assert oncall.reasons == ["opened", "reminder"]
    run(alerting, [], 18_060, 18_300)
    assert oncall.reasons == ["opened", "reminder", "resolved"]


POSTED = {
    "labels": {"alertname": "DiskFull", "severity": "critical", "service": "db"},
    "annotations": {"summary": "full"},
}


def test_posted_alerts_become_incidents_like_our_own(lite):
    oncall = Recorder()
    alerting = set_up(lite, oncall)
    alerting.post([read_posted(POSTED | {"endsAt": "2023-11-14T22:15:00Z"}, at(0))], at(0), actor="prometheus")
    run(alerting, [finding(slo="ours", service="other")], 0, 40)
    assert {heard.incident["title"] for heard in oncall.heard} == {"DiskFull: full", "other: errors-burn of ours"}
    assert {alert["severity"] for heard in oncall.heard for alert in heard.alerts} == {"page"}
    run(alerting, [], 100, 400)
    assert alerting.alerts() == []
    assert oncall.reasons.count("resolved") == 2


def test_a_posted_alert_without_an_end_ends_when_it_is_no_longer_posted(database):
    alert = read_posted(POSTED, at(0))
    with database.write() as connection:
        store(connection, [alert, alert], at(0), actor="prometheus")
        assert active(connection, at(299)) == [alert]
        assert active(connection, at(300)) == []
        store(connection, [read_posted(POSTED, at(200))], at(200), actor="prometheus")
        (held,) = active(connection, at(499))
    assert held == PostedAlert(alert.labels, alert.annotations, at(0), at(500), ""), "it keeps its start"


def test_names_of_posted_labels_may_be_any_text_and_the_timeout_is_as_configured():
    # Prometheus 3 posts the names that OpenTelemetry gives.
    alert = read_posted({"labels": {"service.name": "chat", "größe": "XL"}}, at(0), timeout_ns=at(90) - at(0))
    assert (alert.labels, alert.ends_ns) == ({"service.name": "chat", "größe": "XL"}, at(90))


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "is not an object"),
        ({}, "at least one label pair required"),
        ({"labels": {"a": ""}}, "at least one label pair required"),
        ({"labels": {"": "x"}}, "invalid name ''"),
        ({"labels": {"a": 1}}, "labels are not texts"),
        ({"labels": {"a": "x"}, "annotations": ["x"]}, "annotations are not texts"),
        ({"labels": {"a": "x"}, "startsAt": "yesterday"}, "is not a time"),
        ({"labels": {"a": "x"}, "startsAt": "2024-01-02T00:00:00Z", "endsAt": "2024-01-01T00:00:00Z"}, "before end"),
    ],
)
def test_what_cannot_be_an_alert_is_refused(document, says):
    with pytest.raises(ValueError, match=says):
        read_posted(document, at(0))


def test_times_are_read_as_go_writes_them():
    zero = read_posted(POSTED | {"startsAt": "0001-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z"}, at(0))
    assert (zero.starts_ns, zero.ends_ns) == (at(0), at(300))
    exact = read_posted(POSTED | {"startsAt": "2023-11-14T23:13:20.123456789+01:00"}, at(600))
    assert exact.starts_ns // 1000 == (at(0) + 123_456_000) // 1000
    assert at(0) == 1_700_000_000 * NANOS


def test_who_silences_is_in_the_audit_log(database):
    book = set_up(database).silences
    wanted = Silence("", parse_matchers(["service=chat"]), at(0), at(60), "Ada", "deploy", 0)
    made = book.put(wanted, at(0), actor="laptop")
    book.put(replace(wanted, id=made, ends_ns=at(120)), at(1), actor="laptop")
    book.expire(made, at(2), actor="pager")
    book.put(wanted, at(3))
    entries = audit.load(database)[::-1]
    assert [(entry.action, entry.actor, entry.subject) for entry in entries] == [
        ("silence.create", "laptop", made), ("silence.change", "laptop", made), ("silence.expire", "pager", made),
    ]  # fmt: skip
    assert entries[0].detail == {
        "matchers": '{service="chat"}', "until": at(60) / NANOS, "author": "Ada", "comment": "deploy",
    }  # fmt: skip
