"""Silences, mute times, figures and noise as tables; and matchers from what people write and from incidents."""

from __future__ import annotations

from datetime import UTC

import pytest

from dashboard.documents.incidents import IncidentAlert
from dashboard.documents.oncall import Figures, Noise, UndeliveredList
from dashboard.documents.silences import FiringAlerts, Mutes, SilenceMatcher, Silences
from dashboard.documents.status import Delivery
from dashboard.viewmodels import incidents, oncall, silences, undelivered
from dashboard.views.page import undelivered_sentence
from tests.dashboard.recorded import NOW, response
from tests.dashboard.viewed import incident, summaries, texts

ALERTS = FiringAlerts.model_validate(
    [
        {
            "labels": {"alertname": "burn", "service": "batch", "slo": "costs", "severity": "ticket"},
            "annotations": {"incident": "INC-7"}, "startsAt": response.at(-60),
            "status": {"state": "suppressed", "silencedBy": ["s-active"]},
        },
        {"labels": {"alertname": "other"}, "startsAt": response.at(-60), "status": {"state": "active"}},
        {"labels": {"alertname": "x"}, "startsAt": response.at(0), "status": {"state": "active", "mutedBy": ["n"]}},
        {"labels": {"alertname": "y"}, "startsAt": response.at(0), "status": {"state": "suppressed"}},
    ]
).root  # fmt: skip
SILENCES = Silences.model_validate(response.silences()).root


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('service="chat"', [("service", "=", "chat")]),
        ('service=chat\n\n  slo =~ "a|b",', [("service", "=", "chat"), ("slo", "=~", "a|b")]),
        (r'a!="say \"hi\"\\n"', [("a", "!=", r'say "hi"\n')]),
        ('a!~"x\\ny"', [("a", "!~", "x\ny")]),
        ('empty=""', [("empty", "=", "")]),
        ("", []),
    ],
)
def test_matchers_are_read_as_prometheus_writes_them_and_written_back(written, read):
    found = silences.parse(written)
    assert [(m.name, silences.text(m)[len(m.name) :].partition('"')[0], m.value) for m in found] == read
    assert silences.parse(silences.texts(found)) == found


@pytest.mark.parametrize("wrong", ["chat", "=x", 'service="chat', 'a="b" c="d"', "a b=c"])
def test_what_is_no_matcher_says_what_to_write(wrong):
    with pytest.raises(ValueError, match='is no matcher; write label="value"'):
        silences.parse(wrong)


def test_an_incident_is_silenced_by_what_its_alerts_share():
    found = incident()
    assert silences.for_incident(found) == 'input_type="code"\nslo="request-errors"'
    other = IncidentAlert(name="x", labels={"slo": "request-errors", "input_type": "chat"}, state="firing")
    wider = found.model_copy(update={"alerts": [*found.alerts, other]})
    assert silences.for_incident(wider) == 'slo="request-errors"'
    ended = found.model_copy(update={"alerts": [*found.alerts, other.model_copy(update={"state": "resolved"})]})
    assert silences.for_incident(ended) == 'input_type="code"\nslo="request-errors"'
    bare = found.model_copy(update={"alerts": []})
    assert silences.for_incident(bare) == 'service="reference-inference"\nslo="request-errors"'


def test_a_silence_shows_what_it_keeps_quiet():
    (row,) = texts(silences.grid(SILENCES[:1], ALERTS, NOW, UTC, "active"))
    assert row[:3] == ['service="batch"', "Active", "1"]
    grid = silences.grid(SILENCES, ALERTS, NOW, UTC, "all")
    assert [cells[1] for cells in texts(grid)] == ["Active", "Pending", "Expired"]
    assert grid.rows[0].cells[4].sub == "for 2 h"
    assert grid.rows[1].cells[4].sub == "for 1 h"


def test_alerts_say_what_keeps_them_quiet():
    rows = texts(silences.alert_grid(ALERTS, NOW, UTC, "x", "none"))
    assert [(row[0], row[2]) for row in rows] == [
        ("burn", "silenced"), ("other", "firing"), ("x", "muted"), ("y", "inhibited"),
    ]  # fmt: skip


def test_mute_times_say_when_next():
    rows = texts(silences.mute_grid(Mutes.model_validate({"mutes": response.mutes()}).mutes, NOW, UTC))
    assert [row[2] for row in rows] == ["Quiet", "Tells", "Tells"]
    assert rows[0][3].startswith("now, until ")
    assert rows[1][3].endswith(" no end in sight")
    assert rows[2][3] == "not within a year"


