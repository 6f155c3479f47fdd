"""SLO files: what a good one becomes, and everything that is wrong with a bad one, each with its line."""

from __future__ import annotations

import pytest

from detectors.slo.calendar import Calendar
from detectors.slo.kinds.cost import Cost
from detectors.slo.kinds.drift import Drift
from detectors.slo.kinds.errors import Errors
from detectors.slo.kinds.latency import Latency
from detectors.slo.kinds.quantile import Quantile
from detectors.slo.kinds.registry import KINDS
from detectors.slo.parse import load_slos, parse_slos
from detectors.slo.reference import FirstReference, RecentReference
from detectors.slo.spec import (
    BurnPair,
    Occurrences,
    Policy,
    RatioTimeslices,
    Sequential,
    Timeslices,
)
from telemetry.errors import FileProblemsError
from telemetry.windows import parse_duration as ns
from tests.detectors.slo.documents import EVERY_KIND, EXAMPLE


def problems_of(text: str) -> list[str]:
    with pytest.raises(FileProblemsError) as caught:
        parse_slos([("slos.yaml", text)])
    return [str(problem) for problem in caught.value.problems]


def slo_with(line: str, *, drop: str = "") -> str:
    lines = {
        "name": "name: a", "service": "service: chat", "sli": "sli: {errors: {}}", "objective": "objective: 99.5%",
    }  # fmt: skip
    lines.pop(drop, None)
    key = line.split(":", 1)[0]
    lines[key] = line
    return "version: 1\nslos:\n  - " + "\n    ".join(lines.values()) + "\n"


def test_the_example_says_what_it_says():
    (slo,) = parse_slos([("slos.yaml", EXAMPLE)]).slos
    assert (slo.name, slo.service, slo.owner, slo.runbook) == (
        "chat-tail-latency", "chat", "inference-team", "tail-latency",
    )  # fmt: skip
    assert slo.sli == Latency("duration", 2.0)
    assert [str(matcher) for matcher in slo.where.items] == [
        'environment="prod"', 'operation=~"chat|completion"', "tokens_in<=8000",
    ]  # fmt: skip
    assert slo.per == ("model_version", "input_type")
    assert (slo.objective, slo.error_budget, slo.window_s) == (0.995, 0.005, 30 * 86400)
    assert slo.labels == {"team": "inference"}
    assert [pair.factor for pair in slo.policy.pairs] == [14.4, 6, 3, 1]
    assert slo.policy.gate
    assert slo.policy.sequential == Sequential("ticket", ns("300d"))
    assert slo.origin.line == 3
    assert slo.origin.line_of("sli.latency.below") == 8
    assert slo.origin.line_of("sli.latency.nothing") == 8
    assert slo.origin.line_of("nothing") == 3


def test_every_kind_and_every_form_of_alert():
    errors, refused, first_token, cost, inputs, outputs = parse_slos([("slos.yaml", EVERY_KIND)]).slos
    assert errors.sli == Errors("bad")
    assert refused.sli == Errors("separate")
    assert {pair.severity for pair in refused.policy.pairs} == {"ticket"}
    assert first_token.sli == Quantile("ttft", 0.99, 1.5, ns("2m"), 200)
    assert first_token.policy == Policy(
        "inline",
        (BurnPair("page", ns("1h"), ns("6m"), 14.4), BurnPair("ticket", ns("1d"), ns("2h"), 1.4)),
        Sequential("page", ns("60d")),
    )
    assert cost.sli == Cost("per_1k_tokens", 0.002)
    assert (cost.policy.gate, cost.policy.sequential, len(cost.policy.pairs)) == (False, None, 2)
    assert inputs.sli == Drift(("tokens_in", "feature.length"), FirstReference(500), ns("30s"), 0.001, 0.2, 30)
    assert inputs.policy.pairs == (BurnPair("ticket", ns("1h"), ns("5m"), 6.0),)
    assert inputs.policy.sequential == Sequential("ticket", ns("300d"))
    assert isinstance(outputs.sli, Drift)
    assert outputs.sli.reference == RecentReference(ns("2h"))
    assert (outputs.policy.name, outputs.policy.pairs, outputs.policy.sequential) == ("none", (), None)


