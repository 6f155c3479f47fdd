"""Windows of alerts over slices of time hold a judged slice at every moment, or lint says that they do not."""

from __future__ import annotations

import pytest

from detectors.slo.compile import rule_id
from detectors.slo.engine import Engine
from detectors.slo.fitting import least_window_ns
from detectors.slo.lint import lint
from detectors.slo.parse import parse_slos
from detectors.slo.spec import SloSet
from telemetry.deltas import SliDelta
from telemetry.windows import BUCKET_NS, NANOS

MINUTE_NS = 60 * NANOS
START_NS = 1_700_000_100 * NANOS // (5 * MINUTE_NS) * 5 * MINUTE_NS


def declared(sli: str, more: str = "") -> SloSet:
    text = f"version: 1\nslos:\n  - {{name: one, service: chat, objective: 99%, sli: {sli}{more}}}\n"
    return parse_slos([("slos.yaml", text)])


@pytest.mark.parametrize(
    ("sli", "more", "shorts"),
    [
        ("{errors: {}}", "", [5, 30, 120, 360]),
        ("{errors: {}}", ", budgeting: ratio-timeslices", [5, 30, 120, 360]),
        ("{freshness: {slice: 1m}}", "", [5, 30, 120, 360]),
        ("{freshness: {slice: 5m}}", "", [15, 30, 120, 360]),
        ("{freshness: {slice: 1m, max_delay: 20m}}", "", [23, 30, 120, 360]),
        ("{errors: {}}", ", budgeting: {timeslices: {slice: 10m, target: 99%}}", [30, 30, 120, 360]),
        ("{saturation: {gauge: queue_depth, below: 5, slice: 15m}}", "", [45, 45, 120, 360]),
    ],
)
def test_short_windows_are_a_twelfth_or_what_holds_a_slice(sli: str, more: str, shorts: list[int]) -> None:
    slos = declared(sli, more)
    assert [pair.short_ns // MINUTE_NS for pair in slos.slos[0].policy.pairs] == shorts
    assert not [problem for problem in lint(slos) if problem.severity == "error"]


@pytest.mark.parametrize("slice_minutes", [1, 5, 10])
def test_silence_pages_at_every_length_of_a_slice(slice_minutes: int) -> None:
    slos = declared(f"{{freshness: {{slice: {slice_minutes}m}}}}")
    engine = Engine(slos)
    two_hours = range(0, 120 * 60 * NANOS, BUCKET_NS)
    engine.ingest_sli([SliDelta(rule_id(slos.slos[0]), "{}", START_NS + at_ns, 1, 1) for at_ns in two_hours])
    engine.step(START_NS + 120 * MINUTE_NS)
    moments = [START_NS + (120 + minute) * MINUTE_NS for minute in range(1, 61)]
    paged = [
        now_ns for now_ns in moments
        if any(one.labels.get("window") == "1h" for one in engine.step(now_ns).findings)
    ]  # fmt: skip
    assert paged, "an hour of silence"
    after = [now_ns for now_ns in moments if now_ns >= paged[0]]
    assert paged == after, "and it holds from then on"


def test_a_window_that_somebody_chose_too_short_is_an_error() -> None:
    short = ", alert: [{severity: page, long: 1h, short: 6m, factor: 14.4}]"
    slos = declared("{freshness: {slice: 5m}}", short)
    (problem,) = [one for one in lint(slos) if one.severity == "error"]
    assert "can never fire: no slice of 5m is judged within its short window of 6m" in problem.message
    assert problem.remedy == "use windows of at least 15m, or shorter slices"
    assert least_window_ns(slos.slos[0]) == 15 * MINUTE_NS
    hour = declared("{freshness: {slice: 1h}}")
    told = [one.message for one in lint(hour) if one.severity == "error"]
    assert len(told) == 1, "the pair that looks back over an hour"
    assert "within its short window of 1h" in told[0]
