"""How often forecasts hold what they promise: coverage of the 80 % interval, and reliability of P(exhausted).

    python benchmarks/forecast.py [--histories 400] [--seed 1] [--real FILE.csv]

Every history is simulated, forecast at one moment, and then goes on as it was going to: traffic with days and weeks,
bad events that are overdispersed, in incidents and at levels that shift. Beside each figure stands that of the naive
forecast: the window's bad events go on at the rate of the window so far, give or take what a binomial allows.
``--real`` takes a CSV of timestamp, value per line, the spend of each interval: month-end spend is forecast from every
day of it.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detectors.forecast.budget import BudgetForecast, Counts, forecast_budget
from detectors.forecast.paths import PATHS
from detectors.forecast.spend import SpendForecast, forecast_spend

HOUR_NS = 3600 * 10**9
DAY = 24
T0_NS = 1_767_225_600 * 10**9  # Thursday, 1 January 2026
WINDOW_HOURS = 30 * DAY
OBJECTIVE = 0.995


@dataclass(frozen=True)
class World:
    """How a service behaves: the rate of bad events by the budget, and what moves it."""

    name: str
    per_hour: float = 2000.0
    burn: float = 0.6
    weekend: float = 0.4
    night: float = 0.3
    hourly_noise: float = 0.3
    daily_noise: float = 0.3
    dispersion: float = 3.0
    incidents_per_month: float = 1.0
    shifts_per_month: float = 0.0
    history_days: int = 35
    calendar: bool = False


WORLDS = (
    World("steady, 30 days rolling"),
    World("quiet: 20 an hour", per_hour=20.0),
    World("many incidents", incidents_per_month=6.0, burn=0.3),
    World("level shifts", shifts_per_month=1.5, burn=0.5, incidents_per_month=0.0),
    World("a week of history", history_days=8),
    World("calendar month", calendar=True),
    World("calendar, shifts and incidents", calendar=True, shifts_per_month=1.0, incidents_per_month=3.0, burn=0.4),
)


@dataclass(frozen=True)
class History:
    """(hours,) events and bad events, of which those before ``now`` are known."""

    total: NDArray[np.float64]
    bad: NDArray[np.float64]
    now: int

    def known(self) -> Counts:
        """What a forecast may see."""
        starts = T0_NS + np.arange(self.now, dtype=np.int64) * HOUR_NS
        return Counts(starts, self.total[: self.now], self.bad[: self.now])


def grow(world: World, rng: np.random.Generator) -> History:
    """One course: the past that is known, and the window to come."""
    hours = world.history_days * DAY + WINDOW_HOURS
    clock = np.arange(hours)
    weekday = (clock // DAY + 3) % 7
    shape = 1 - (1 - world.night) * (0.5 + 0.5 * np.cos(2 * np.pi * (clock % DAY - 3) / DAY)) ** 2
    shape = shape * np.where(weekday >= 5, world.weekend, 1.0)
    noise = np.exp(0.1 * rng.standard_normal(hours) + np.repeat(0.1 * rng.standard_normal(hours // DAY), DAY))
    total = rng.poisson(world.per_hour * shape / shape.mean() * noise).astype(float)
    level = world.burn * np.exp(0.5 * rng.standard_normal()) * np.ones(hours)
    for at in np.flatnonzero(rng.random(hours) < world.shifts_per_month / WINDOW_HOURS):
        level[at:] = world.burn * np.exp(rng.standard_normal())
    for at in np.flatnonzero(rng.random(hours) < world.incidents_per_month / WINDOW_HOURS):
        lasts = max(1, round(3 * np.exp(0.8 * rng.standard_normal())))
        level[at : at + lasts] += 20 * np.exp(0.7 * rng.standard_normal())
    level = level * np.exp(world.hourly_noise * rng.standard_normal(hours))
    level = level * np.repeat(np.exp(world.daily_noise * rng.standard_normal(hours // DAY)), DAY)
    mean = np.minimum(total * (1 - OBJECTIVE) * level, 0.8 * total)
    clusters = rng.poisson(rng.standard_gamma(mean / (world.dispersion - 1) + 1e-12) * (world.dispersion - 1))
    return History(total, np.minimum(clusters, total), world.history_days * DAY)


@dataclass(frozen=True)
class Outcome:
    """One forecast and what came: shares of the budget left, and whether it was exhausted on the way."""

    forecast: BudgetForecast
    left: float
    exhausted_at_ns: float
    naive_left: tuple[float, float, float]
    naive_exhausted: bool


def outcome(world: World, history: History, seed: str, paths: int = PATHS) -> Outcome:
    """Forecast, and look at the truth."""
    now = history.now
    now_ns = T0_NS + now * HOUR_NS
    begin = now - 10 * DAY if world.calendar else now - WINDOW_HOURS
    end = begin + WINDOW_HOURS if world.calendar else now + WINDOW_HOURS
    made = forecast_budget(
        history.known(), error_budget=1 - OBJECTIVE, now_ns=now_ns,
        window_ns=None if world.calendar else WINDOW_HOURS * HOUR_NS,
        period=(T0_NS + begin * HOUR_NS, T0_NS + end * HOUR_NS) if world.calendar else None, seed=seed, paths=paths,
    )  # fmt: skip
    assert isinstance(made, BudgetForecast)
    end = min(end, round((made.horizon_ns - T0_NS) / HOUR_NS))
    sums_t, sums_b = (np.concatenate([[0.0], np.cumsum(part)]) for part in (history.total, history.bad))
    at = np.arange(now, end + 1)
    low = np.full(len(at), max(begin, 0)) if world.calendar else np.maximum(at - WINDOW_HOURS, 0)
    bad, total = sums_b[at] - sums_b[low], sums_t[at] - sums_t[low]
    left = 1 - bad / ((1 - OBJECTIVE) * total)
    allowed = (1 - OBJECTIVE) * (total[-1] if world.calendar else total)
    gone = np.flatnonzero(bad >= allowed)
    when = T0_NS + (at[gone[0]] - 0.5) * HOUR_NS if len(gone) else np.inf
    naive, spread = _naive(sums_t, sums_b, max(begin, 0), now)
    if world.calendar:
        # What is spent is known; the rest goes on at the rate so far.
        known = (now - begin) / (end - begin)
        spread *= np.sqrt(1 - known)
    return Outcome(made, float(left[-1]), float(when), (naive - spread, naive, naive + spread), naive <= 0)


def _naive(total: NDArray[np.float64], bad: NDArray[np.float64], begin: int, now: int) -> tuple[float, float]:
    events, failed = total[now] - total[begin], bad[now] - bad[begin]
    spread = 1.2816 * np.sqrt(max(failed, 1)) / ((1 - OBJECTIVE) * events)
    return 1 - failed / ((1 - OBJECTIVE) * events), float(spread * np.sqrt(2))


@dataclass(frozen=True)
class Score:
    """Shares over many forecasts."""

    coverage: float
    naive_coverage: float
    when: float
    brier: float
    naive_brier: float
    width: float
    reliability: tuple[tuple[float, float, int], ...]


def score(outcomes: list[Outcome]) -> Score:
    """How the forecasts compare with the truth."""
    made = [one.forecast for one in outcomes]
    chance = np.asarray([one.p_exhausted for one in made])
    came = np.asarray([np.isfinite(one.exhausted_at_ns) for one in outcomes])
    bins = []
    for low, high in ((0, 0.05), (0.05, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 0.95), (0.95, 1.01)):
        here = (chance >= low) & (chance < high)
        if here.any():
            bins.append((float(chance[here].mean()), float(came[here].mean()), int(here.sum())))
    return Score(
        coverage=_share(one.forecast.at_end.low <= one.left <= one.forecast.at_end.high for one in outcomes),
        naive_coverage=_share(one.naive_left[0] <= one.left <= one.naive_left[2] for one in outcomes),
        when=_share(
            one.forecast.exhaustion_ns.low - HOUR_NS <= one.exhausted_at_ns <= one.forecast.exhaustion_ns.high + HOUR_NS
            for one in outcomes
        ),
        brier=float(np.mean((chance - came) ** 2)),
        naive_brier=float(np.mean(np.asarray([one.naive_exhausted for one in outcomes]) != came)),
        width=float(np.median([one.at_end.high - one.at_end.low for one in made])),
        reliability=tuple(bins),
    )


def _share(held: Iterator[bool]) -> float:
    return float(np.mean(list(held)))


def play(world: World, histories: int, seed: int, paths: int = PATHS) -> list[Outcome]:
    """Forecasts of many histories of one world."""
    rng = np.random.default_rng([seed, sum(world.name.encode())])
    return [outcome(world, grow(world, rng), f"{world.name} {i}", paths) for i in range(histories)]


def real_spend(path: Path) -> tuple[int, int, int]:
    """Month-end forecasts of a real series, from every day of it: how many, how many covered, and by the naive one."""
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row and row[0][:1].isdigit()]
    times = np.asarray([int(datetime.fromisoformat(f"{row[0]}+00:00").timestamp()) for row in rows], dtype=np.int64)
    spent, starts = np.asarray([float(row[1]) for row in rows]), times * 10**9
    days = (starts[-1] - starts[0]) // (DAY * HOUR_NS)
    made = held = naive_held = 0
    for day in range(7, int(days) - 6):
        now_ns = int(starts[0]) + day * DAY * HOUR_NS
        end_ns = now_ns + 7 * DAY * HOUR_NS
        known = starts < now_ns
        got = forecast_spend(starts[known], spent[known], now_ns=now_ns, start_ns=now_ns, end_ns=end_ns, seed=str(day))
        if not isinstance(got, SpendForecast):
            continue
        truth = spent[(starts >= now_ns) & (starts < end_ns)].sum()
        daily = spent[known][-7 * DAY * 12 :]
        centre, spread = daily.mean() * 7 * DAY * 12, 1.2816 * daily.std() * np.sqrt(7 * DAY * 12)
        made, held = made + 1, held + (got.total.low <= truth <= got.total.high)
        naive_held += abs(truth - centre) <= spread
    return made, int(held), int(naive_held)


def _cpu_ms(run: Callable[[], object], times: int = 20) -> float:
    taken = []
    for _ in range(times):
        began = time.process_time()
        run()
        taken.append(time.process_time() - began)
    return 1000 * float(np.median(taken))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real", type=Path, help="CSV of timestamp,value: the spend of each interval")
    options = parser.parse_args()
    if options.real is not None:
        made, held, naive = real_spend(options.real)
        if not made:
            parser.error(f"{options.real.name}: forecasts of a week need more than two weeks of values")
        print(
            f"{options.real.name}: spend of the next 7 days, {made} forecasts: {held / made:.0%} within 80 % intervals"
        )
        print(f"naive (mean of the last week, independent intervals): {naive / made:.0%}")
        return
    print(f"{options.histories} histories a row; the intervals promise 80 %")
    print(f"{'':34}{'left at the end':>18}{'when':>7}{'Brier P(exhausted)':>21}{'width':>8}")
    print(f"{'':34}{'ours':>9}{'naive':>9}{'':>7}{'ours':>12}{'naive':>9}{'median':>8}")
    everything: list[Outcome] = []
    for world in WORLDS:
        outcomes = play(world, options.histories, options.seed)
        everything += outcomes
        row = score(outcomes)
        print(
            f"{world.name:34}{row.coverage:9.1%}{row.naive_coverage:9.1%}{row.when:7.1%}"
            f"{row.brier:12.3f}{row.naive_brier:9.3f}{row.width:8.2f}"
        )
    print("\nP(exhausted) in all of them: forecast, and how often it came")
    for said, came, count in score(everything).reliability:
        print(f"  {said:6.1%}  {came:6.1%}  of {count}")
    history = grow(replace(WORLDS[0], history_days=56), np.random.default_rng(1))
    print(f"\none forecast: {_cpu_ms(lambda: outcome(WORLDS[0], history, 'x')):.1f} ms of CPU (median of 20)")


if __name__ == "__main__":
    main()