def test_defaults():
    (slo,) = parse_slos([("slos.yaml", slo_with("sli: {quantile: {measure: ttft, quantile: p99.9, below: 2}}"))]).slos
    assert slo.sli == Quantile("ttft", 0.999, 2.0, ns("1m"), 1000)
    assert slo.window_ns == ns("30d")
    assert slo.policy.name == "page-and-ticket"
    assert slo.per == ()


def test_every_problem_is_reported_at_once_with_its_line():
    assert problems_of(
        """\
version: 2
slos:
  - name: a b
    servce: chat
    sli: {latency: {measure: durration, below: 2 parsecs}, errors: {}}
    objective: 99.5
    objective: 3
    where: ['x=~"("']
    alert: page-and-tikcet
    labels: {slo: x, 1a: y}
    per: [duration]
    window: 5s
  - []
extra: 1
"""
    ) == [
        "slos.yaml:1: version: '2' is not a version of this format (write version: 1)",
        "slos.yaml:3: slos[0].service: is missing (add service:)",
        (
            "slos.yaml:3: slos[0].name: 'a b' cannot be a name (use at most 63 letters, digits, '-', '_' "
            "and '.', and begin with a letter or digit)"
        ),
        "slos.yaml:4: slos[0].servce: unknown key (did you mean service?)",
        f"slos.yaml:5: slos[0].sli: has 2 kinds (give exactly one of {' | '.join(KINDS)})",
        "slos.yaml:5: slos[0].sli.latency.measure: 'durration' is not a choice (did you mean duration?)",
        (
            "slos.yaml:5: slos[0].sli.latency.below: '2 parsecs' is not a duration (write a number and a "
            "unit, such as 500ms, 30s, 5m, 6h or 30d)"
        ),
        ("slos.yaml:6: slos[0].objective: 99.5 is not between 0 and 1 (0 % and 100 %), both excluded (write 99.5%)"),
        "slos.yaml:7: slos[0].objective: repeats the key of line 6 (keep one of them)",
        (
            "slos.yaml:8: slos[0].where[0]: '(' is not a regular expression: missing ), unterminated "
            'subpattern at position 0 (write name="value" with one of = != =~ !~, or a number after < <= > >=)'
        ),
        "slos.yaml:9: slos[0].alert: 'page-and-tikcet' is not a choice (did you mean page-and-ticket?)",
        "slos.yaml:10: slos[0].labels.slo: slo is a label that every alert has already (choose another name)",
        "slos.yaml:10: slos[0].labels.1a: '1a' cannot be a label name (use letters, digits and '_')",
        "slos.yaml:11: slos[0].per[0]: duration is a number and makes no groups (did you mean operation?)",
        (
            "slos.yaml:12: slos[0].window: 5s is not a length that a window can have (write a multiple of "
            "10s between 1m and 366d)"
        ),
        "slos.yaml:13: slos[1]: a list where a mapping is needed (write key: value lines)",
        "slos.yaml:14: extra: unknown key (use version | defaults | policies | slos)",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("objective: 0", "0 is not between 0 and 1"),
        ("objective: 100%", "100% is not between 0 and 1"),
        ("objective: high", "'high' is not a share"),
        ("objective: .nan", ".nan is not between 0 and 1"),
        ("sli: {error: {}}", "unknown kind of SLI (did you mean errors?)"),
        ("sli: {}", "has 0 kinds"),
        ("sli: errors", "text where a mapping is needed"),
        ("sli: {errors: {throttled: maybe}}", "'maybe' is not a choice (use bad | ignore | separate)"),
        ("sli: {latency: {measure: ttft}}", "sli.latency.below: is missing"),
        ("sli: {latency: {measure: ttft, below: 0}}", "0 is not a number above 0"),
        ("sli: {latency: {measure: ttft, below: 0s}}", "is no time at all"),
        ("sli: {latency: {measure: ttft, below: 1.0e+30}}", "1e+30 is negative, too long or no number"),
        ("sli: {latency: {measure: ttft, below: .inf}}", ".inf is not a number above 0"),
        ("sli: {cost: {measure: request, below: 2 cents}}", "'2 cents' is not an amount"),
        ("sli: {quantile: {measure: ttft, quantile: p100, below: 1s}}", "'p100' is not a share"),
        ("sli: {quantile: {measure: ttft, quantile: p0, below: 1s}}", "p0 is not a quantile between 0 and 1"),
        ("sli: {quantile: {measure: ttft, quantile: p99, below: 1s, slice: 15s}}", "15s is not a length that a slice"),
        ("sli: {quantile: {measure: ttft, quantile: p99, below: 1s, min_events: 0}}", "'0' is not a whole number"),
        ("sli: {drift: {fields: []}}", "names no field"),
        ("sli: {drift: {fields: [tokens]}}", "tokens is not a field (did you mean tokens_in?"),
        ("sli: {drift: {fields: [model, model]}}", "model is listed twice"),
        ("sli: {drift: {fields: [model], reference: {}}}", "has 0 definitions"),
        ("sli: {drift: {fields: [model], reference: {first: many}}}", "'many' is not a whole number"),
        ("sli: {drift: {fields: [model], reference: {window: 8d}}}", "is too short or too long"),
        ("name: 12", '(put it in quotes: "12")'),
        ("name: ''", "is empty"),
        ("runbook:", "nothing where text is needed"),
        ("per: model", "text where a list is needed"),
        ("per: [model, model]", "model is listed twice"),
        ("where: [nonsense]", "'nonsense' is not a matcher"),
        ("where: [{a: b}]", "a mapping where text is needed"),
        ("alert: []", "is an empty list"),
        ("alert: {}", "says nothing"),
        ("alert: {policy: none}", "'none' is not a choice"),
        ("alert: {policy: page-only, burn: []}", "stands beside a named policy"),
        ("alert: {burn: []}", "is an empty list"),
        ("alert: {gate: perhaps}", "text where on or off is needed"),
        ("alert: [{severity: page, long: 1h}]", "needs a factor or a budget, and not both"),
        ("alert: [{severity: page, long: 1h, factor: 2, budget: 2%}]", "needs a factor or a budget, and not both"),
        ("alert: [{severity: page, long: 1h, short: 2h, factor: 2}]", "is longer than the long window"),
        ("alert: [{severity: page, long: 95s, factor: 2}]", "1m35s is not a multiple of 10s"),
        ("alert: [{long: 1h, factor: 2}]", "severity: is missing"),
        ("alert: [{sequential: {arl: 5m}}]", "would raise a false alarm within the hour"),
        ("<<: {name: b}", "merge keys are not supported"),
        ("calendar: month", "calendar: unknown key"),
    ],
)
def test_one_problem_one_sentence(line, expected):
    assert expected in "\n".join(problems_of(slo_with(line)))


