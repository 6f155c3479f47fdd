"""SLOs of OpenSLO become SLOs of the model: windows, budgets, thresholds, names, labels, and what cannot be."""

from __future__ import annotations

import pytest

from detectors.slo.calendar import Calendar
from detectors.slo.compile import compile_rules, rule_id
from detectors.slo.kinds.composite import Composite
from detectors.slo.kinds.cost import Cost
from detectors.slo.kinds.errors import Errors
from detectors.slo.kinds.latency import Latency
from detectors.slo.lint import lint
from detectors.slo.parse import parse_slos
from detectors.slo.spec import OCCURRENCES, RatioTimeslices, Timeslices
from telemetry.windows import NANOS, parse_duration
from tests.detectors.slo.openslo.written import FOREIGN, LATENCY, OURS, compiled, document, read, said, slo

SLICE = "timeSliceTarget: 0.95, timeSliceWindow: 5m"
BERLIN = "calendar: {startTime: 2026-01-01 00:00:00, timeZone: Europe/Berlin}"


def objectives(text: str) -> str:
    return f"[{{target: 0.99, {text}}}]"


def test_a_ratio() -> None:
    found = compiled(slo())
    assert (found.name, found.service, found.sli, found.objective) == ("answers", "chat", Errors(), 0.99)
    assert (str(found.where.items[0]), found.per) == ('environment="prod"', ("model",))
    assert (found.window_ns, found.calendar, found.budgeting) == (parse_duration("28d"), None, OCCURRENCES)
    assert found.policy.pairs == ()


@pytest.mark.parametrize("part", ["good: {", "bad: {"])
def test_good_and_bad_are_the_two_sides_of_one_sli(part: str) -> None:
    assert compiled(slo(OURS.replace("good: {", part))) == compiled(slo())


def test_a_stored_ratio_is_counted_too() -> None:
    raw = "      ratioMetric: {rawType: failure, raw: {metricSource: {type: Tailwatch, spec: {sli: {errors: {}}}}}}\n"
    assert compiled(slo(raw)).sli == Errors()


@pytest.mark.parametrize(
    ("op", "value", "good", "bad"), [("lt", "0.8", 0.7999999999, 0.8), ("lte", "0.8", 0.8, 0.8000000001)]
)
def test_a_threshold_includes_its_bound_as_the_operator_says(op: str, value: str, good: float, bad: float) -> None:
    found = compiled(slo(LATENCY, objectives=objectives(f"op: {op}, value: {value}")))
    assert isinstance(found.sli, Latency)
    assert good < found.sli.below_s <= bad
    (rule,) = compile_rules(found)
    assert rule.good is not None


def test_a_threshold_of_a_price() -> None:
    cost = LATENCY.replace("latency: {measure: ttft}", "cost: {measure: request}")
    assert compiled(slo(cost, objectives=objectives("op: lt, value: 0.002"))).sli == Cost("request", 0.002)


@pytest.mark.parametrize(
    ("indicator", "objective", "expected"),
    [
        (LATENCY, "op: gt, value: 1", "gt cannot be executed here"),
        (LATENCY, "op: lt", "objectives[0].value: is missing"),
        (LATENCY, "value: 1", "objectives[0].op: is missing"),
        (LATENCY, "displayName: none", "objectives[0].op: is missing"),
        (LATENCY, "op: lt, value: -1", "-1 is not a number above 0"),
        (LATENCY.replace("ttft", "ttft, below: 1s"), "op: lt, value: 2", "2 contradicts below: 1"),
        (LATENCY.replace("latency: {measure: ttft}", "errors: {}"), "op: lt, value: 1", "errors has no threshold"),
        (LATENCY.replace("ttft", "speed"), "op: lt, value: 1", "'speed' is not a choice"),
        (LATENCY.replace("sli:", "sly:"), "op: lt, value: 1", "spec.sly: unknown key (did you mean sli?)"),
        (OURS.replace("spec: {sli: {errors: {}}}", "spec: {sli: {errors: {}}, where: ['a=\"b\"']}"), "op: gt",
         "differs from the conditions of total"),
        (OURS.replace("spec: {sli: {errors: {}}}", "spec: {sli: {errors: {}}, per: [tenant]}"), "op: gt",
         "differs from the groups of total"),
    ],
)  # fmt: skip
def test_what_our_metric_source_cannot_say_is_an_error(indicator: str, objective: str, expected: str) -> None:
    found = read(slo(indicator, objectives=objectives(objective)))
    assert not found.slos
    assert expected in "\n".join(str(problem) for problem in found.errors)


