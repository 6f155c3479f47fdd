"""False pages, minutes to the page, and incidents caught: the gate against the plain burn-rate rule.

Usage:

    python -m benchmarks.detection [--quick] [--levels 10 1000] [--json FILE]

Every replica is a group of one SLO (99.9 %, 30 d, policy page-and-ticket), counted and evaluated by the engine's own
ledger, evidence and rules, in virtual time. The gated side is the policy as it ships; the plain side is its burn-rate
pairs alone, over the same events. Traffic is Poisson with a day and a night. Replicas run at the objective from their
first request, while the gate learns how errors cluster, and then for a while that is counted apart. Times to the page
are from the first bucket of trouble, in traffic at its mean, with independent errors throughout, over several courses
of requests. A page within an hour of the last one is the same page.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.stats import chi2

from benchmarks.detection.replicas import OBJECTIVE_BUDGET, Replicas
from benchmarks.detection.traffic import Clustering, Traffic

DAY_S: Final = 86_400
MONTH_D: Final = 30
ERROR_RATES: Final = (0.05, 0.1, 1.0)
INCIDENT_RATES: Final = (0.007, 0.01, 0.02, 0.05, 0.1, 1.0)
SPENT: Final = 0.05
AFTER_S: Final = 600
"""An incident counts as caught if the page comes by so long after its end."""
BUSY_PER_HOUR: Final = 1000
"""From here on the rules are evaluated every bucket while a delay is measured, else every minute."""
LONGEST_S: Final = 2 * DAY_S


@dataclass(frozen=True)
class Level:
    """One traffic level and how much of it is simulated: ``learns_d`` days, and then ``days``.

    Times to the page are measured over so many ``courses`` of requests, incidents at the error rates ``incidents``.
    """

    per_hour: int
    replicas: int
    learns_d: float
    days: float
    clusterings: tuple[Clustering, ...]
    courses: int = 8
    incidents: tuple[float, ...] = INCIDENT_RATES

    def months(self, days: float) -> float:
        """Replica-months in so many days."""
        return self.replicas * days / MONTH_D


LEVELS: Final = (
    Level(10, 300, 90, 30, ("independent", "blocks")),
    Level(100, 300, 10, 5, ("independent", "blocks")),
    Level(1_000, 400, 3, 1, ("independent", "blocks", "bursts")),
    Level(360_000, 400, 0.25, 1, ("independent", "blocks", "bursts")),
)
BAD: Final = (0.1, 1.0)
QUICK: Final = (
    Level(10, 20, 1, 1, ("independent", "blocks"), courses=1, incidents=BAD),
    Level(100, 20, 0.1, 0.1, ("independent", "blocks"), courses=1, incidents=BAD),
    Level(1_000, 10, 0.02, 0.02, ("independent", "bursts"), courses=1, incidents=BAD),
    Level(360_000, 10, 0.005, 0.005, ("independent", "blocks"), courses=1, incidents=BAD),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    chosen = _chosen(arguments)
    started = time.process_time()
    levels = [one for one in (QUICK if chosen.quick else LEVELS) if one.per_hour in chosen.levels]
    found = [measure(level) for level in levels]
    print("requests/h  errors       false pages per 30 d (95 %): plain -> gated, over replica-months (gated before)")
    for one in found:
        for clustering, counted in one["false_pages"].items():
            learning, (gated, plain, _told) = counted["learning"], counted["then"]
            print(
                f"{one['per_hour']:>10,}  {clustering:<12} {said(plain)} -> {said(gated)}, {one['months']:.0f}"
                f"   (first {one['learns_d']:g} d: {said(learning[0])}, {one['learning_months']:.0f})"
            )
    print("\nmedian minutes to the page, plain -> gated (least and most over courses of requests; to the first alert,")
    print("tickets too; replicas in which the gated page comes later than the plain one)")
    for one in found:
        for rate, delay in one["minutes"].items():
            print(
                f"{one['per_hour']:>10,}  {rate:>4.0%}  {minutes(delay['plain'])} -> {minutes(delay['gated'])}"
                f" ({minutes(delay['least'])} to {minutes(delay['most'])}; {minutes(delay['told'])};"
                f" {delay['later']:.1%})"
            )
    print(f"\nincidents that spend {SPENT:.0%} of the budget, share paged for, plain -> gated (alerted, tickets too)")
    for one in found:
        cells = (
            f"{rate:.1%} {plain:.0%} -> {gated:.0%} ({told:.0%})"
            for rate, (gated, plain, told) in one["caught"].items()
        )
        print(f"{one['per_hour']:>10,}  ({one['bad_spent']:.3g} bad)  {'   '.join(cells)}")
    print(f"\n{time.process_time() - started:.0f} s of CPU")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _chosen(arguments: Sequence[str] | None) -> argparse.Namespace:
    levels = [level.per_hour for level in LEVELS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the tests")
    parser.add_argument(
        "--levels", type=int, nargs="+", choices=levels, default=levels, help="requests an hour; all by default"
    )
    parser.add_argument("--json", type=Path, help="also write the figures here")
    chosen = parser.parse_args(arguments)
    if chosen.json and (chosen.json.is_dir() or not chosen.json.parent.is_dir()):
        parser.error(f"--json {chosen.json} is no file in a folder that exists")
    return chosen


def measure(level: Level) -> dict[str, Any]:
    """All figures of one traffic level; triples are (gated, plain, of any severity)."""
    false_pages: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for seed, clustering in enumerate(level.clusterings):
        traffic = Traffic(level.per_hour, level.replicas, clustering, np.random.default_rng([level.per_hour, seed]))
        replicas = Replicas(traffic)
        learning = replicas.run(level.learns_d * DAY_S, OBJECTIVE_BUDGET).pages.sum(axis=1)
        if seed == 0:
            steady = replicas.copy(level.per_hour)
        then = replicas.run(level.days * DAY_S, OBJECTIVE_BUDGET).pages.sum(axis=1)
        false_pages[clustering] = {
            "learning": [rate_of(int(count), level.months(level.learns_d)) for count in learning],
            "then": [rate_of(int(count), level.months(level.days)) for count in then],
        }
    return {
        **asdict(level), "months": level.months(level.days), "learning_months": level.months(level.learns_d),
        "false_pages": false_pages, "minutes": delays(steady, level.courses), "caught": caught(steady, level.incidents),
        "bad_spent": SPENT * OBJECTIVE_BUDGET * level.per_hour * 24 * MONTH_D,
    }  # fmt: skip


def delays(steady: Replicas, courses: int) -> dict[float, dict[str, float]]:
    """Median minutes to the first page by error rate, over ``courses`` of requests."""
    every_s = 10 if steady.traffic.per_hour >= BUSY_PER_HOUR else 60
    found = {}
    for rate in ERROR_RATES:
        runs = [
            steady.copy(seed, swing=0.0).run(LONGEST_S, rate, every_s=every_s, stop_when_paged=True).first_s / 60
            for seed in range(courses)
        ]
        gated, plain, told = np.concatenate(runs, axis=1)
        medians = [np.median(run[0]) for run in runs]
        found[rate] = {
            "gated": float(np.median(gated)), "plain": float(np.median(plain)), "told": float(np.median(told)),
            "least": float(min(medians)), "most": float(max(medians)), "later": float(np.mean(gated > plain)),
        }  # fmt: skip
    return found


def caught(steady: Replicas, rates: Sequence[float]) -> dict[float, tuple[float, ...]]:
    """Share of incidents that are told of, by error rate; each lasts until it has spent ``SPENT`` on average."""
    found = {}
    for rate in rates:
        replicas = steady.copy(11)
        lasts_s = SPENT * OBJECTIVE_BUDGET / rate * MONTH_D * DAY_S
        during = replicas.run(np.ceil(lasts_s / 10) * 10, rate, every_s=10 if lasts_s < 3600 else 60)
        after = replicas.run(AFTER_S, 0.0)
        found[rate] = tuple((np.isfinite(during.first_s) | np.isfinite(after.first_s)).mean(axis=1).tolist())
    return found


def rate_of(count: int, months: float) -> tuple[float, float, float]:
    """Events a month, with the exact Poisson interval at 95 % (Garwood, Biometrika 1936)."""
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return count / months, low / months, chi2.ppf(0.975, 2 * count + 2) / 2 / months


def said(rate: Iterable[float]) -> str:
    """A rate and its interval."""
    value, low, high = rate
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def minutes(value: float) -> str:
    """A delay as text."""
    return f"{value:.1f}" if np.isfinite(value) else f"over {LONGEST_S / 60:.0f}"


if __name__ == "__main__":
    main()
