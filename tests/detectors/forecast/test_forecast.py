"""Forecasts against worlds whose future is known, and against what must hold whatever the draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.forecast import HOUR_NS, T0_NS, WORLDS, History, grow, play, score
from detectors.forecast.budget import BudgetForecast, Counts, TooLittle, forecast_budget
from detectors.forecast.change import last_change
from detectors.forecast.history import hourly
from detectors.forecast.spend import SpendForecast, forecast_spend

DAY = 24
WEEK_NS = 7 * DAY * HOUR_NS


def constant(days: int, per_hour: float, rate: float, last_hours: int = 0, last_rate: float = 0.0) -> Counts:
    """The same every hour, but for the last ones."""
    total = np.full(days * DAY, per_hour)
    bad = total * rate
    if last_hours:
        bad[-last_hours:] = per_hour * last_rate
    return Counts(T0_NS + np.arange(days * DAY, dtype=np.int64) * HOUR_NS, total, bad)


def rolling(
    counts: Counts, days: int, seed: str = "a", window_ns: int = WEEK_NS, now_ns: int | None = None
) -> BudgetForecast | TooLittle:
    now_ns = T0_NS + days * DAY * HOUR_NS if now_ns is None else now_ns
    return forecast_budget(counts, error_budget=0.01, now_ns=now_ns, window_ns=window_ns, period=None, seed=seed)


def made(counts: Counts, days: int, **more: object) -> BudgetForecast:
    found = rolling(counts, days, **more)  # type: ignore[arg-type]
    assert isinstance(found, BudgetForecast)
    return found


def test_what_never_varied_goes_on() -> None:
    """Half of the budget is spent, hour by hour: it stays so."""
    found = made(constant(21, 1000, 0.005), 21)
    assert found.remaining_now == pytest.approx(0.5)
    assert found.at_end.median == pytest.approx(0.5, abs=0.02)
    assert found.p_exhausted < 0.15
    assert found.change is None


def test_a_bad_day_that_leaves_the_window_gives_budget_back() -> None:
    counts = constant(21, 1000, 0.001)
    counts.bad[-7 * DAY : -6 * DAY] = 60
    found = made(counts, 21)
    assert found.remaining_now == pytest.approx(1 - (24 * 60 + 144) / 1680)
    after = found.median[np.searchsorted(found.ends_ns, found.now_ns + 26 * HOUR_NS)]
    assert found.remaining_now + 0.5 < after < 0.9, "no bad day came again on most paths, but it may"


def test_an_incident_that_goes_on_is_told_from_the_long_run() -> None:
    """Six hours at 20 times the budget's rate: the level is new, and the budget is likely to go, soon."""
    found = made(constant(21, 1000, 0.002, last_hours=6, last_rate=0.2), 21)
    assert found.change is not None
    assert found.change.since_ns == T0_NS + (21 * DAY - 6) * HOUR_NS
    assert found.change.times == pytest.approx(100, rel=0.2)
    assert found.p_exhausted > 0.5
    calm = made(constant(21, 1000, 0.002), 21)
    assert calm.p_exhausted < 0.15


def test_the_change_is_found_where_it_was_made() -> None:
    rng = np.random.default_rng(3)
    total = np.full(20 * DAY, 500.0)
    bad = rng.poisson(np.where(np.arange(20 * DAY) < 17 * DAY, 5.0, 15.0)).astype(float)
    starts = T0_NS + np.arange(20 * DAY, dtype=np.int64) * HOUR_NS
    change = last_change(hourly(starts, total, bad, T0_NS + 20 * DAY * HOUR_NS), 1)
    assert change.probability > 0.999
    assert abs(change.lengths[change.likeliest] - 3 * DAY) <= 2
    noise = rng.poisson(5.0, 20 * DAY).astype(float)
    assert last_change(hourly(starts, total, noise, T0_NS + 20 * DAY * HOUR_NS), 1).probability < 0.8


@pytest.mark.parametrize(
    ("counts", "days", "reason"),
    [
        (
            Counts(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0)),
            1,
            "needs 2 days of counts, and has none so far",
        ),
        (constant(1, 1000, 0.001), 1, "needs 2 days of counts, and has 23 hours so far"),
        (constant(10, 0.1, 0.0), 10, "needs 100 events, and the history has 2"),
    ],
)
def test_with_too_little_data_it_says_so(counts: Counts, days: int, reason: str) -> None:
    found = rolling(counts, days)
    assert isinstance(found, TooLittle)
    assert reason in found.reason
    assert found.to_json()["enough_data"] is False


@pytest.mark.parametrize(
    ("minutes", "there"),
    [
        (0.2, "less than an hour"),
        (59, "less than an hour"),
        (119, "less than an hour"),
        (120, "1 hour"),
        (25 * 60, "1 day"),
        (26 * 60, "1 day and 1 hour"),
        (48 * 60 + 59, "1 day and 23 hours"),
    ],
)
def test_how_much_there_is_counts_whole_hours(minutes: float, there: str) -> None:
    """The first hour of a history was seen in part, so two days of it are complete an hour later."""
    starts, now_ns = np.asarray([T0_NS]), T0_NS + round(minutes * 60e9)
    found = rolling(Counts(starts, np.ones(1), np.zeros(1)), 0, now_ns=now_ns)
    spend = forecast_spend(starts, np.ones(1), now_ns=now_ns, start_ns=T0_NS, end_ns=now_ns + WEEK_NS, seed="a")
    for refused, what in ((found, "counts"), (spend, "costs")):
        assert isinstance(refused, TooLittle)
        assert refused.reason == f"a forecast needs 2 days of {what}, and has {there} so far"
    assert not isinstance(rolling(constant(3, 100, 0.001), 0, now_ns=T0_NS + 49 * HOUR_NS), TooLittle)


