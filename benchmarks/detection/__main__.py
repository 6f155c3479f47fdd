"""False pages, minutes to the page, and incidents caught: the gate against the plain burn-rate rule.

Usage:

    python -m benchmarks.detection [--quick] [--levels 10 1000] [--json FILE]

Every replica is a group of one SLO (99.9 %, 30 d, policy page-and-ticket), counted and evaluated by the engine's own
ledger, evidence and rules, in virtual time. The gated side is the policy as it ships; the
plain side is its burn-rate pairs alone. Traffic is Poisson with a day and a night. Replicas first run at the objective
for a while, which also teaches the gate how errors cluster. Times to the page are from the first bucket of trouble,
with independent errors throughout; a page within an hour of the last one is the same page.
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

from benchmarks.detection.replicas import FAST_PER_HOUR, OBJECTIVE_BUDGET, Replicas
from benchmarks.detection.traffic import Clustering, Traffic

DAY_S: Final = 86_400
MONTH_D: Final = 30
ARRIVALS: Final = 8
ERROR_RATES: Final = (0.05, 0.1, 1.0)
INCIDENT_RATES: Final = (0.007, 0.01, 0.02, 0.05, 0.1, 1.0)
SPENT: Final = 0.05
AFTER_S: Final = 600
"""An incident counts as caught if the page comes by so long after its end."""
WARM_EVERY_S: Final = 1800
LONGEST_S: Final = 2 * DAY_S


@dataclass(frozen=True)
class Level:
    """One traffic level and how much of it is simulated."""

    per_hour: int
    replicas: int
    warm_d: float
    days: float
    clusterings: tuple[Clustering, ...]

    @property
    def months(self) -> float:
        """Replica-months that pages are counted in."""
        return self.replicas * self.days / MONTH_D


LEVELS: Final = (
    Level(10, 300, 30, 30, ("independent", "blocks")),
    Level(100, 300, 7, 5, ("independent", "blocks")),
    Level(1_000, 400, 1, 1, ("independent", "blocks", "bursts")),
    Level(360_000, 400, 0.25, 1, ("independent", "blocks", "bursts")),
)
QUICK: Final = (Level(10, 20, 1, 1, ("independent", "blocks")), Level(1_000, 10, 0.02, 0.02, ("bursts",)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the tests")
    parser.add_argument("--levels", type=int, nargs="*", help="requests an hour; all by default")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    chosen = parser.parse_args(arguments)
    started = time.process_time()
    levels = [one for one in (QUICK if chosen.quick else LEVELS) if not chosen.levels or one.per_hour in chosen.levels]
    found = [measure(level) for level in levels]
    print(f"{'requests/h':>10}  errors       false pages per 30 d (95 %): plain -> gated, over replica-months")
    for one in found:
        for clustering, (gated, plain, _told) in one["false_pages"].items():
            print(f"{one['per_hour']:>10,}  {clustering:<12} {said(plain)} -> {said(gated)}, {one['months']:.0f}")
    print("\nmedian minutes to the page, plain -> gated (to the first alert, tickets too)")
    for one in found:
        cells = (
            f"{rate:.0%} {minutes(plain)} -> {minutes(gated)} ({minutes(told)})"
            for rate, (gated, plain, told) in one["minutes"].items()
        )
        print(f"{one['per_hour']:>10,}  {'   '.join(cells)}")
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


def measure(level: Level) -> dict[str, Any]:
    """All figures of one traffic level; triples are (gated, plain, of any severity)."""
    false_pages: dict[str, tuple[tuple[float, float, float], ...]] = {}
    for seed, clustering in enumerate(level.clusterings):
        traffic = Traffic(level.per_hour, level.replicas, clustering, np.random.default_rng([level.per_hour, seed]))
        replicas = Replicas(traffic)
        replicas.run(level.warm_d * DAY_S, OBJECTIVE_BUDGET, every_s=WARM_EVERY_S)
        if seed == 0:
            steady = replicas.copy(level.per_hour)
        pages = replicas.run(level.days * DAY_S, OBJECTIVE_BUDGET).pages.sum(axis=1)
        false_pages[clustering] = tuple(rate_of(int(count), level.months) for count in pages)
    return {
        **asdict(level), "months": level.months, "false_pages": false_pages, "minutes": delays(steady),
        "caught": caught(steady), "bad_spent": SPENT * OBJECTIVE_BUDGET * level.per_hour * 24 * MONTH_D,
    }  # fmt: skip


def delays(steady: Replicas) -> dict[float, tuple[float, ...]]:
    """Median minutes to the first page by error rate, over several arrivals where requests are few."""
    quiet = steady.traffic.per_hour < FAST_PER_HOUR
    found = {}
    for rate in ERROR_RATES:
        runs = [
            steady.copy(path).run(LONGEST_S, rate, every_s=60 if quiet else 10, stop_when_paged=True).first_s
            for path in range(ARRIVALS if quiet else 1)
        ]
        found[rate] = tuple((np.median(np.concatenate(runs, axis=1), axis=1) / 60).tolist())
    return found


def caught(steady: Replicas) -> dict[float, tuple[float, ...]]:
    """Share of incidents that are told of, by error rate; each lasts until it has spent ``SPENT`` on average."""
    found = {}
    for rate in INCIDENT_RATES:
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