@pytest.mark.parametrize("key", ["name", "service", "sli", "objective"])
def test_required_keys(key):
    text = slo_with("owner: me", drop=key)
    assert f"slos.yaml:3: slos[0].{key}: is missing (add {key}:)" in problems_of(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "slos.yaml:1: the file is empty (begin with version: 1 and slos:)"),
        ("a: [", "this is not YAML"),
        ("version: 1\n---\nversion: 1\n", "the file holds a second document"),
        ("a\x00b", "this is not YAML"),
        ("- 1\n", "a list where a mapping is needed"),
        ("version: 1\n", "slos: is missing"),
    ],
)
def test_a_file_that_is_none(text, expected):
    assert expected in problems_of(text)[0]


def test_names_are_unique_over_all_files():
    text = slo_with("owner: me")
    with pytest.raises(FileProblemsError) as caught:
        parse_slos([("one.yaml", text), ("two.yaml", text)])
    (problem,) = caught.value.problems
    assert str(problem) == (
        "two.yaml:3: a.name: is the name of the SLO at one.yaml:3 (give every SLO a name of its own)"
    )


def test_files_and_folders_are_read(tmp_path):
    (tmp_path / "a.yaml").write_text(slo_with("name: a"))
    (tmp_path / "b.yml").write_text(slo_with("name: b"))
    (tmp_path / "notes.txt").write_text("no SLOs here")
    assert [slo.name for slo in load_slos([tmp_path]).slos] == ["a", "b"]
    assert [slo.name for slo in load_slos([tmp_path / "b.yml"]).slos] == ["b"]


