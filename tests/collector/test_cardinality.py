from __future__ import annotations

import sys
import tracemalloc

import pytest

from collector.cardinality import CardinalityGuard
from telemetry.windows import NANOS

NOW_NS = 1_700_000_000 * NANOS
DAY_NS = 24 * 3600 * NANOS


def test_a_group_unseen_for_a_day_gives_its_place_away() -> None:
    guard = CardinalityGuard(limit=2)
    assert guard.admit("r", ["a", "b", "c"], NOW_NS) == [True, True, False]
    assert guard.admit("r", ["b"], NOW_NS + DAY_NS // 2) == [True]
    assert guard.admit("r", ["c", "d"], NOW_NS + DAY_NS) == [True, False], "a went, b is still seen"
    assert guard.admit("other", ["d"], NOW_NS) == [True], "each scope has its own limit"


def test_groups_known_before_a_restart_keep_their_places() -> None:
    guard = CardinalityGuard(limit=2)
    guard.seed("r", ["a", "b", "c"], NOW_NS)
    assert guard.overflowed() == {}
    assert guard.admit("r", ["b", "d"], NOW_NS, [1, 5]) == [True, False]
    assert guard.overflowed() == {"r": 5}


def test_a_seeded_group_is_as_old_as_its_last_sight() -> None:
    guard = CardinalityGuard(limit=2)
    guard.seed("r", ["old"], NOW_NS - DAY_NS)
    guard.seed("r", ["young"], NOW_NS - 1)
    assert guard.admit("r", ["new", "newer"], NOW_NS) == [True, False]
    assert guard.admit("r", ["young", "old"], NOW_NS) == [True, False]


def test_all_scopes_together_have_a_limit() -> None:
    guard = CardinalityGuard(limit=3, total_limit=4)
    assert guard.admit("one", ["a", "b", "c", "d"], NOW_NS) == [True, True, True, False]
    assert guard.admit("two", ["a", "b"], NOW_NS) == [True, False]
    assert guard.admit("two", ["a"], NOW_NS) == [True], "who has a place keeps it"
    assert guard.places() == {"one": 3, "two": 1}
    assert guard.overflowed() == {"one": 1, "two": 1}


def test_an_idle_group_of_another_scope_makes_room() -> None:
    guard = CardinalityGuard(limit=3, total_limit=3)
    guard.admit("gone", ["a", "b"], NOW_NS)
    guard.admit("here", ["a"], NOW_NS + DAY_NS // 2)
    assert guard.admit("here", ["b"], NOW_NS + DAY_NS // 2) == [False]
    assert guard.admit("here", ["b", "c", "d"], NOW_NS + DAY_NS) == [True, True, False]
    assert guard.places() == {"here": 3}
    assert guard.admit("gone", ["a"], NOW_NS + DAY_NS) == [False]


def test_a_total_limit_of_nothing_admits_nothing() -> None:
    guard = CardinalityGuard(limit=3, total_limit=0)
    assert guard.admit("r", ["a"], NOW_NS) == [False]


@pytest.mark.parametrize("characters", [10, 2000])
def test_what_places_take_does_not_depend_on_the_names_of_groups(characters: int) -> None:
    guard = CardinalityGuard(limit=1000)
    tracemalloc.start()
    try:
        for start in range(0, 20_000, 100):
            guard.admit("r", [f"{number:0{characters}}" for number in range(start, start + 100)], NOW_NS + start)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert guard.places() == {"r": 1000}
    assert guard.overflowed() == {"r": 19_000}
    assert held < 1000 * (200 + 4 * sys.getsizeof(NOW_NS))


def test_the_first_overflow_of_a_scope_is_told(caplog: pytest.LogCaptureFixture) -> None:
    guard = CardinalityGuard(limit=1)
    for key in ("a", "b", "c"):
        guard.admit("availability@1", [key], NOW_NS)
    assert caplog.messages == ["availability@1 has too many groups: further ones are counted as __overflow__"]


def test_parts_of_a_rule_that_overflow_are_told_by_name_up_to_a_hundred() -> None:
    guard = CardinalityGuard(limit=1, total_limit=1000)
    for number in range(150):
        guard.admit(f"series: s{number}", ["a", "b"], NOW_NS)
    guard.admit("availability@1", ["a", "b"], NOW_NS)
    told = guard.overflowed()
    assert len(told) == 102
    assert (told["series: s0"], told["series: __overflow__"], told["availability@1"]) == (1, 50, 1)


def test_scopes_that_went_idle_are_forgotten() -> None:
    guard = CardinalityGuard(limit=2, total_limit=2)
    guard.admit("gone", ["a", "b"], NOW_NS)
    assert guard.admit("here", ["a", "b"], NOW_NS + DAY_NS) == [True, True]
    assert guard.places() == {"here": 2}
    assert guard.admit("here", ["a"], NOW_NS + DAY_NS) == [True], "the place that made room is kept"