def test_a_threshold_may_stand_in_the_source() -> None:
    assert compiled(slo(LATENCY.replace("ttft", "ttft, below: 1s"))).sli == Latency("ttft", 1.0)


@pytest.mark.parametrize(
    ("window", "length", "warning"),
    [
        ("[{duration: 4w, isRolling: true}]", "28d", ""),
        ("[{duration: 36h}]", "36h", ""),
        ("[{duration: 1M, isRolling: true}]", "30d", "a rolling 1M is 30 days here"),
        ("[{duration: 1Q, isRolling: true}]", "90d", "a rolling 1Q is 90 days here"),
        ("[{duration: 1m, isRolling: true}]", "1m", "1m is 1 minute, not months (a month is 1M)"),
    ],
)
def test_rolling_windows(window: str, length: str, warning: str) -> None:
    text = slo(window=window)
    assert compiled(text).window_ns == parse_duration(length)
    assert bool(said(text)) == bool(warning)
    assert warning in "".join(said(text))


@pytest.mark.parametrize(
    ("duration", "unit"),
    [("24h", "day"), ("1d", "day"), ("1w", "week"), ("1M", "month"), ("3M", "quarter"), ("1Q", "quarter"),
     ("12M", "year"), ("1Y", "year")],
)  # fmt: skip
def test_calendar_windows(duration: str, unit: str) -> None:
    found = compiled(slo(window=f"[{{duration: {duration}, {BERLIN}}}]"))
    assert found.calendar == Calendar(unit, "Europe/Berlin")  # type: ignore[arg-type]
    assert found.window_ns == found.calendar.nominal_ns


@pytest.mark.parametrize(
    ("duration", "start", "warned"),
    [
        ("1w", "2026-01-05 00:00:00", False), ("1w", "2026-01-06 00:00:00", True), ("1d", "2026-01-06 00:00:00", False),
        ("1d", "2026-01-06 12:00:00", True), ("1M", "2026-02-01 00:00:00", False), ("1M", "2026-02-02 00:00:00", True),
        ("1Q", "2026-04-01 00:00:00", False), ("1Q", "2026-05-01 00:00:00", True), ("1Y", "2026-01-01 00:00:00", False),
        ("1Y", "2026-07-01 00:00:00", True),
    ],
)  # fmt: skip
def test_a_start_that_no_period_has_is_a_warning(duration: str, start: str, warned: bool) -> None:
    found = said(slo(window=f"[{{duration: {duration}, calendar: {{startTime: '{start}', timeZone: UTC}}}}]"))
    assert [("calendar.startTime: is not the first moment" in sentence) for sentence in found] == [True] * warned


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("[]", "has 0 entries"),
        ("[{duration: 1d, isRolling: true}, {duration: 1w, isRolling: true}]", "has 2 entries"),
        ("[{isRolling: true}]", "timeWindow[0].duration: is missing"),
        ("[{duration: 90, isRolling: true}]", "'90' is not a duration of OpenSLO"),
        ("[{duration: 0d, isRolling: true}]", "'0d' is not a duration of OpenSLO"),
        ("[{duration: 2Y, isRolling: true}]", "2Y is not executed here"),
        (f"[{{duration: 2w, {BERLIN}}}]", "periods of 2w are not executed here"),
        (f"[{{duration: 1M, isRolling: true, {BERLIN}}}]", "a rolling window has no calendar"),
        ("[{duration: 1M, isRolling: false}]", "the window does not roll"),
        ("[{duration: 1M, isRolling: maybe}]", "'maybe' is neither true nor false"),
        ("[{duration: 1M, calendar: {timeZone: UTC}}]", "calendar.startTime: is missing"),
        ("[{duration: 1M, calendar: {startTime: 2026-02-30 00:00:00, timeZone: UTC}}]", "is not a date with a time"),
        ("[{duration: 1M, calendar: {startTime: 2026-02-03, timeZone: UTC}}]", "is not a date with a time"),
        (f"[{{duration: 1M, {BERLIN.replace('Berlin', 'Berlyn')}}}]", "'Europe/Berlyn' is not a time zone"),
    ],
)
def test_windows_that_are_none(window: str, expected: str) -> None:
    found = read(slo(window=window))
    assert expected in "\n".join(str(problem) for problem in found.errors)


def test_budgets_of_slices() -> None:
    assert compiled(slo(method="Timeslices", objectives=objectives(SLICE))).budgeting == Timeslices(300 * NANOS, 0.95)
    minutes = compiled(slo(method="RatioTimeslices", objectives=objectives("timeSliceWindow: 2")))
    assert minutes.budgeting == RatioTimeslices(120 * NANOS)


