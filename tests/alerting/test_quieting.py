"""What keeps an incident's alerts quiet, by whom and until when: asked for, listed, and told with what is sent."""

from __future__ import annotations

import pytest

from alerting.inhibition import InhibitRule
from alerting.quieting import sentences
from alerting.receivers.story import facts
from alerting.routing import Route
from alerting.silence_book import SilenceBook
from alerting.silences import Silence
from telemetry.matchers import parse_matchers
from telemetry.windows import NANOS
from tests.alerting.makers import T0, Recorder, at, finding, run, set_up
from tests.alerting.test_mute import AFTER_THAT, HOUR_FROM_NOW

ERRORS, SLOW = finding(tenant="acme"), finding("slow", tenant="globex")
PAGES = parse_matchers(["severity=page"])


def silence(*matchers, start=0.0, end=3600.0, comment="new tokenizer"):
    return Silence("", parse_matchers(matchers), at(start), at(end), "Ada", comment, 0)


def suppressed(alerting, second, incident="INC-1"):
    return alerting.incident(incident, at(second))["suppressed"]


def test_what_is_silenced_names_the_silence_its_author_and_its_end(database):
    alerting = set_up(database, Recorder())
    run(alerting, [ERRORS, SLOW], 0, 20)
    assert suppressed(alerting, 20) == {"alerts": 0, "of": 2, "by": []}
    made = alerting.silences.put(silence("tenant=acme"), at(20))
    document = alerting.incident("INC-1", at(25))
    assert document["suppressed"] == {
        "alerts": 1, "of": 2,
        "by": [
            {
                "kind": "silenced", "id": made, "until": at(3600) / NANOS, "author": "Ada", "comment": "new tokenizer",
                "matchers": '{tenant="acme"}', "alerts": 1,
            }
        ],
    }  # fmt: skip
    status = {one["labels"]["tenant"]: one["status"] for one in document["alerts"]}
    assert status["acme"] == {"inhibitedBy": [], "mutedBy": [], "silencedBy": [made], "state": "suppressed"}
    assert status["globex"] == {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"}
    assert sentences(document) == [
        f"1 of 2 alerts silenced until 2023-11-14 23:13:20 UTC by Ada: new tokenizer (silence {made})"
    ]
    (listed,) = alerting.incidents(now_ns=at(25))
    assert listed["suppressed"] == document["suppressed"]
    assert "suppressed" not in alerting.incidents()[0], "of no moment"
    assert suppressed(alerting, 3600) == {"alerts": 0, "of": 2, "by": []}, "it is over"


def test_what_has_ended_is_kept_quiet_by_nobody(lite):
    alerting = set_up(lite, Recorder())
    run(alerting, [ERRORS], 0, 10)
    alerting.silences.put(silence("tenant=acme"), at(10))
    run(alerting, [], 10, 100)
    document = alerting.incident("INC-1", at(100))
    assert (document["status"], document["suppressed"]) == ("resolved", {"alerts": 0, "of": 0, "by": []})
    assert "status" not in document["alerts"][0]


def test_who_acts_sees_it_too(lite):
    alerting = set_up(lite, Recorder())
    run(alerting, [ERRORS], 0, 10)
    alerting.silences.put(silence("tenant=acme"), at(10))
    assert alerting.acknowledge("INC-1", "Bob", "", at(11))["suppressed"]["alerts"] == 1


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_is_inhibited_names_the_alert_and_its_incident(database, elsewhere):
    down = finding("down", slo="db", service="db" if elsewhere else "chat")
    rule = InhibitRule(parse_matchers(["alertname=down"]), parse_matchers(["alertname!=down"]))
    alerting = set_up(database, Recorder(), inhibit_rules=(rule,), correlation_ns=60 * NANOS)
    run(alerting, [ERRORS], 0, 20)
    run(alerting, [ERRORS, down], 20, 40)
    document = alerting.incident("INC-1", at(40))
    (by,) = document["suppressed"]["by"]
    owner = "INC-2" if elsewhere else "INC-1"
    assert (by["kind"], by["id"], by["incident"], by["until"]) == ("inhibited", down.fingerprint, owner, None)
    assert by["name"] == "down of db"
    told = ["1 of 1 alert inhibited while down of db of INC-2 fires"] if elsewhere else []
    assert sentences(document) == told, "of its own alerts the incident tells anyway"


@pytest.mark.parametrize(
    ("intervals", "name"),
    [({"muted_in": (HOUR_FROM_NOW,)}, "the next hour"), ({"active_in": (AFTER_THAT,)}, "outside of afterwards")],
)
def test_what_no_route_tells_is_suppressed_and_what_some_do_not_is_named(lite, intervals, name):
    muted = Route("oncall", PAGES, go_on=True, **intervals)
    alone = set_up(lite, Recorder(), route=Route("oncall", routes=(muted,)))
    run(alone, [ERRORS], 0, 10)
    until = at(3600 - T0 // NANOS % 60) / NANOS
    muting = {"kind": "muted", "id": name, "until": until, "alerts": 1, "receivers": ["oncall"]}
    assert suppressed(alone, 10) == {"alerts": 1, "of": 1, "by": [muting]}
    status = alone.incident("INC-1", at(10))["alerts"][0]["status"]
    assert (status["state"], status["mutedBy"]) == ("suppressed", [name])
    chat = Route("chat", PAGES)
    beside = set_up(lite, Recorder(), Recorder("chat"), route=Route("oncall", routes=(muted, chat)))
    assert suppressed(beside, 10) == {"alerts": 0, "of": 1, "by": [muting]}
    assert suppressed(beside, 3600) == {"alerts": 0, "of": 1, "by": []}


def test_who_keeps_it_quiet_next_is_known_when_a_silence_ends(lite):
    rule = InhibitRule(parse_matchers(["alertname=down"]), parse_matchers(["alertname!=down"]))
    alerting = set_up(lite, Recorder(), inhibit_rules=(rule,))
    run(alerting, [ERRORS], 0, 10)
    alerting.silences.put(silence("tenant=acme", start=10, end=60), at(10))
    down = finding("down", slo="db", service="db")
    run(alerting, [ERRORS, down], 20, 100)
    assert [one["kind"] for one in suppressed(alerting, 100)["by"]] == ["inhibited"]


def test_those_of_a_moment_ago_are_kept_for_a_second_and_changes_count_at_once(database):
    book, elsewhere = SilenceBook(database), SilenceBook(database)

    def recently(second):
        with database.read() as connection:
            return [one.id for one in book.recently(connection, at(second))]

    assert recently(0) == []
    theirs = elsewhere.put(silence("tenant=acme"), at(0))
    assert recently(0.9) == []
    assert recently(1.0) == [theirs]
    mine = book.put(silence("tenant=globex"), at(1.1))
    assert set(recently(1.2)) == {mine, theirs}
    book.expire(mine, at(1.3))
    assert recently(1.4) == [theirs]
    assert recently(0.5) == [theirs], "a clock that was set back"


def test_a_message_says_what_else_is_kept_quiet(database):
    told = Recorder()
    alerting = set_up(database, told)
    run(alerting, [ERRORS, SLOW], 0, 20)
    assert "Kept quiet" not in facts(told.heard[0])
    made = alerting.silences.put(silence("tenant=acme", comment="<b>known</b>"), at(20))
    run(alerting, [ERRORS, SLOW], 20, 40)
    alerting.resolve("INC-1", "Bob", "over", at(50))
    alerting.deliver(at(50))
    assert told.reasons == ["opened", "resolved"]
    said = facts(told.heard[-1])["Kept quiet"]
    assert said == f"1 of 2 alerts silenced until 2023-11-14 23:13:20 UTC by Ada: <b>known</b> (silence {made})"
