"""Drawn requests against the distributions that they are drawn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detectors.slo.spec import SloSet
from tailwatch.simulation.events import EventSource
from tailwatch.simulation.scenario import Bursts, Component, Disturbance, Failures, Scenario, Slice, Traffic
from tailwatch.simulation.traffic import counts, profile
from telemetry.columns import Columns
from telemetry.windows import BUCKET_NS, NANOS

HOUR_NS = 3600 * NANOS
MONDAY_NS = 1_767_571_200 * NANOS
FIELDS = ("service", "error_type", "duration", "input_type")

PLAIN = Scenario(
    name="x", start_ns=MONDAY_NS, duration_ns=2 * HOUR_NS, step_ns=60 * NANOS, seed=3, service="chat",
    traffic=Traffic(20.0), failures=Failures(0.02), measures={"duration": (Component(1.0, 0.5, 0.6),)},
    slices=(Slice(1.0, {}),), disturbances=(), slos=SloSet(),
)  # fmt: skip
TWO = (Slice(0.7, {"input_type": "chat"}), Slice(0.3, {"input_type": "code"}, 2.0, {"duration": 3.0}))


def disturbance(**changes: object) -> Disturbance:
    none = Disturbance("d", HOUR_NS, HOUR_NS, 0, {}, 0.0, {}, 1.0, 1.0, incident=True, slo=None)
    return replace(none, **changes)


def drawn(scenario: Scenario) -> list[Columns]:
    return [columns for _, columns in EventSource(scenario, FIELDS).pieces()]


def durations(pieces: list[Columns]) -> np.ndarray:
    return np.concatenate([piece.number("duration") for piece in pieces])


def failed(pieces: list[Columns]) -> np.ndarray:
    return np.concatenate([piece.string("error_type").codes >= 0 for piece in pieces])


def times(pieces: list[Columns]) -> np.ndarray:
    return np.concatenate([piece.time_ns for piece in pieces])


def test_every_request_is_there_once_within_its_piece():
    source = EventSource(PLAIN, FIELDS)
    begins_ns, events = PLAIN.start_ns, 0
    for end_ns, columns in source.pieces():
        assert end_ns % PLAIN.step_ns == 0
        assert begins_ns <= columns.time_ns.min() <= columns.time_ns.max() < end_ns
        assert columns.is_inference.all()
        begins_ns, events = end_ns, events + len(columns)
    assert begins_ns == PLAIN.start_ns + PLAIN.duration_ns
    assert events == source.events
    assert events == pytest.approx(20 * 7200, abs=5 * np.sqrt(20 * 7200))


def test_only_what_is_read_is_drawn_and_reading_more_changes_nothing():
    few = [columns for _, columns in EventSource(PLAIN, ("error_type",)).pieces()]
    assert set(few[0].strings) == {"error_type"}
    assert not few[0].numbers
    assert np.array_equal(failed(few), failed(drawn(PLAIN)))


def test_equal_seeds_draw_equal_requests_and_others_do_not():
    one, same, other = drawn(PLAIN), drawn(PLAIN), drawn(replace(PLAIN, seed=4))
    assert np.array_equal(durations(one), durations(same))
    assert np.array_equal(times(one), times(same))
    assert not np.array_equal(durations(one)[:1000], durations(other)[:1000])


def test_measures_are_lognormal_mixtures():
    logs = np.log(durations(drawn(PLAIN)))
    assert logs.mean() == pytest.approx(np.log(0.5), abs=5 * 0.6 / np.sqrt(len(logs)))
    assert logs.std() == pytest.approx(0.6, rel=0.02)
    parts = (Component(0.8, 0.1, 0.1), Component(0.15, 1.0, 0.1), Component(0.05, 10.0, 0.1))
    found = durations(drawn(replace(PLAIN, measures={"duration": parts})))
    shares = np.histogram(found, [0.0, 0.4, 4.0, np.inf])[0] / len(found)
    assert shares == pytest.approx([0.8, 0.15, 0.05], abs=5 * 0.4 / np.sqrt(len(found)))


@pytest.mark.parametrize(("dispersion", "low", "high"), [(1.0, 0.9, 1.1), (3.0, 2.6, 3.4)])
def test_failures_are_as_clustered_as_was_asked_for(dispersion: float, low: float, high: float):
    scenario = replace(PLAIN, failures=Failures(0.02, dispersion, 100))
    bad = failed(drawn(scenario))
    blocks = bad[: len(bad) // 100 * 100].reshape(-1, 100).sum(axis=1)
    assert bad.mean() == pytest.approx(0.02, rel=0.1)
    assert low < blocks.var() / (100 * 0.02 * 0.98) < high


def test_blocks_reach_across_pieces():
    """At little traffic a block lasts for days, and each day is a piece."""
    quiet = replace(
        PLAIN, traffic=Traffic(0.01), duration_ns=400 * 24 * HOUR_NS, step_ns=HOUR_NS,
        failures=Failures(0.1, 40.0, 2000),
    )  # fmt: skip
    bad = failed(drawn(quiet))
    by_block = bad[: len(bad) // 2000 * 2000].reshape(-1, 2000).sum(axis=1)
    assert by_block.var() / (2000 * 0.1 * 0.9) > 15


def test_slices_have_their_shares_labels_failures_and_factors():
    pieces = drawn(replace(PLAIN, slices=TWO))
    code = np.concatenate([np.asarray(piece.string("input_type").tolist()) == "code" for piece in pieces])
    assert code.mean() == pytest.approx(0.3, abs=0.01)
    bad, seconds = failed(pieces), durations(pieces)
    assert bad[code].mean() == pytest.approx(0.04, rel=0.1)
    assert bad[~code].mean() == pytest.approx(0.02, rel=0.1)
    assert np.median(seconds[code]) / np.median(seconds[~code]) == pytest.approx(3.0, rel=0.05)


def test_an_incident_strikes_its_slice_in_its_time():
    broken = disturbance(where={"input_type": "code"}, errors=0.5, measures={"duration": 4.0}, duration_ns=HOUR_NS // 2)
    pieces = drawn(replace(PLAIN, slices=TWO, disturbances=(broken,)))
    code = np.concatenate([np.asarray(piece.string("input_type").tolist()) == "code" for piece in pieces])
    at_ns = times(pieces) - MONDAY_NS
    struck = code & (at_ns >= HOUR_NS) & (at_ns < HOUR_NS * 3 // 2)
    assert failed(pieces)[struck].mean() == pytest.approx(1 - 0.96 * 0.5, abs=0.03)
    assert failed(pieces)[code & ~struck].mean() == pytest.approx(0.04, rel=0.15)
    assert failed(pieces)[~code].mean() == pytest.approx(0.02, rel=0.1)
    assert np.median(durations(pieces)[struck]) == pytest.approx(0.5 * 3 * 4, rel=0.05)


def test_an_incident_may_grow_and_slow_a_portion_only():
    growing = disturbance(errors=0.4, ramp_ns=HOUR_NS, measures={"duration": 100.0}, portion=0.25)
    pieces = drawn(replace(PLAIN, failures=Failures(0.0), disturbances=(growing,)))
    share = (times(pieces) - MONDAY_NS - HOUR_NS) / HOUR_NS
    late, early = (share > 0.9), (share > 0.1) & (share < 0.2)
    assert not failed(pieces)[share < 0].any()
    assert failed(pieces)[late].mean() == pytest.approx(0.38, abs=0.03)
    assert failed(pieces)[early].mean() == pytest.approx(0.06, abs=0.02)
    assert (durations(pieces)[late] > 5).mean() == pytest.approx(0.25, abs=0.03)


def test_traffic_stops_and_spikes():
    still = disturbance(traffic=0.0, duration_ns=HOUR_NS // 2)
    spike = disturbance(traffic=5.0, start_ns=0, duration_ns=HOUR_NS // 2)
    numbers = counts(replace(PLAIN, disturbances=(spike, still)), np.random.default_rng(1))[0]
    quarter = len(numbers) // 4
    means = [numbers[start : start + quarter].mean() for start in range(0, len(numbers), quarter)]
    assert means == pytest.approx([1000.0, 200.0, 0.0, 200.0], rel=0.05)


def test_traffic_follows_day_and_week_around_its_mean():
    week = replace(PLAIN, duration_ns=7 * 24 * HOUR_NS, traffic=Traffic(20.0, daily=0.5, peak_hour=14.0, weekend=0.4))
    rate = profile(week)
    assert rate.mean() == pytest.approx(20.0)
    by_hour = rate.reshape(7, 24, 360).mean(axis=2)
    assert (
        np.abs(by_hour[0] / by_hour[0].mean() - (1 + 0.5 * np.cos((np.arange(24) + 0.5 - 14) / 24 * 2 * np.pi))).max()
        < 0.01
    )
    assert by_hour[5].sum() / by_hour[4].sum() == pytest.approx(0.4)


def test_bursts_and_jitter_make_counts_vary_more_than_a_poisson_process():
    plain = replace(PLAIN, duration_ns=48 * HOUR_NS)
    jittery = replace(plain, traffic=Traffic(20.0, jitter=0.3))
    bursty = replace(plain, traffic=Traffic(20.0, bursts=Bursts(12.0, 4.0, 300 * NANOS)))
    generator = np.random.default_rng(5)
    minutes = {
        name: counts(one, generator)[0].reshape(-1, 6).sum(axis=1)
        for name, one in {"plain": plain, "jittery": jittery, "bursty": bursty}.items()
    }
    assert minutes["plain"].var() / minutes["plain"].mean() == pytest.approx(1.0, abs=0.15)
    assert minutes["jittery"].var() == pytest.approx(1200 + (0.3 * 1200) ** 2, rel=0.15)
    assert (minutes["bursty"] > 3 * 1200).mean() == pytest.approx(12 * 5 / 1440, rel=0.6)
    assert BUCKET_NS * 6 == 60 * NANOS