QUANTILE = OURS.replace("errors: {}", "quantile: {measure: ttft, quantile: p95, below: 1s, slice: 5m}")


@pytest.mark.parametrize(
    ("indicator", "method", "objective", "expected"),
    [
        (OURS, "Timeslices", "timeSliceWindow: 1m", "timeSliceTarget: is missing"),
        (OURS, "Timeslices", "timeSliceTarget: 0.9", "timeSliceWindow: is missing"),
        (OURS, "Timeslices", "timeSliceWindow: 1m, timeSliceTarget: 0", "0 is not within (0, 1]"),
        (OURS, "RatioTimeslices", "displayName: a", "timeSliceWindow: is missing"),
        (OURS, "RatioTimeslices", "timeSliceWindow: 2h", "slices of 2h are not executed here"),
        (OURS, "TimeSlices", SLICE, "'TimeSlices' is not a choice (did you mean Timeslices?)"),
        (QUANTILE, "RatioTimeslices", SLICE, "a slice of a quantile SLI is good or bad"),
        (
            QUANTILE,
            "Timeslices",
            "timeSliceTarget: 0.9, timeSliceWindow: 1m",
            "1m is not the slice of the quantile SLI",
        ),
    ],
)
def test_methods_and_slices_that_do_not_fit(indicator: str, method: str, objective: str, expected: str) -> None:
    found = read(slo(indicator, method=method, objectives=objectives(objective)))
    assert expected in "\n".join(str(problem) for problem in found.errors)


def test_an_sli_that_judges_slices_keeps_its_own() -> None:
    text = slo(QUANTILE, method="Timeslices", objectives=objectives(SLICE))
    assert compiled(text).budgeting == OCCURRENCES
    assert "the quantile SLI says itself which slice is good" in said(text)[0]


def test_every_objective_is_an_slo_with_a_name_that_lasts() -> None:
    text = slo(objectives="[{displayName: 'Our SLA!', target: 0.99}, {targetPercent: 99.95}, {target: 0.9}]")
    assert [(each.name, each.objective) for each in read(text).slos] == [
        ("answers.our-sla", 0.99), ("answers.2", 0.9995), ("answers.3", 0.9),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("[]", "is an empty list"), ("[{displayName: a}]", "target: is missing"),
        ("[{target: 0.9, targetPercent: 90}]", "stands beside target"), ("[{target: 1}]", "1 is not within [0, 1)"),
        ("[{targetPercent: 100}]", "100 is not within [0, 100)"), ("[{target: 0}]", "a target of 0 leaves nothing"),
        ("[{target: .nan}]", "'.nan' is not a number"), ("[{target: 0.9, compositeWeight: 0}]", "not within (0, inf)"),
        ("[{target: 0.9, op: eq}]", "'eq' is not a choice"),
        ("[{target: 0.9, indicatorRef: a}]", "the SLO has an indicator of its own"),
    ],
)  # fmt: skip
def test_objectives_that_are_none(objective: str, expected: str) -> None:
    assert expected in "\n".join(str(problem) for problem in read(slo(objectives=objective)).errors)


def test_a_threshold_has_one_objective() -> None:
    both = "[{target: 0.9, op: lt, value: 1}, {target: 0.99, op: lt, value: 2}]"
    assert "a thresholdMetric has one objective" in said(slo(LATENCY, objectives=both))[0]


def test_objectives_with_indicators_of_their_own_are_a_weighted_composite() -> None:
    text = slo("", objectives="[{target: 0.9, indicatorRef: a, compositeWeight: 2}, {target: 0.99, indicatorRef: b}]")
    for name in ("a", "b"):
        text += document("SLI", name, f"\n{OURS}")
    found = parse_slos([("a.yaml", text)])
    assert [(each.name, each.objective) for each in found.slos] == [
        ("answers.1", 0.9), ("answers.2", 0.99), ("answers", 0.93),
    ]  # fmt: skip
    first, second, composite = found.slos
    assert isinstance(composite.sli, Composite)
    assert [(part.slo, part.weight, part.meaning) for part in composite.sli.components] == [
        ("answers.1", 2.0, rule_id(first)), ("answers.2", 1.0, rule_id(second)),
    ]  # fmt: skip
    assert len(composite.sli.counted) == 2
    silent = [problem.field for problem in lint(found) if problem.message == "nothing is alerted"]
    assert silent == ["answers.alert"], "components leave that to the composite"