def test_unreadable_files_are_problems_beside_the_others(tmp_path):
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\xfa")
    (tmp_path / "wrong.yaml").write_text(slo_with("objective: 2"))
    with pytest.raises(FileProblemsError) as caught:
        load_slos([tmp_path, tmp_path / "missing.yaml"])
    texts = [problem.message for problem in caught.value.problems]
    assert texts[0] == "cannot be read: it is not UTF-8 text"
    assert texts[1].startswith("cannot be read: No such file")
    assert texts[2].startswith("2 is not between 0 and 1")


def test_calendar_windows_and_budgeting_methods():
    window = "window: {calendar: quarter, timezone: Asia/Kathmandu}"
    (slo,) = parse_slos([("slos.yaml", slo_with(window))]).slos
    assert slo.calendar == Calendar("quarter", "Asia/Kathmandu")
    assert (slo.window_ns, slo.longest_window_ns) == (ns("90d"), ns("93d"))
    assert [pair.factor for pair in slo.policy.pairs] == [21.6, 10.8, 4.5], "alerts scale by the nominal length"
    (slo,) = parse_slos([("slos.yaml", slo_with("window: {calendar: day}"))]).slos
    assert slo.calendar == Calendar("day", "UTC")
    written = {
        "occurrences": Occurrences(), "ratio-timeslices": RatioTimeslices(ns("1m")),
        "{ratio-timeslices: {slice: 5m}}": RatioTimeslices(ns("5m")),
        "{timeslices: {target: 99%}}": Timeslices(ns("1m"), 0.99),
    }  # fmt: skip
    for text, budgeting in written.items():
        (slo,) = parse_slos([("slos.yaml", slo_with(f"budgeting: {text}"))]).slos
        assert slo.budgeting == budgeting


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("window: {calendar: fortnight}", "window.calendar: 'fortnight' is not a choice"),
        ("window: {timezone: UTC}", "window.calendar: is missing"),
        (
            "window: {calendar: day, timezone: Europe/Berln}",
            "'Europe/Berln' is not a time zone (did you mean Europe/Berlin?)",
        ),
        ("window: {calendar: day, timezone: 1}", "window.timezone: a number where text is needed"),
        ("window: {calendar: day, start: monday}", "window.start: unknown key"),
        ("budgeting: timeslices", "says not when a slice is good (write timeslices: {slice: 1m, target: 99%})"),
        ("budgeting: often", "'often' is not a choice"),
        ("budgeting: {}", "has 0 methods"),
        ("budgeting: {timeslices: {slice: 1m}}", "budgeting.timeslices.target: is missing"),
        ("budgeting: {timeslices: {slice: 5s, target: 9%}}", "5s is not a length that a slice can have"),
        ("budgeting: {timeslices: {target: 99}}", "99 is not between 0 and 1"),
        ("budgeting: {ratio-timeslices: {target: 99%}}", "ratio-timeslices.target: unknown key"),
    ],
)
def test_what_is_wrong_with_a_window_or_a_budget(line, problem):
    found = problems_of(slo_with(line))
    assert len(found) == 1
    assert problem in found[0]


def test_kinds_of_slices_take_no_budgeting_method():
    sli = "sli: {quantile: {measure: ttft, quantile: p99, below: 1s}}"
    (found,) = problems_of(slo_with(sli) + "    budgeting: ratio-timeslices\n")
    assert "a budget of a quantile SLO is for slices of time already" in found
