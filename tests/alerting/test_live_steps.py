"""Live steps of runbooks: right answers from the counters, and no failure that leaves its place."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from markdown_it import MarkdownIt

from alerting.evidence import assemble
from alerting.runbooks import live, questions
from alerting.runbooks.library import Runbook
from alerting.runbooks.rendering import render
from alerting.service import Alerting
from storage.ingest import PreparedPayload, commit
from telemetry.clock import ManualClock
from telemetry.deltas import group_key
from telemetry.errors import StorageError
from telemetry.points import MetricSeries, point
from telemetry.rules import SERIES_RULE_ID
from telemetry.sketches import DDSketch
from telemetry.windows import NANOS
from tests.alerting import makers
from tests.alerting.makers import T0, at, diagnosis, finding
from tests.storage.build import digest, payload, sli, spread

STATUSES = {
    "request-errors": {"groups": [
        {"group": {"input_type": "code"}, "state": "burning", "budget_remaining": -0.5,
         "burn": {"5m": 22.13, "1h": None}},
        {"group": {"input_type": "chat"}, "state": "ok", "budget_remaining": 1.0, "burn": {"5m": 0.0, "1h": 0.0}},
    ]},
}  # fmt: skip
NOW_S = 360
"""The trouble began at 0; by now there are five whole minutes of it, and one more."""


def count(database, seconds, *, requests, failed=0, values=(), measure="duration", service="chat", **labels):
    """Requests of the service in the ten seconds from ``seconds`` on."""
    key = {"rule": SERIES_RULE_ID, "group": group_key({"service": service, **labels})}
    bucket_ns = at(seconds) - at(seconds) % (10 * NANOS)
    deltas = [sli(bucket_ns, requests - failed, requests, **key)]
    if len(values):
        deltas.append(spread(bucket_ns, DDSketch.of(np.asarray(values, dtype=float)), field=measure, **key))
    commit(database, [payload(f"{seconds}{key}{measure}{requests}", *deltas)], T0)


def ask(database, text, verdict=None, statuses=lambda: STATUSES, **what) -> str:
    """What a runbook of this text shows for an incident that began at 0."""
    alerting = Alerting(database, makers.AlertingConfig(), ManualClock(T0), makers.SHIPPED, statuses=statuses)
    alerting.apply([finding(**what)], lambda _: verdict or diagnosis("bad-release"), at(0))
    alerting._setup.runbooks._runbooks["bad-release"] = Runbook("bad-release", "x", text)
    return alerting.runbook("INC-1", "bad-release", at(NOW_S))["markdown"]


def cells(markdown: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines() if line.startswith("| ")
    ]


@pytest.fixture
def two_versions(lite):
    for second in (-600, -300):
        count(lite, second, requests=100, failed=1, values=[0.1] * 100, model_version="v1")
    for second in (60, 120):
        count(lite, second, requests=80, failed=0, values=[0.1] * 80, model_version="v1")
        count(lite, second, requests=20, failed=10, values=[2.0] * 20, model_version="v2")
    count(lite, 60, requests=500, failed=500, service="other", model_version="v1")
    return lite


def test_errors_by_version_now_and_before(two_versions):
    text = ask(two_versions, '{{ live("errors", by="model_version") }}')
    assert cells(text)[1:] == [["`v1`", "0 % of 160", "1 % of 200"], ["`v2`", "50 % of 40", "no requests"]]
    assert cells(text)[0] == ["model_version", "failed, now", "before it began"]


def test_the_guilty_slice_is_what_is_asked_about(two_versions):
    verdict = diagnosis("bad-release", model_version="v2")
    assert cells(ask(two_versions, '{{ live("errors") }}', verdict))[1:] == [["50 % of 40", "no requests"]]
    everything = ask(two_versions, '{{ live("errors", everything=true) }}', verdict)
    assert cells(everything)[1:] == [["10 % of 200", "1 % of 200"]]


def test_latency_traffic_means_and_money(two_versions):
    assert cells(ask(two_versions, '{{ live("latency", "duration", by="model_version") }}'))[2] == [
        "`v2`", "2 s / 2 s", "no requests",
    ]  # fmt: skip
    # Now began five minutes ago, at the start of that minute: 200 requests in 5 min 20 s, 200 in the 10 min that the
    # service had been heard of before.
    assert cells(ask(two_versions, '{{ live("traffic") }}', service="chat"))[1] == ["37.5", "20"]
    count(two_versions, 180, requests=1, values=[0.06], measure="cost", model_version="v1")
    assert cells(ask(two_versions, '{{ live("spend") }}'))[1] == ["0.675", "0"]
    assert cells(ask(two_versions, '{{ live("mean", "cost") }}'))[1] == ["0.06", "not measured"]


def test_a_role_stands_for_gauges_of_every_unit(lite):
    sent = {
        MetricSeries("DCGM_FI_DEV_GPU_UTIL", "%", "gauge", "", "chat", labels='{"gpu": "0"}'): 97.0,
        MetricSeries("hw.gpu.utilization", "1", "gauge", "", "chat"): 0.5,
        MetricSeries("DCGM_FI_DEV_FB_USED", "MiBy", "gauge", "", "chat"): 71680.0,
        MetricSeries("nv_gpu_memory_used_bytes", "By", "gauge", "", "chat"): 5e8,
    }
    points = tuple(point(series, at(300), at(300), value) for series, value in sent.items())
    commit(lite, [PreparedPayload((digest("gauges"),), points=points)], at(300))
    busy = cells(ask(lite, '{{ live("gauge", "gpu_utilisation") }}'))
    assert [row[1] for row in busy] == ["now", "97 %", "0.5"]
    assert [row[1] for row in cells(ask(lite, '{{ live("gauge", "gpu_memory") }}'))] == ["now", "70 GiB", "477 MiB"]
    assert cells(ask(lite, '{{ live("gauge", "hw.gpu.utilization") }}'))[1][1:4] == ["0.5", "0.5", "0.5"]


def test_every_group_of_the_slo_the_worst_first(lite):
    assert cells(ask(lite, '{{ live("groups") }}')) == [
        ["group", "state", "budget left", "fastest burn"],
        ["`input_type=code`", "burning", "spent, 1.5 times over", "22.1x"],
        ["`input_type=chat`", "ok", "100 %", "0x"],
    ]


def test_what_goes_on_now_with_what_began_first_on_top(lite):
    alerting = Alerting(lite, makers.AlertingConfig(), ManualClock(T0), makers.SHIPPED)
    findings = [finding(since=100 - number, service=f"s{number:02}") for number in range(13)]
    alerting.apply(findings, lambda one: diagnosis("bad-release", model_version=one.labels["service"]), at(100))
    alerting.resolve(alerting.incidents(service="s12")[0]["id"], "maria", "", at(110))
    alerting.acknowledge(alerting.incidents(service="s11")[0]["id"], "maria", "", at(110))
    alerting._setup.runbooks._runbooks["bad-release"] = Runbook("bad-release", "x", '{{ live("incidents") }}')
    text = alerting.runbook("INC-1", "bad-release", at(NOW_S))["markdown"]
    assert [row[3] for row in cells(text)] == ["service", *(f"`s{number:02}`" for number in range(11, 1, -1))]
    assert text.endswith("2 more incidents are not shown.")


def test_a_service_that_was_young_when_it_began_has_its_rate_of_then(lite):
    for second in (-120, -60, 60, 120, 180, 240, 300):
        count(lite, second, requests=60, values=[0.1] * 60, model_version="v1")
    # Its first two minutes, not a quarter of an hour of which it ran two minutes.
    assert cells(ask(lite, '{{ live("traffic") }}'))[1] == ["56.2", "60"]


def test_a_service_that_is_seldom_asked_is_not_young(lite):
    for second in (-1500, -60):
        count(lite, second, requests=30, values=[0.1] * 30, model_version="v1")
    assert cells(ask(lite, '{{ live("traffic", by="model_version") }}'))[1] == ["`v1`", "no requests", "2"]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ({"evidence": {"group": {"input_type": "code"}}},
         "The SLO is **burning**; its budget is spent, 1.5 times over; it burns 22.1x over 5m."),
        ({}, "The SLO `request-errors` has no such group now."),
        ({"slo": "gone"}, "The SLO `gone` is not among those in force."),
    ],
)  # fmt: skip
def test_the_budget_is_that_of_the_incidents_group(lite, what, says):
    assert ask(lite, '{{ live("budget") }}', **what) == says


def test_silence_is_an_answer(lite):
    assert "No requests of it in the last five minutes" in ask(lite, '{{ live("errors") }}')
    assert "No request of `chat` has come within an hour" in ask(lite, '{{ live("last_request") }}')
    assert "has sent no gauge `queue_depth`" in ask(lite, '{{ live("gauge", "queue_depth") }}')
    count(lite, 240, requests=1, values=[1.0])
    assert "came about 2 min ago" in ask(lite, '{{ live("last_request") }}')


def test_many_groups_are_cut_and_said(lite):
    for number in range(15):
        count(lite, 60, requests=number + 1, values=[1.0], model=f"m{number}")
    text = ask(lite, '{{ live("traffic", by="model") }}')
    assert len(cells(text)) == questions.ROWS + 1
    assert "5 more groups are not shown." in text


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ('live("rm -rf")', "there is no question 'rm -rf'; there are errors, traffic"),
        ("live()", "there is no question ''"),
        ("live(7)", "there is no question '7'"),
        ('live("errors", by="tenant")', "requests are not counted by tenant; by is one of service"),
        ('live("latency", "cost")', "cost is no time; the times are duration"),
        ('live("mean", "x")', "x is no measure"),
        ('live("mean")', "missing 1 required positional argument"),
        ('live("errors", color="red")', "unexpected keyword argument 'color'"),
        ('live("errors", subject="x")', "multiple values"),
        ('live("errors", by=evidence)', "a question takes short texts"),
        ('live("gauge", "x" ~ evidence.long)', "a question takes short texts"),
        ('live("errors", by=["a"])', "a question takes short texts"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_asked_is_one_sentence_in_its_place(lite, step, says):
    text = ask(lite, f"before\n\n{{{{ {step} }}}}\n\nafter\n", evidence={"long": "y" * 200})
    first, middle, last = text.strip().split("\n\n")
    assert (first, last) == ("before", "after")
    assert middle.startswith("*This could not be asked: ")
    assert (
        says.replace("_", r"\_") in middle.replace("\\(", "(").replace("\\)", ")").replace(r"\[", "[") or says in middle
    )
    assert len(MarkdownIt().parse(text)) == 9  # three paragraphs


@pytest.mark.parametrize(
    "error", [StorageError("the database is busy", remedy="wait"), ZeroDivisionError("x"), KeyError("k")]
)
def test_a_failure_breaks_no_page(lite, monkeypatch, error):
    def failing(_subject):
        raise error

    monkeypatch.setitem(questions.QUESTIONS, "errors", failing)
    text = ask(lite, '{{ live("errors") }}\n\nGo on.\n')
    assert text.startswith("*This could not be asked: ")
    assert text.endswith("\n\nGo on.")


def test_what_takes_too_long_is_left_and_then_no_more_is_asked(lite, monkeypatch):
    waiting, asked = threading.Event(), []

    def slow(_subject):
        asked.append(1)
        waiting.wait(20)
        return live.Markdown("late")

    monkeypatch.setitem(questions.QUESTIONS, "errors", slow)
    monkeypatch.setattr(live, "_PATIENCE_S", 0.05)
    try:
        text = ask(lite, '{{ live("errors") }}\n\n{{ live("errors", ) }}\n\n{{ live("budget") }}\n\nGo on.\n')
    finally:
        waiting.set()
    assert text.count("the database took too long to answer") == 2
    assert text.count("the questions before it took too long") == 1
    assert text.endswith("\n\nGo on.")
    assert len(asked) == 2


def test_a_rendering_asks_so_many_questions_and_no_more(lite):
    text = ask(lite, "{% for n in range(30) %}{{ live('budget') }}\n\n{% endfor %}")
    assert text.count("this is one more") == 30 - live.MAX_QUESTIONS


def test_what_was_asked_is_kept_for_some_seconds(lite, monkeypatch):
    asked = []
    monkeypatch.setitem(questions.QUESTIONS, "errors", lambda _subject: asked.append(1) or live.Markdown("x"))
    alerting = Alerting(lite, makers.AlertingConfig(), ManualClock(T0), makers.SHIPPED)
    alerting.apply([finding()], lambda _: diagnosis("slice-errors", input_type="code"), at(0))
    for second in (10, 12, 19):
        alerting.incident("INC-1", at(second))
    assert len(asked) == 1
    alerting.incident("INC-1", at(21))
    assert len(asked) == 2


def test_notifications_ask_nothing(lite):
    document = assemble("s", {}, None, cause="unknown")
    text = render(Runbook("x", "X", '{{ live("errors", by="model") }}'), {"id": "INC-1"}, document, "")
    assert text == "*(errors: the answer stands here on the incident's page)*"
