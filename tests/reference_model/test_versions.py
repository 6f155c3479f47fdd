"""Traffic splits, pins, shadow and rollback."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

import pytest

from reference_model.engine.versions import Split, VersionRouter
from reference_model.errors import InvalidRequestError, UnknownModelError


@pytest.fixture
def router() -> VersionRouter:
    return VersionRouter({"m": ("v1", "v2", "v3")})


def test_everything_goes_to_the_first_version_at_first(router: VersionRouter) -> None:
    assert {router.choose("m") for _ in range(50)} == {("m", "v1")}


def test_a_split_is_kept_to_and_normalised(router: VersionRouter) -> None:
    assert router.set_split("m", {"v1": 3, "v3": 1, "v2": 0}) == Split({"v1": 0.75, "v3": 0.25})
    counts = Counter(router.choose("m")[1] for _ in range(400))
    assert counts == {"v1": 300, "v3": 100}


@pytest.mark.parametrize("shares", [{"v1": 0.5, "v3": 0.5}, {"v1": 0.93, "v2": 0.07}, {"v1": 5, "v2": 3, "v3": 2}])
def test_a_split_is_kept_to_among_few_requests_too(router: VersionRouter, shares: dict[str, float]) -> None:
    router.set_split("m", shares)
    chosen = [router.choose("m")[1] for _ in range(300)]
    for version, share in shares.items():
        counts = list(accumulate((name == version for name in chosen), initial=0))
        for length in (5, 20, 50):
            expected = length * share / sum(shares.values())
            strays = [abs(counts[at + length] - counts[at] - expected) for at in range(300 - length)]
            assert max(strays) <= 2


def test_a_pinned_version_wins_over_the_split(router: VersionRouter) -> None:
    assert router.choose("m@v2") == ("m", "v2")


def test_rollback_unwinds_one_split_at_a_time(router: VersionRouter) -> None:
    router.set_split("m", {"v2": 1})
    router.set_split("m", {"v3": 1}, shadow="v1")
    assert router.shadow("m") == "v1"
    assert router.rollback("m") == Split({"v2": 1.0})
    assert router.shadow("m") is None
    assert router.rollback("m") == Split({"v1": 1.0})
    with pytest.raises(InvalidRequestError, match="nothing to roll back"):
        router.rollback("m")


def test_rolling_back_a_version_twice_is_rolling_it_back_once(router: VersionRouter) -> None:
    router.set_split("m", {"v2": 1})
    router.set_split("m", {"v2": 0.5, "v3": 0.5})
    router.set_split("m", {"v3": 1})
    for _ in range(3):
        assert router.rollback("m", "v3") == Split({"v2": 1.0})
    assert {router.choose("m") for _ in range(20)} == {("m", "v2")}
    assert router.rollback("m") == Split({"v1": 1.0})
    with pytest.raises(InvalidRequestError, match="nothing to roll back"):
        router.rollback("m", "v1")
    with pytest.raises(UnknownModelError, match="no version 'v9'"):
        router.rollback("m", "v9")


@pytest.mark.parametrize("shares", [{"v1": 0.0}, {"v1": 2.0, "v2": -1.0}])
def test_senseless_shares_are_refused_and_change_nothing(router: VersionRouter, shares: dict[str, float]) -> None:
    with pytest.raises(InvalidRequestError, match="Shares"):
        router.set_split("m", shares)
    assert router.route("m").split == Split({"v1": 1.0})


def test_unknown_models_and_versions_name_what_there_is(router: VersionRouter) -> None:
    with pytest.raises(UnknownModelError, match="offers m"):
        router.choose("other")
    with pytest.raises(UnknownModelError, match="it has v1, v2, v3"):
        router.choose("m@v9")
    with pytest.raises(UnknownModelError, match="it has v1, v2, v3"):
        router.set_split("m", {"v9": 1})