def test_a_young_history_reaches_no_further_than_it_is_long() -> None:
    found = made(constant(4, 1000, 0.001), 4)
    assert found.horizon_ns == found.now_ns + 3 * DAY * HOUR_NS
    assert found.window_end_ns == found.now_ns + WEEK_NS
    assert not found.weekly


def test_the_same_question_has_the_same_answer() -> None:
    history = grow(WORLDS[0], np.random.default_rng(5)).known()
    first, again, other = (made(history, 35, seed=seed) for seed in ("a", "a", "b"))
    assert first.to_json() == again.to_json()
    assert first.at_end != other.at_end
    assert first.at_end.median == pytest.approx(other.at_end.median, abs=0.05)


def test_all_that_it_says_hangs_together() -> None:
    found = made(grow(WORLDS[2], np.random.default_rng(8)).known(), 35)
    assert np.all(found.low <= found.median)
    assert np.all(found.median <= found.high)
    assert np.all(np.diff(found.ends_ns) > 0)
    assert found.ends_ns[-1] == found.horizon_ns
    assert found.p_exhausted_at_end <= found.p_exhausted
    document = found.to_json()
    assert document["fan"][-1]["median"] == pytest.approx(document["remaining_at_end"]["median"], abs=0.01)


def test_a_calendar_budget_once_spent_stays_spent() -> None:
    counts = constant(30, 1000, 0.001)
    counts.bad[-3 * DAY :] = 200
    found = forecast_budget(
        counts, error_budget=0.01, now_ns=T0_NS + 30 * DAY * HOUR_NS, window_ns=None,
        period=(T0_NS + 20 * DAY * HOUR_NS, T0_NS + 50 * DAY * HOUR_NS), seed="a",
    )  # fmt: skip
    assert isinstance(found, BudgetForecast)
    assert found.p_exhausted == found.p_exhausted_at_end == 1
    assert found.exhaustion_ns.high < found.now_ns + DAY * HOUR_NS


@pytest.mark.parametrize("name", ["steady, 30 days rolling", "quiet: 20 an hour", "calendar month"])
def test_the_intervals_cover_what_they_promise(name: str) -> None:
    """Worlds without surprises that no history can tell: 80 % promised, no less than 70 % held.

    The bound is the binomial's: a coverage of 70 % falls below it once in a thousand seeds.
    """
    world = replace(next(one for one in WORLDS if one.name == name), incidents_per_month=0.0)
    count = 120
    found = score(play(world, count, seed=11, paths=300))
    assert found.coverage * count >= binom.ppf(0.001, count, 0.7)
    came = sum(share * times for _, share, times in found.reliability) / count
    assert found.brier < came * (1 - came), "it tells more than how often budgets are exhausted on the whole"


def test_month_end_spend_holds_the_weekend() -> None:
    """Weekdays cost 10 an hour, weekends 2: from a Friday, what is to come is mostly weekend, and then weekdays."""
    hours = np.arange(28 * DAY)
    spent = np.where((hours // DAY + 3) % 7 >= 5, 2.0, 10.0)
    starts = T0_NS + hours.astype(np.int64) * HOUR_NS
    now_ns = T0_NS + 23 * DAY * HOUR_NS  # Saturday
    known = starts < now_ns
    found = forecast_spend(
        starts[known],
        spent[known],
        now_ns=now_ns,
        start_ns=T0_NS,
        end_ns=T0_NS + 25 * DAY * HOUR_NS,
        seed="a",
        limit=1e9,
    )
    assert isinstance(found, SpendForecast)
    assert found.so_far == spent[known].sum()
    assert found.p_over == 0
    weekend = found.total.median - found.so_far
    assert weekend < 0.75 * 7.7 * 2 * DAY, "well below two average days"


def test_spend_that_doubled_is_expected_to_stay_higher() -> None:
    hours = np.arange(30 * DAY)
    rng = np.random.default_rng(2)
    spent = np.where(hours >= 25 * DAY, 20.0, 10.0) * rng.lognormal(0, 0.1, len(hours))
    starts = T0_NS + hours.astype(np.int64) * HOUR_NS
    now_ns = T0_NS + 30 * DAY * HOUR_NS
    found = forecast_spend(starts, spent, now_ns=now_ns, start_ns=now_ns, end_ns=now_ns + 3 * DAY * HOUR_NS, seed="a")
    assert isinstance(found, SpendForecast)
    assert found.total.low < 3 * DAY * 20 < found.total.high * 1.2
    assert found.expected > 3 * DAY * 15


def test_nothing_spent_is_no_forecast() -> None:
    starts = T0_NS + np.arange(100, dtype=np.int64) * HOUR_NS
    now_ns = T0_NS + 100 * HOUR_NS
    found = forecast_spend(starts, np.zeros(100), now_ns=now_ns, start_ns=T0_NS, end_ns=now_ns + 1, seed="a")
    assert isinstance(found, TooLittle)
    assert "nothing was spent" in found.reason


def test_the_worlds_are_what_they_say() -> None:
    """The benchmark's own simulation: bad events never exceed events, and burn as fast as the world says."""
    rng = np.random.default_rng(4)
    grown: list[History] = [grow(replace(WORLDS[0], incidents_per_month=0.0), rng) for _ in range(60)]
    assert all(np.all(one.bad <= one.total) for one in grown)
    burn = np.asarray([one.bad.sum() / (0.005 * one.total.sum()) for one in grown])
    assert np.median(burn) == pytest.approx(WORLDS[0].burn, rel=0.3)
