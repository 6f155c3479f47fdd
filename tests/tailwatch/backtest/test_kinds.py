"""Backtests of SLOs that are judged by gauges, arrivals and labels: what the live service said, said again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from alerting.state import AlertTiming
from storage.compaction import compact
from storage.database import Database
from storage.ingest import EVERY_KIND
from storage.metric_upkeep import compact_points
from storage.rollups import load
from tailwatch.backtest.backtest import backtest
from tailwatch.backtest.outcome import Outcome
from tailwatch.simulation.run import simulate
from tests.tailwatch.backtest.live import Shown, live_through, scenario
from tests.tailwatch.backtest.test_backtest import Lived, firing_at, rehearsed
from tests.tailwatch.declared import MINUTE_NS, START_NS, slo_set
from tests.tailwatch.test_labels import judge, requests, store

SCENARIO = """version: 1
start: 2026-03-02T06:00:00Z
duration: 1h
seed: 4
service: chat
slos:
  - {name: full, service: chat, sli: {saturation: {gauge: queue_depth, below: 20}}, objective: 95%, per: [instance]}
  - {name: fresh, service: chat, sli: {freshness: {heartbeat: tailwatch.heartbeat}}, objective: 95%}
  - {name: both, service: chat, sli: {composite: {of: [{slo: full}, {slo: fresh}]}}, objective: 95%}
traffic: {rate: 1}
gauges:
  queue_depth: [{median: 5, labels: {instance: a}}, {median: 5, labels: {instance: b}}]
  tailwatch.heartbeat: {median: 1}
incidents:
  - {name: idle, start: 5m, duration: 8m, traffic: 0, incident: off}
  - {name: stuck, start: 20m, duration: 8m, gauges: {queue_depth: 20}, where: {instance: b}, slo: full}
  - {name: gone, start: 40m, duration: 8m, silent: on, slo: fresh}
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Lived:
    folder = tmp_path_factory.mktemp("kinds")
    one = scenario(folder, SCENARIO)
    file = folder / "tailwatch.db"
    shutil.copyfile(migrated_sqlite, file)
    with Database(f"sqlite:///{file}") as opened:
        return Lived(one, file, live_through(opened, one, EVERY_KIND, compacted=False))


def alerts(firing: dict[int, set[Shown]]) -> set[str]:
    return {slo for shown in firing.values() for slo, *_ in shown}


def test_gauges_and_silence_fire_what_they_fired_live(live: Lived):
    assert alerts(live.firing) == {"full", "fresh", "both"}
    outcome = rehearsed(live)
    told, told_live = (
        {now_ns: {one for one in shown if one[0] != "both"} for now_ns, shown in firing.items()}
        for firing in ({now_ns: firing_at(outcome, now_ns) for now_ns in live.firing}, live.firing)
    )
    assert told == told_live
    # Stored verdicts reach a composite with the evaluation that reads them; those that are passed, with the next one.
    (first,) = [call.start_ns for call in outcome.calls if call.slo == "both"]
    first_live = min(now_ns for now_ns, shown in live.firing.items() if any(one[0] == "both" for one in shown))
    assert first_live - live.scenario.step_ns <= first <= first_live
    assert outcome.score is not None
    assert outcome.score.recall == 1.0
    stuck, gone = (verdict.cost for verdict in outcome.score.verdicts)
    assert stuck is not None
    assert (stuck.slo, dict(stuck.group)) == ("full", {"instance": "b"})
    assert gone is not None
    assert gone.slo == "fresh"
    assert {dict(curve.group).get("instance") for curve in outcome.curves if curve.slo == "full"} == {"a", "b"}


def test_a_simulation_fires_what_the_gauges_fired_live(live: Lived):
    outcome = simulate(live.scenario, AlertTiming(), 100).outcome
    assert {now_ns: firing_at(outcome, now_ns) for now_ns in live.firing} == live.firing


