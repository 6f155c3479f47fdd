"""Backtests over what a live service has stored: the same alerts, from rows as from counters, and nothing written."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from alerting.state import AlertTiming
from detectors.slo.spec import SloSet
from storage.compaction import FOLDS, compact
from storage.database import Database
from storage.ingest import EVERY_KIND, Kind
from storage.rollups import load
from tailwatch.backtest.backtest import backtest
from tailwatch.backtest.outcome import Outcome
from tailwatch.simulation.run import labelled, simulate
from tailwatch.simulation.scenario import Scenario
from telemetry.errors import ConfigError
from tests.tailwatch.backtest.live import Shown, live_through, scenario
from tests.tailwatch.declared import slo_set

HOUR_NS = 3600 * 10**9
SCENARIO = """version: 1
start: 2026-03-02T06:00:00Z
duration: 1h
step: 60s
seed: 4
service: chat
slos:
  - name: errs
    service: chat
    sli: {errors: {}}
    objective: 99%
  - name: errs-by-input
    service: chat
    sli: {errors: {}}
    per: [input_type]
    objective: 98%
    alert: {policy: page-and-ticket, sequential: off}
  - name: tail
    service: chat
    sli: {quantile: {measure: duration, quantile: p90, below: 2s, slice: 1m, min_events: 20}}
    objective: 95%
    window: 1d
traffic: {rate: 4, jitter: 20%}
errors: {rate: 0.3%, dispersion: 3}
measures: {duration: {median: 500ms, sigma: 0.5}}
slices:
  - {share: 70%, labels: {input_type: chat}}
  - {share: 30%, labels: {input_type: code}}
incidents:
  - {name: broken, start: 15m, duration: 8m, errors: 40%}
  - {name: slow, start: 38m, duration: 10m, measures: {duration: 8}, where: {input_type: code}}
"""


@dataclass(frozen=True)
class Lived:
    """What a service lived through: the database that it left, and which alerts fired after each evaluation."""

    scenario: Scenario
    file: Path
    firing: dict[int, set[Shown]]

    @contextmanager
    def database(self) -> Iterator[Database]:
        with Database(f"sqlite:///{self.file}") as opened:
            yield opened


def rehearsed(live: Lived, slos: SloSet | None = None, **changes: object) -> Outcome:
    one = live.scenario
    options = {
        "timing": AlertTiming(), "max_groups": 100, "start_ns": one.start_ns, "end_ns": one.start_ns + one.duration_ns,
        "step_ns": one.step_ns, "incidents": labelled(one),
    }  # fmt: skip
    with live.database() as database:
        return backtest(database, slos or one.slos, **{**options, **changes})


def firing_at(outcome: Outcome, now_ns: int) -> set[Shown]:
    return {
        (episode.slo, *(episode.name + " ").split(" ")[:2], episode.severity, episode.group.get("input_type", ""))
        for call in outcome.calls for episode in call.episodes
        if episode.start_ns <= now_ns and (episode.end_ns is None or now_ns < episode.end_ns)
    }  # fmt: skip


def lived(folder: Path, migrated: Path, kept: frozenset[Kind], *, compacted: bool) -> Lived:
    one = scenario(folder, SCENARIO)
    file = folder / "tailwatch.db"
    shutil.copyfile(migrated, file)
    with Database(f"sqlite:///{file}") as opened:
        return Lived(one, file, live_through(opened, one, kept, compacted=compacted))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Lived:
    return lived(tmp_path_factory.mktemp("rows"), migrated_sqlite, EVERY_KIND, compacted=True)


@pytest.fixture(scope="module")
def counters(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Lived:
    return lived(tmp_path_factory.mktemp("counters"), migrated_sqlite, frozenset(), compacted=False)


@pytest.mark.parametrize("stored", ["rows", "counters"])
def test_a_backtest_fires_what_the_live_service_fired(request: pytest.FixtureRequest, stored: str):
    live: Lived = request.getfixturevalue(stored)
    before = hashlib.sha256(live.file.read_bytes()).digest()
    outcome = rehearsed(live)
    assert hashlib.sha256(live.file.read_bytes()).digest() == before, "a backtest writes nothing"
    assert any(live.firing.values())
    assert {now_ns: firing_at(outcome, now_ns) for now_ns in live.firing} == live.firing
    assert outcome.score is not None
    assert (outcome.score.recall, outcome.score.page_recall) == (1.0, 1.0)
    assert outcome.score.verdicts[0].detection_s is not None
    assert outcome.score.verdicts[0].detection_s <= 120


def test_a_simulation_fires_what_the_live_service_fired(rows: Lived):
    simulated = simulate(rows.scenario, AlertTiming(), 100)
    assert {now_ns: firing_at(simulated.outcome, now_ns) for now_ns in rows.firing} == rows.firing


def test_an_slo_that_was_never_counted_is_tested_on_rows_and_says_what_it_lacks(rows: Lived, tmp_path: Path):
    new = slo_set(
        tmp_path,
        "\n  - {name: strict, service: chat, sli: {latency: {measure: duration, below: 1s}}, objective: 99%}\n",
        "  - {name: elsewhere, service: search, sli: {errors: {}}, objective: 99%}\n",
    )
    outcome = rehearsed(rows, new)
    assert {call.slo for call in outcome.calls} == {"strict"}
    assert any("elsewhere: there is no event" in note for note in outcome.notes)
    (curve,) = outcome.curves
    lowest = curve.lowest
    assert lowest is not None
    assert lowest[0] < 0


def test_history_before_the_beginning_counts_in_the_budget(rows: Lived):
    whole = rehearsed(rows)
    second = rehearsed(rows, start_ns=rows.scenario.start_ns + HOUR_NS // 2)
    budget = {(curve.slo, str(curve.group)): curve.remaining[-1] for curve in whole.curves}
    assert {(curve.slo, str(curve.group)): curve.remaining[-1] for curve in second.curves} == budget
    assert any("the budget begins with 30m of history" in note for note in second.notes)
    assert any("1 of 2 incidents began outside" in note for note in second.notes)


def test_folded_counters_are_known_late_and_say_so(counters: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    exact = rehearsed(counters)
    coarse = replace(counters, file=tmp_path / "coarse.db")
    shutil.copyfile(counters.file, coarse.file)
    monkeypatch.setattr("storage.compaction.FOLDS", tuple(replace(fold, age_ns=0) for fold in FOLDS[:2]))
    with coarse.database() as database:
        compact(database, coarse.scenario.start_ns + coarse.scenario.duration_ns, load(database, None, 0, 1).position)
    folded = rehearsed(coarse)
    assert any("are folded to 5m" in note for note in folded.notes)
    assert exact.score is not None
    assert folded.score is not None
    fine_s, coarse_s = (score.verdicts[0].page_s for score in (exact.score, folded.score))
    assert fine_s is not None
    assert coarse_s is not None
    assert fine_s <= coarse_s <= fine_s + 330
    counts = [
        [(curve.slo, curve.remaining[-1]) for curve in outcome.curves if curve.slo != "tail"]
        for outcome in (exact, folded)
    ]
    assert counts[0] == counts[1]


def test_times_that_make_no_run_give_a_sentence(rows: Lived):
    with pytest.raises(ConfigError, match="is not a multiple of 10s"):
        rehearsed(rows, step_ns=15 * 10**9)
    with pytest.raises(ConfigError, match="has no length"):
        rehearsed(rows, end_ns=rows.scenario.start_ns)