def test_an_objective_that_cannot_be_executed_leaves_no_composite() -> None:
    text = slo(
        "",
        objectives="[{target: 0.9, indicatorRef: a}, {target: 0.99, indicatorRef: b}, {target: 0.9, indicatorRef: c}]",
    )
    for name, spec in (("a", OURS), ("b", OURS), ("c", FOREIGN)):
        text += document("SLI", name, f"\n{spec}")
    found = read(text)
    assert [each.name for each in found.slos] == ["answers.1", "answers.2"]
    assert any("of 3 objectives only 2 can be executed" in warning.message for warning in found.warnings)
    missing = said(slo("", objectives="[{target: 0.9, indicatorRef: a}, {target: 0.99}]"))
    assert any("spec.objectives[1].indicator: is missing" in sentence for sentence in missing)
    assert any("spec.indicator: is missing" in sentence for sentence in said(slo("")))


def test_labels_and_annotations() -> None:
    metadata = (
        "{name: answers, displayName: Answers, labels: {team: [a, b], 1st.tier-x: gold, severity: high}, annotations: "
        "{tailwatch.owner: us, tailwatch.runbook: tail-spike, tailwatch.gate: 'off', example.com/url: x}}"
    )
    found = compiled(slo(metadata=metadata))
    assert found.labels == {"team": "a,b", "_1st_tier_x": "gold"}
    assert (found.owner, found.runbook, found.description, found.policy.gate) == ("us", "tail-spike", "Answers", False)
    assert "severity: is a label that every alert has already" in "".join(said(slo(metadata=metadata)))


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("tailwatch.gate: 'no'", "error: a.yaml:3: document 1 (SLO answers): metadata.annotations.tailwatch.gate"),
        ("tailwatch.ownr: us", "did you mean tailwatch.owner?"),
        ("tailwatch.gate: off", "where text is needed"),
    ],
)
def test_annotations_that_are_not_read(annotation: str, expected: str) -> None:
    assert expected in "\n".join(said(slo(metadata=f"{{name: answers, annotations: {{{annotation}}}}}")))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("good:", "goud:", "goud: unknown key (did you mean good?)"),
        ("total:", "bad:", "total: is missing"),
        ("good:", "raw:", "stands beside raw"),
        ("counter: true", "counter: perhaps", "'perhaps' is neither true nor false"),
        ("counter: true", "rawType: success", "belongs to raw only"),
        ("ratioMetric:", "thresholdMetric: {metricSource: {type: T, spec: {}}}\n      ratioMetric:", "has both"),
        ("type: Prometheus, spec", "spec", "add type:, or refer to a DataSource"),
        (", spec: {query: up}", "", "metricSource.spec: is missing"),
        ("spec: {query: up}", "spec: [up]", "a list where a mapping is needed"),
        ("metricSource: {type: Prometheus, spec: {query: up}}", "", "metricSource: is missing"),
    ],
)
def test_slis_that_are_none(old: str, new: str, expected: str) -> None:
    found = read(slo(FOREIGN.replace(old, new)))
    assert expected in "\n".join(str(problem) for problem in found.errors)


def test_a_source_and_its_data_source_agree() -> None:
    text = slo(OURS.replace("type: Tailwatch", "type: Tailwatch, metricSourceRef: p"))
    found = read(text + document("DataSource", "p", "{type: Prometheus}"))
    assert any("Tailwatch contradicts the type of its DataSource, Prometheus" in str(each) for each in found.errors)


def test_an_sli_that_nothing_refers_to_is_checked_too() -> None:
    assert not said(document("SLI", "i", f"\n{OURS}") + document("SLI", "j", f"\n{LATENCY}"))
    wrong = document("SLI", "i", "\n" + OURS.replace("errors: {}", "errors: {throttled: maybe}"))
    assert "good.metricSource.spec.sli.errors.throttled: 'maybe' is not a choice" in said(wrong)[0]
    wrong = document("SLI", "j", "\n" + LATENCY.replace("ttft", "speed, below: 1s"))
    assert "sli.latency.measure: 'speed' is not a choice" in said(wrong)[0]


@pytest.mark.parametrize("sli", ["{spend: {budget: 5}}", "{composite: {of: [{slo: a}]}}"])
def test_kinds_that_are_no_share_are_no_metric_source(sli: str) -> None:
    source = f"{{metricSource: {{type: Tailwatch, spec: {{sli: {sli}}}}}}}"
    raw = f"      ratioMetric: {{rawType: failure, raw: {source}}}\n"
    assert "is no share of events or slices" in said(slo(raw))[0]