def coarse(live: Lived, folder: Path) -> Lived:
    """The same service half a day later: all counters and gauges are folded to 5 min."""
    one = replace(live, file=folder / "coarse.db")
    shutil.copyfile(live.file, one.file)
    later_ns = one.scenario.start_ns + 12 * 60 * MINUTE_NS
    with one.database() as database:
        compact(database, later_ns, load(database, None, 0, 1).position)
        compact_points(database, later_ns)
    return one


def test_folded_gauges_keep_their_verdicts_and_judge_a_new_slo_by_all_of_a_bucket(live: Lived, tmp_path: Path):
    fine, folded = rehearsed(live), rehearsed(coarse(live, tmp_path))
    assert lowest(folded) == pytest.approx(lowest(fine), abs=0.35)
    assert {slo for slo, *_ in lowest(fine)} == {"full", "fresh", "both"}
    assert not any("a peak fills it" in note for note in folded.notes), "its verdicts are stored"
    new = slo_set(
        tmp_path,
        "\n  - {name: new, service: chat, sli: {saturation: {gauge: queue_depth, below: 20}}, objective: 95%}\n",
    )
    tried = rehearsed(coarse(live, tmp_path), new)
    assert any("new: values before" in note and "a peak fills it" in note for note in tried.notes)
    # Stuck for eight minutes, in two buckets of five; one bucket was silent, and one is not over when the run ends.
    assert lowest(tried)["new", ""] == pytest.approx(1 - 10 / (0.05 * 50))


def lowest(outcome: Outcome) -> dict[tuple[str, str], float]:
    return {
        (curve.slo, dict(curve.group).get("instance", "")): round(curve.remaining[-1] or 0.0, 6)
        for curve in outcome.curves if curve.remaining[-1] is not None
    }  # fmt: skip


def test_a_new_slo_is_tried_on_gauges_that_were_never_judged(live: Lived, tmp_path: Path):
    new = slo_set(
        tmp_path,
        "\n  - {name: strict, service: chat, sli: {saturation: {gauge: queue_depth, below: 2}}, objective: 90%}\n"
        "  - {name: none, service: chat, sli: {saturation: {gauge: kv_cache_usage, below: 0.9}}, objective: 90%}\n"
        "  - {name: new, service: chat, sli: {freshness: {slice: 2m, max_delay: 20s}}, objective: 90%}\n",
    )
    outcome = rehearsed(live, new)
    assert lowest(outcome)["strict", ""] == pytest.approx(-9.0)
    assert any("none: there is no event" in note for note in outcome.notes)
    assert any("new: it was not counted when its records came in" in note for note in outcome.notes)
    # Eight minutes without requests and eight in silence: four slices of two minutes each, of thirty.
    assert lowest(outcome)["new", ""] < 0


def test_labels_count_when_they_were_given(database: Database, tmp_path: Path):
    slos = slo_set(
        tmp_path,
        "\n  - {name: right, service: classify, sli: {accuracy: {}}, objective: 90%, window: 1d}\n",
    )
    numbers = list(range(100, 300))
    store(database, requests(numbers), requests(numbers, signal="span"))
    store(
        database,
        feedback=tuple(
            judge(number, "dog" if number < 160 else "cat", at_ns=START_NS + (1 if number < 160 else 30) * MINUTE_NS)
            for number in numbers
        ),
    )
    outcome = backtest(
        database, slos, timing=AlertTiming(), max_groups=100, start_ns=START_NS, end_ns=START_NS + 60 * MINUTE_NS,
        step_ns=MINUTE_NS,
    )  # fmt: skip
    (curve,) = outcome.curves
    course = dict(zip(curve.times_ns, curve.remaining, strict=True))
    assert course[START_NS + 20 * MINUTE_NS] == pytest.approx(-9.0)
    assert course[START_NS + 60 * MINUTE_NS] == pytest.approx(1 - 60 / (0.1 * 200))
    assert [call.slo for call in outcome.calls] == ["right"]
