"""The detection benchmark: it replays through the engine's own parts, and known answers come out of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection.__main__ import main, rate_of
from benchmarks.detection.replicas import START_NS, Replicas
from benchmarks.detection.traffic import BLOCK, BUCKET_S, DISPERSION, Clustering, Traffic
from detectors.sequential.dispersion import dispersion
from detectors.slo.engine import Engine
from telemetry.windows import BUCKET_NS
from tests.detectors.slo.traffic import errors_slo, row

HOUR_S = 3600


class Recorded(Traffic):
    """Traffic that remembers what it said."""

    def __init__(self, per_hour: float, replicas: int, clustering: Clustering, rng: np.random.Generator) -> None:
        super().__init__(per_hour, replicas, clustering, rng)
        self.said: list[tuple[int, np.ndarray]] = []

    def next(self, rate: float) -> tuple[int, np.ndarray]:
        self.said.append(super().next(rate))
        return self.said[-1]


def test_the_gated_side_is_what_the_engine_pages_for():
    """The same counts through a parsed SLO file and the whole engine, page for page."""
    traffic = Recorded(2_000, 4, "independent", np.random.default_rng(3))
    replicas = Replicas(traffic)
    replicas.run(HOUR_S, 0.001)
    found = replicas.run(HOUR_S / 2, 0.06, every_s=BUCKET_S)
    engine = Engine(errors_slo("99.9%", ", window: 30d, alert: page-and-ticket"))
    first_s = np.full((2, 4), np.inf)
    for bucket, (total, bad) in enumerate(traffic.said):
        now_ns = START_NS + bucket * BUCKET_NS + BUCKET_NS - 1
        if total:
            engine.ingest_sli(row(engine.slos, now_ns, int(k), total, str(i)) for i, k in enumerate(bad))
        for finding in engine.step(now_ns).findings if bucket * BUCKET_S >= HOUR_S else ():
            which = [0, 1] if finding.severity == "page" else [1]
            place = int(finding.labels["input_type"])
            first_s[which, place] = np.minimum(first_s[which, place], (bucket + 1) * BUCKET_S - HOUR_S)
    assert np.isfinite(first_s).all()
    np.testing.assert_array_equal(found.first_s[[0, 2]], first_s)


def test_an_outage_pages_after_the_workbook_s_52_seconds():
    """51.84 s for the 1 h pair, so the bucket that ends after 60; the gate holds nothing back."""
    replicas = Replicas(Traffic(360_000, 20, "independent", np.random.default_rng(5))).copy(6, swing=0.0)
    replicas.run(6 * HOUR_S, 0.0, every_s=1800)
    gated, plain, told = replicas.run(120, 1.0, every_s=BUCKET_S, stop_when_paged=True).first_s
    assert set(plain) == set(gated) == {60}
    assert set(told) == {10}


@pytest.mark.parametrize("clustering", ["independent", "blocks", "bursts"])
def test_errors_come_as_often_and_as_clustered_as_stated(clustering):
    rate = 0.005
    traffic = Traffic(36_000, 400, clustering, np.random.default_rng(7))
    counts = np.asarray([bad for _, bad in (traffic.next(rate) for _ in range(600))])
    totals = np.asarray([one.sum() for one in counts])
    assert counts.sum() / (600 * 400) / 100 == pytest.approx(rate, rel=0.25)
    assert totals.min() >= 0
    # Blocks begin anywhere within a bucket, so a bucket of a hundred requests shows two shares and less dispersion.
    seen = float(np.median(dispersion(counts[:300].T, np.full((400, 300), BLOCK))))
    low, high = {"independent": (0.7, 1.3), "blocks": (1.5, DISPERSION), "bursts": (1.5, DISPERSION)}[clustering]
    assert low < seen < high


def test_the_interval_of_a_rate_is_garwood_s():
    """No event in one month and 10 in two, from the tables of the Poisson distribution."""
    assert rate_of(0, 1.0) == (0.0, 0.0, pytest.approx(3.689, abs=1e-3))
    assert rate_of(10, 2.0) == (5.0, pytest.approx(4.795 / 2, abs=1e-3), pytest.approx(18.39 / 2, abs=1e-2))


def test_a_quick_run_prints_and_writes_every_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick", "--levels", "360000", "--json", str(tmp_path / "found.json")])
    [found] = json.loads((tmp_path / "found.json").read_text())
    assert found["per_hour"] == 360_000
    assert set(found["false_pages"]) == {"independent", "blocks"}
    assert found["minutes"]["1.0"]["gated"] >= found["minutes"]["1.0"]["plain"] > 0
    assert found["caught"]["1.0"] == [1.0, 1.0, 1.0]
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("false pages per 30 d", "median minutes", "spend 5% of the budget"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--levels", "7"], "argument --levels: invalid choice: 7 (choose from 10, 100, 1000, 360000)"),
        (["--levels", "many"], "argument --levels: invalid int value: 'many'"),
        (["--levels"], "argument --levels: expected at least one argument"),
        (["--json", "no/folder/found.json"], "--json no/folder/found.json is no file in a folder that exists"),
        (["--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_options_that_mean_nothing_are_told_in_a_sentence(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(said)
