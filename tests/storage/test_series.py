"""Percentiles, rates and heatmaps equal those of the values themselves."""

from __future__ import annotations

import numpy as np
import pytest

from storage.database import Database
from storage.ingest import commit
from storage.series import heatmap, measure_series, steps
from storage.services import services
from telemetry.deltas import group_key
from telemetry.matchers import parse_matchers
from telemetry.rules import SERIES_RULE_ID
from telemetry.sketches import ALPHA, DDSketch
from telemetry.windows import BUCKET_NS, NANOS
from tests.storage.build import NOW_NS, payload, sli, spread

STEP_NS = 60 * NANOS
START_NS = NOW_NS - NOW_NS % STEP_NS
END_NS = START_NS + 5 * STEP_NS


def _group(model: str, operation: str = "chat", service: str = "demo") -> str:
    return group_key({"service": service, "operation": operation, "model": model, "environment": "prod"})


def _fill(database: Database) -> dict[tuple[str, int], np.ndarray]:
    """Durations by model and step: model a in steps 0 and 1, model b in step 3, in two buckets each."""
    chance = np.random.default_rng(11)
    values: dict[tuple[str, int], np.ndarray] = {}
    for number, (model, step) in enumerate([("a", 0), ("a", 1), ("b", 3)]):
        values[model, step] = chance.lognormal(number, 0.5, size=300)
        for half, part in enumerate(np.split(values[model, step], 2)):
            key = {"rule": SERIES_RULE_ID, "group": _group(model)}
            bucket_ns = START_NS + step * STEP_NS + half * BUCKET_NS
            deltas = sli(bucket_ns, 140, 150, **key), spread(bucket_ns, DDSketch.of(part), **key)
            commit(database, [payload(f"{model}{step}{half}", *deltas)], NOW_NS)
    return values


def test_quantiles_by_label_and_step(database: Database):
    values = _fill(database)
    a, b = measure_series(database, "duration", START_NS, END_NS, STEP_NS, by=("model",))
    assert (dict(a.labels), dict(b.labels)) == ({"model": "a"}, {"model": "b"})
    assert a.time_ns.tolist() == [START_NS + step * STEP_NS for step in range(5)]
    assert (a.total.tolist(), a.good.tolist()) == ([300, 300, 0, 0, 0], [280, 280, 0, 0, 0])
    p90 = a.quantiles(0.9)
    for step in (0, 1):
        assert p90[step] == pytest.approx(np.quantile(values["a", step], 0.9, method="lower"), rel=ALPHA)
    assert np.isnan(p90[2:]).all()
    assert b.sketches[3].count == 300


def test_without_labels_all_groups_are_one_series(database: Database):
    values = _fill(database)
    (series,) = measure_series(database, "duration", START_NS, END_NS, 10 * STEP_NS)
    everything = np.concatenate(list(values.values()))
    merged = series.sketches[-1] if series.sketches[-1].count else series.sketches[0]
    assert merged.count == int(series.total.sum()) == len(everything)
    assert merged.quantile(0.5) == pytest.approx(np.quantile(everything, 0.5, method="lower"), rel=ALPHA)


def test_groups_are_selected_by_their_labels(database: Database):
    _fill(database)
    where = parse_matchers(['model!="a"', 'service="demo"'])
    chosen = measure_series(database, "duration", START_NS, END_NS, STEP_NS, by=("model",), where=where)
    assert [dict(series.labels) for series in chosen] == [{"model": "b"}]
    assert measure_series(database, "duration", END_NS, START_NS, STEP_NS) == ()


def test_a_measure_that_nobody_sent_has_rates_but_no_values(database: Database):
    _fill(database)
    (series,) = measure_series(database, "ttft", START_NS, END_NS, STEP_NS)
    assert series.total.sum() == 900
    assert np.isnan(series.quantiles(0.5)).all()


def test_a_heatmap_holds_every_value_in_its_band(database: Database):
    values = _fill(database)
    picture = heatmap(database, "duration", START_NS, END_NS, STEP_NS, rows=20)
    assert picture.counts.shape == (5, 20)
    assert picture.edges.shape == (21,)
    assert picture.counts.sum(axis=1).tolist() == [300, 300, 0, 300, 0]
    for (_, step), raw in values.items():
        middle = np.median(raw)
        band = int(np.searchsorted(picture.edges, middle)) - 1
        below = picture.counts[step, : band + 1].sum() / 300
        assert 0.4 < below < 0.75


def test_a_heatmap_without_values_is_empty(database: Database):
    picture = heatmap(database, "duration", START_NS, END_NS, STEP_NS)
    assert picture.counts.shape == (5, 0)
    assert len(picture.edges) == 0


def test_a_heatmap_counts_zero_in_the_lowest_band(database: Database):
    key = {"rule": SERIES_RULE_ID, "group": _group("a")}
    deltas = sli(START_NS, 3, 3, **key), spread(START_NS, DDSketch.of([0.0, 1.0, 2.0]), **key)
    commit(database, [payload("a", *deltas)], NOW_NS)
    picture = heatmap(database, "duration", START_NS, START_NS + STEP_NS, STEP_NS, rows=4)
    assert picture.counts.tolist() == [[2, 0, 0, 1]]


def test_steps_are_the_same_at_every_look():
    assert steps(START_NS + 7, END_NS, STEP_NS)[1:].tolist() == steps(START_NS + STEP_NS, END_NS, STEP_NS).tolist()


def test_services_are_listed_with_their_traffic(database: Database):
    _fill(database)
    key = {"rule": SERIES_RULE_ID, "group": _group("c", "embeddings", "search")}
    commit(database, [payload("x", sli(START_NS, 1, 2, **key), sli(START_NS, 1, 1, rule="errors"))], NOW_NS)
    demo, search = services(database, START_NS, END_NS)
    assert (demo.service, demo.models, demo.operations, demo.requests, demo.errors) == (
        "demo", ("a", "b"), ("chat",), 900, 60,
    )  # fmt: skip
    assert (search.service, search.models, search.environments, search.errors) == ("search", ("c",), ("prod",), 1)
    assert services(database, END_NS, END_NS + STEP_NS) == []
