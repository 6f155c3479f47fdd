"""Simulations of what is no request: gauges, labels, silence, late telemetry, maintenance; and every kind of SLI."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerting.state import AlertTiming
from detectors.slo.kinds.registry import KINDS
from tailwatch.backtest.outcome import Outcome
from tailwatch.simulation.gauges import GaugeSource
from tailwatch.simulation.reading import load_scenario
from tailwatch.simulation.run import simulate
from tailwatch.simulation.scenario import Scenario
from telemetry.windows import BUCKET_NS, NANOS

HEAD = "version: 1\nservice: chat\nduration: 1h\nseed: 3\ntraffic: {rate: 4}\nslos:\n"
SLIS = {
    "errors": ("{}", "errors: 40%"),
    "latency": ("{measure: duration, below: 2s}", "measures: {duration: 9}"),
    "quantile": ("{measure: duration, quantile: p90, below: 2s, min_events: 20}", "measures: {duration: 9}"),
    "cost": ("{measure: request, below: 0.01}", "measures: {cost: 50}"),
    "spend": ("{budget: 400}", "measures: {cost: 50}"),
    "quality": ("{require: [tokens_out]}", "missing: {tokens_out: 30%}"),
    "drift": ("{fields: [tokens_out], reference: {window: 10m}, min_events: 50}", "measures: {tokens_out: 4}"),
    "saturation": ("{gauge: queue_depth, below: 20}", "gauges: {queue_depth: 20}"),
    "freshness": ("{heartbeat: tailwatch.heartbeat}", "silent: on"),
    "accuracy": ("{}", "mistakes: 60%"),
    "composite": ("{of: [{slo: part}, {slo: other}]}", "errors: 95%"),
}
WORLD = """errors: {rate: 0.1%}
measures:
  duration: {median: 500ms, sigma: 0.4}
  cost: {median: 0.001, sigma: 0.3}
  tokens_out: {median: 100, sigma: 0.3}
gauges:
  queue_depth: {median: 5}
  tailwatch.heartbeat: {median: 1}
predictions: {mistakes: 2%, delay: {median: 20s, sigma: 0.2}}
"""


def read(folder: Path, text: str) -> Scenario:
    path = folder / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(path)


def run(folder: Path, slos: str, rest: str) -> Outcome:
    return simulate(read(folder, f"{HEAD}{slos}{WORLD}{rest}"), AlertTiming(), 100).outcome


def test_every_kind_has_a_scenario() -> None:
    assert SLIS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", SLIS)
def test_every_kind_tells_of_its_incident(tmp_path: Path, kind: str) -> None:
    sli, effect = SLIS[kind]
    objective = ", window: 1d" if kind == "spend" else ", objective: 95%"
    if kind == "composite":
        objective = ", objective: 99%"
    slos = f"  - {{name: one, service: chat, sli: {{{kind}: {sli}}}{objective}}}\n"
    if kind == "composite":
        slos += "  - {name: part, service: chat, sli: {errors: {}}, objective: 95%}\n"
        slos += "  - {name: other, service: chat, sli: {saturation: {gauge: queue_depth, below: 20}}, objective: 95%}\n"
    outcome = run(tmp_path, slos, f"incidents:\n  - {{name: it, start: 30m, duration: 15m, slo: one, {effect}}}\n")
    assert outcome.score is not None
    (verdict,) = outcome.score.verdicts
    assert verdict.caught
    assert verdict.cost is not None
    assert verdict.cost.spent > 0.3
    assert verdict.cost.at_alert is not None
    assert verdict.cost.at_alert <= verdict.cost.spent
    assert not outcome.notes


FRESH = "  - {name: fresh, service: chat, sli: {freshness: {heartbeat: tailwatch.heartbeat}}, objective: 90%}\n"


def bad_slices(outcome: Outcome) -> int:
    (curve,) = outcome.curves
    left = curve.remaining[-1]
    assert left is not None
    return round((1 - left) * 0.1 * 58)


@pytest.mark.parametrize(
    ("effect", "bad"), [("traffic: 0", 0), ("silent: on", 15), ("delay: 2m", 15), ("delay: 10s", 0)]
)
def test_silence_is_told_from_idleness_and_late_from_lost(tmp_path: Path, effect: str, bad: int) -> None:
    outcome = run(tmp_path, FRESH, f"incidents:\n  - {{start: 20m, duration: 15m, {effect}}}\n")
    assert bad_slices(outcome) == pytest.approx(bad, abs=1)


RIGHT = "  - {name: right, service: chat, sli: {accuracy: {}}, objective: 90%}\n"


def wrong(folder: Path, predictions: str, incident: str = "") -> float:
    world = WORLD.replace(
        "predictions: {mistakes: 2%, delay: {median: 20s, sigma: 0.2}}", f"predictions: {predictions}"
    )
    outcome = simulate(read(folder, f"{HEAD}{RIGHT}{world}{incident}"), AlertTiming(), 100).outcome
    (curve,) = outcome.curves
    assert curve.remaining[-1] is not None
    return (1 - curve.remaining[-1]) * 0.1


def test_labels_are_wrong_and_are_put_right(tmp_path: Path) -> None:
    delay = "delay: {median: 20s, sigma: 0.2}"
    assert wrong(tmp_path, f"{{mistakes: 5%, {delay}}}") == pytest.approx(0.05, abs=0.01)
    assert wrong(tmp_path, f"{{mistakes: 5%, wrong: 20%, {delay}}}") == pytest.approx(
        0.05 * 0.8 + 0.95 * 0.2, abs=0.015
    )
    # A third of the hour's wrong labels is not put right yet when it ends.
    revised = wrong(tmp_path, f"{{mistakes: 5%, wrong: 20%, revised: 20m, {delay}}}")
    assert revised == pytest.approx(0.05 + (0.23 - 0.05) / 3, abs=0.02)


def test_labels_that_are_lost_or_late_count_for_less_so_far(tmp_path: Path) -> None:
    trouble = "incidents:\n  - {start: 0, duration: 30m, mistakes: 50%%}\n  - {start: 0, duration: 30m, labels: {%s}}\n"
    delay = "{mistakes: 2%, delay: {median: 20s, sigma: 0.2}}"
    whole = wrong(tmp_path, delay, trouble % "wrong: 0%")
    assert whole == pytest.approx(0.265, abs=0.02)
    assert wrong(tmp_path, delay, trouble % "lost: 100%") == pytest.approx(0.02, abs=0.01)
    assert wrong(tmp_path, delay, trouble % "delay: 1000") == pytest.approx(0.02, abs=0.01)


@pytest.mark.parametrize("effect", ["silent: on", "delay: 2h"])
def test_labels_of_requests_that_have_not_come_count_nothing(tmp_path: Path, effect: str) -> None:
    trouble = f"incidents:\n  - {{start: 0, duration: 30m, mistakes: 50%}}\n  - {{start: 0, duration: 30m, {effect}}}\n"
    found = wrong(tmp_path, "{mistakes: 2%, delay: {median: 20s, sigma: 0.2}}", trouble)
    assert found == pytest.approx(0.02, abs=0.01)


def test_a_gauge_follows_its_level_the_traffic_and_its_bound(tmp_path: Path) -> None:
    text = f"""{HEAD}  - {{name: errs, service: chat, sli: {{errors: {{}}}}, objective: 99%}}