def test_a_silence_to_send_is_alertmanagers():
    body = silences.body(
        [SilenceMatcher(name="a", value="b")], start=0, end=60, author="Ada", comment="why", silence_id="x"
    )
    assert body == {
        "id": "x", "matchers": [{"name": "a", "value": "b", "isRegex": False, "isEqual": True}],
        "startsAt": "1970-01-01T00:00:00+00:00", "endsAt": "1970-01-01T00:01:00+00:00", "createdBy": "Ada",
        "comment": "why",
    }  # fmt: skip
    assert "id" not in silences.body([], start=0, end=1, author="", comment="")


def test_figures_and_noise_at_a_glance():
    figures, noise = Figures.model_validate(response.figures()), Noise.model_validate(response.noise())
    values = {tile.label: tile.value for tile in oncall.tiles(figures, noise)}
    assert values == {
        "Incidents": "12", "Time to acknowledge": "2 min", "Time to resolve": "1 h", "Never acknowledged": "5",
        "Acted on": "25 %", "Beyond budget": "1", "Cry wolf": "1",
    }  # fmt: skip
    assert oncall.receiver_note(noise, UTC, response.NOW).endswith("A day: on average since 18 Sep 14:13:20")
    assert "on average" not in oncall.receiver_note(Noise(receivers=[], slos=[]), UTC, response.NOW)
    first, second = texts(oncall.receiver_grid(noise))
    assert oncall.receiver_grid(noise).rows[0].cells[5].sub == "5 pages"
    one = noise.receivers[0].model_copy(update={"last_day_pages": 1})
    assert oncall.receiver_grid(noise.model_copy(update={"receivers": [one]})).rows[0].cells[5].sub == "1 page"
    assert first[-1] == "Over: 2 pages a day"
    assert oncall.receiver_grid(noise).rows[0].cells[-1].sub == "2 days over"
    assert (second[3], second[-1]) == ("–", "none")
    assert [row[1] for row in texts(oncall.slo_grid(noise))] == ["Cries wolf", ""]
    chat, edge = texts(oncall.figure_grid(figures.by_service, "Service"))
    assert chat == ["chat", "8", "2 min", "15 min", "1", "1 h", "15 min", "1"]
    assert edge[2:5] == ["–", "–", "4"]


def test_who_has_an_incident_and_where_it_went():
    def note(**changes):
        found = incident().model_copy(update=changes)
        return incidents.tiles(found, NOW, UTC)[0].note

    assert note() == "nobody has taken it"
    assert note(assignee="Bob") == "assigned to Bob"
    taken = {"status": "acknowledged", "acknowledged_at": NOW, "acknowledged_by": "Ada", "assignee": "Bob"}
    assert note(**taken).endswith(" by Ada, assigned to Bob")
    assert note(**taken, snoozed_until=NOW + 60).startswith("snoozed until ")
    assert note(merged_into="INC-3") == "merged into INC-3"


def test_an_incident_may_be_merged_into_those_that_go_on():
    ids = [one.id for one in incidents.others(incident(), summaries())]
    assert ids == ["inc-0041"]


def test_what_was_given_up_says_whom_what_why_and_when():
    lost = UndeliveredList.model_validate({"undelivered": response.undelivered()}).undelivered
    grid = undelivered.grid(lost, NOW, UTC)
    assert texts(grid)[1][:4] == ["inc-0042", "oncall/slack", "answered 404: channel_not_found", "1"]
    assert [[cell.sub for cell in row.cells] for row in grid.rows] == [
        ["reminder", "notification 12", "", "", "30 s ago"], ["opened", "notification 9", "", "", "10 min ago"],
    ]  # fmt: skip
    assert [row.place.params for row in grid.rows] == [{"incident": "inc-0042"}] * 2
    choices = undelivered.choices(lost)
    assert choices == ["12: inc-0042 to oncall/slack (reminder)", "9: inc-0042 to oncall/slack (opened)"]
    assert [undelivered.number(one) for one in ("", *choices)] == [None, 12, 9]
    assert undelivered.grid([], NOW, UTC).rows == []


def test_the_status_line_counts_what_was_given_up_by_receiver():
    none, one, two = (Delivery(receiver=f"{name}/slack", undelivered=name) for name in (0, 1, 2))
    assert undelivered_sentence([none]) == ""
    assert undelivered_sentence([none, one]) == "1 notification was given up: 1/slack (1)."
    assert undelivered_sentence([one, two]) == "3 notifications were given up: 1/slack (1), 2/slack (2)."
