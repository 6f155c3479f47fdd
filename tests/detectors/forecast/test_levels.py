"""Levels of the past: found where they shifted, not found where nothing did, and gone on with."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.forecast import DAY, HOUR_NS, T0_NS
from detectors.forecast.history import Floats, Hourly, hourly
from detectors.forecast.levels import levels_of


def history(daily_rates: Floats, seed: int = 1, incident_day: int | None = None) -> Hourly:
    """A thousand events an hour, bad ones at the rate of the day, overdispersed."""
    rng = np.random.default_rng(seed)
    total = np.full(len(daily_rates) * DAY, 1000.0)
    bad = (3.0 * rng.poisson(np.repeat(daily_rates, DAY) * 1000 / 3)).astype(np.float64)
    if incident_day is not None:
        bad[incident_day * DAY : incident_day * DAY + 6] += 400
    starts = T0_NS + np.arange(len(total), dtype=np.int64) * HOUR_NS
    return hourly(starts - HOUR_NS, total, bad, T0_NS + (len(total) - 1) * HOUR_NS)


def test_levels_are_found_where_they_were() -> None:
    rates = np.repeat([0.002, 0.006, 0.003], [12, 9, 14])
    found = levels_of(history(rates), 1.0)
    assert found.change
    assert np.exp(found.stretches) == pytest.approx([0.003, 0.006, 0.002], rel=0.3)
    assert found.lasted == pytest.approx(14 * DAY, abs=DAY)
    assert len(found.of_day) == 34
    assert found.of_day[0] == found.stretches[0]


@pytest.mark.parametrize("incident_day", [None, 10, 33])
def test_noise_and_a_bad_day_are_no_levels(incident_day: int | None) -> None:
    found = [levels_of(history(np.full(35, 0.003), seed, incident_day), 1.0).change for seed in range(20)]
    assert sum(found) <= 1


def test_the_present_level_lasts_as_luck_says_and_others_follow() -> None:
    found = levels_of(history(np.repeat([0.002, 0.008], [20, 15])), 1.0)
    hours = np.arange(0.0, 40 * DAY, 6.0)
    luck = np.asarray([0.5, 1e-9])
    course = found.course(hours, luck, np.random.default_rng(1))
    changed = hours[np.flatnonzero(course[0] != found.stretches[0])[0]]
    assert changed == pytest.approx(found.lasted, abs=6), "it lasts as long again with probability 1/2"
    assert np.all(course[1] == found.stretches[0])
    many = found.course(hours, np.full(4000, 0.999), np.random.default_rng(2))[:, 0:4]
    drawn = many[many != found.stretches[0]]
    assert np.median(drawn) == pytest.approx(found.stretches.mean(), abs=0.1)
    assert np.ptp(np.quantile(drawn, [0.1, 0.9])) > np.ptp(found.stretches), "unseen levels are possible"
