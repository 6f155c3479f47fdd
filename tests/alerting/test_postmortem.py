"""The draft of a post-mortem: what it knows, what it leaves to people, and that no value becomes markup."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt

from alerting.postmortem_charts import MAX_POINTS, Curve, Mark, svg
from telemetry.errors import NotFoundError
from tests.alerting.makers import Recorder, at, diagnosis, finding, run, set_up

CURVE = Curve('Budget of "chat"', "% left", [(1_700_000_000.0 + second, 100.0 - second / 10) for second in range(200)])


@pytest.fixture
def alerting(lite):
    made = set_up(lite, Recorder())
    because = diagnosis(tenant="acme|<b>")
    run(made, [finding(since=-30.0)], 0, 60, diagnose=lambda _finding: because)
    made.acknowledge("INC-1", "Ada | *x*", "on it", at(60))
    run(made, [], 60, 300)
    return made


def test_it_tells_what_happened_when_and_by_whom(alerting):
    text = alerting.postmortem("INC-1", [], at(400))
    facts = dict(re.findall(r"^\| ([A-Z][^|]*?) \| (.*) \|$", text, re.MULTILINE))
    assert facts["Began, as estimated"] == "2023-11-14 22:12:50 UTC"
    assert facts["Detected"] == "2023-11-14 22:13:20 UTC, after 30s"
    assert facts["Acknowledged"].endswith("after 1m")
    assert facts["Resolved"] == "2023-11-14 22:15:20 UTC, by tailwatch"
    assert facts["Lasted"] == "2m30s"
    assert facts["Notifications"] == "2"
    assert "Errors concentrate in one slice of the traffic, in tenant = " in text
    kinds = re.findall(r"^\| 2023[^|]*\|[^|]*(?:\\\|[^|]*)*\| (\w+) \|", text, re.MULTILINE)
    assert kinds == ["opened", "diagnosed", "acknowledged", "ended", "resolved"]
    assert "| action | owner | by when |" in text


def test_one_that_goes_on_says_so(lite):
    made = set_up(lite)
    run(made, [finding()], 0, 60)
    text = made.postmortem("INC-1", [], at(3600))
    assert "| Acknowledged | by nobody |" in text
    assert "| Resolved | not yet |" in text
    assert "| Lasted | 1h |" in text


def test_the_impact_is_the_budget_when_it_ended_not_when_it_was_found(alerting):
    assert "**50 %** of the error budget remains" in alerting.postmortem("INC-1", [], at(400))
    assert "**88 %** of the error budget remains" in alerting.postmortem("INC-1", [CURVE], at(400))


def test_values_do_not_become_markup(alerting):
    html = MarkdownIt("commonmark").enable("table").render(alerting.postmortem("INC-1", [], at(400)))
    assert "<b>" not in html
    assert "<em>x</em>" not in html
    assert html.count("<table>") >= 3


def test_a_curve_is_a_chart_of_as_many_points_as_can_be_read(alerting):
    text = alerting.postmortem("INC-1", [CURVE, Curve("nothing", "%", [])], at(400))
    (chart,) = re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)
    values = [float(value) for value in re.findall(r"line \[(.*)\]", chart)[0].split(", ")]
    assert len(values) <= MAX_POINTS
    assert values[0] == 100.0
    assert "title \"Budget of 'chat'\"" in chart


def test_there_must_be_such_an_incident(lite):
    with pytest.raises(NotFoundError):
        set_up(lite).postmortem("INC-9", [], at(0))


def test_curves_are_pictures_within_the_text_for_what_draws_no_mermaid(alerting):
    text = alerting.postmortem("INC-1", [CURVE, Curve("nothing", "%", [])], at(400), "svg")
    assert "mermaid" not in text
    (picture,) = re.findall(r"!\[Budget of \"chat\"\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", text)
    drawn = ET.fromstring(base64.b64decode(picture))
    words = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert words[0] == 'Budget of "chat", % left'
    assert {"detected", "acknowledged", "resolved"} <= set(words), "what began before the picture is not in it"
    (line,) = drawn.iter("{http://www.w3.org/2000/svg}polyline")
    places = [tuple(map(float, place.split(","))) for place in line.get("points").split()]
    assert len(places) <= MAX_POINTS
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert places[0][1] < places[-1][1], "the budget falls"


def test_no_value_becomes_markup_of_a_picture():
    hostile = '</title><script>alert(1)</script>"]]>'
    drawn = svg(Curve(hostile, hostile, [(0.0, 1.0), (1.0, 1.0)]), [Mark(0.5, hostile)])
    assert "<script" not in drawn
    assert ET.fromstring(drawn).tag.endswith("svg")
