"""One service with too many series takes no place of another, and how many services there are is bounded too."""

from __future__ import annotations

from collector.cardinality import CardinalityGuard
from collector.series_places import admit_series
from telemetry.deltas import group_key
from telemetry.windows import NANOS

NOW_NS = 1_700_000_000 * NANOS


def series(service: str, model: str) -> str:
    return group_key({"service": service, "model": model})


def test_a_service_takes_no_place_of_another() -> None:
    guard = CardinalityGuard(limit=2)
    noisy = {series("noisy", f"m{number}"): 3 for number in range(5)}
    assert admit_series(guard, noisy, NOW_NS) == [True, True, False, False, False]
    mixed = {series("quiet", "a"): 1, series("noisy", "m9"): 4, series("quiet", "b"): 1}
    assert admit_series(guard, mixed, NOW_NS) == [True, False, True]
    assert guard.overflowed() == {"series: noisy": 13}


def test_services_are_bounded() -> None:
    guard = CardinalityGuard(limit=2)
    groups = {series(f"s{number}", model): 2 for number in range(4) for model in ("a", "b")}
    assert admit_series(guard, groups, NOW_NS) == [True] * 4 + [False] * 4
    assert guard.overflowed() == {"series services": 8}
    assert set(guard.places()) == {"series services", "series: s0", "series: s1"}