gauges:
  kv_cache_usage: {{median: 0.4, sigma: 0.2, load: 1, highest: 1}}
incidents: [{{start: 30m, duration: 15m, traffic: 3}}, {{start: 50m, duration: 5m, gauges: {{kv_cache_usage: 50}}}}]
"""
    one = read(tmp_path, text)
    readings = [reading for _, reading in GaugeSource(one).readings(one.start_ns, one.start_ns + one.duration_ns)]
    values = {(reading.bucket_ns - one.start_ns) // BUCKET_NS: reading.state.last for reading in readings}
    assert len(values) == 360
    assert {reading.series.name for reading in readings} == {"vllm:gpu_cache_usage_perc"}

    def median(first: int, end: int) -> float:
        return sorted(values[place] for place in range(first * 6, end * 6))[(end - first) * 3]

    assert median(0, 30) == pytest.approx(0.4, rel=0.25)
    assert median(30, 45) == pytest.approx(1.0, abs=0.25)
    assert {values[place] for place in range(300, 330)} == {1.0}


def test_what_is_corrected_spends_nothing_and_is_shown(tmp_path: Path) -> None:
    slos = "  - {name: errs, service: chat, sli: {errors: {}}, objective: 99%}\n"
    incident = "incidents:\n  - {name: upgrade, start: 20m, duration: 10m, errors: 90%}\n"
    rest = f"{incident}corrections:\n  - {{start: 20m, duration: 10m, reason: upgrade}}\n"
    plain, corrected = run(tmp_path, slos, incident), run(tmp_path, slos, rest)
    assert plain.calls
    assert not corrected.calls
    (one,) = corrected.corrections
    assert (one.asked.start_ns, one.asked.end_ns) == (
        corrected.start_ns + 1200 * NANOS, corrected.start_ns + 1800 * NANOS,
    )  # fmt: skip
    assert corrected.to_json()["corrections"][0]["reason"] == "upgrade"
    assert corrected.score is not None
    cost = corrected.score.verdicts[0].cost
    assert cost is not None
    assert cost.spent == 0
