"""A process that follows answers for the history of an SLO as the one that leads does, whenever it was started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from detectors.slo.compile import compile_rules
from detectors.slo.spec import SloSet
from storage.database import Database
from storage.ingest import commit
from tailwatch import evaluator as subject
from tailwatch.evaluator import Evaluator
from tailwatch.history import load_history
from telemetry.errors import NotFoundError
from tests.tailwatch.declared import AVAILABILITY, MINUTE_NS, START_NS, TAIL, slo_set, store

WINDOW = {"start_ns": START_NS, "end_ns": START_NS + 5 * MINUTE_NS, "step_ns": MINUTE_NS}


@pytest.fixture
def slos(tmp_path: Path) -> SloSet:
    return slo_set(tmp_path, AVAILABILITY, TAIL)


@pytest.fixture
def pair(migrated_postgres_url: str, slos: SloSet) -> Iterator[tuple[Evaluator, Evaluator]]:
    """One that leads and one that follows, started before anything came in."""
    with ExitStack() as stack:
        found = []
        for _ in range(2):
            database = stack.enter_context(closing(Database(migrated_postgres_url)))
            one = Evaluator(
                database, slos, lambda group, db=database: commit(db, group, START_NS), lambda findings, now_ns: None
            )
            one.start(START_NS)
            stack.callback(one.stop)
            found.append(one)
        yield found[0], found[1]


def feed(url: str, slos: SloSet, *evaluators: Evaluator) -> None:
    rules = tuple(rule for slo in slos.slos for rule in compile_rules(slo))
    with Database(url) as database:
        for i in range(5):
            slow = 5_000_000_000 if i == 2 else 100_000_000
            store(database, rules, 20, at_ns=START_NS + i * MINUTE_NS, bad=i, duration_ns=slow)
            for one in evaluators:
                one.step(START_NS + i * MINUTE_NS)
    for one in evaluators:
        one.step(START_NS + 7 * MINUTE_NS)


@pytest.mark.parametrize(("slo", "group"), [("availability", {"model": "m"}), ("tail", {})])
def test_the_history_is_that_of_the_leader(
    pair: tuple[Evaluator, Evaluator], migrated_postgres_url: str, slos: SloSet, slo: str, group: dict[str, str]
) -> None:
    leader, follower = pair
    feed(migrated_postgres_url, slos, leader, follower)
    assert (leader.position is None, follower.position is None) == (False, True)
    points = follower.budget_curve(slo, group, **WINDOW)
    assert points == leader.budget_curve(slo, group, **WINDOW)
    assert sum(point.total for point in points) == (100 if slo == "availability" else 5)


def test_only_that_slo_is_loaded(
    pair: tuple[Evaluator, Evaluator], migrated_postgres_url: str, slos: SloSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, follower = pair
    feed(migrated_postgres_url, slos, leader, follower)
    loaded: list[str] = []

    def watched(database, engine, now_ns):
        loaded.extend(slo.name for slo in engine.slos.slos)
        return load_history(database, engine, now_ns)

    monkeypatch.setattr(subject, "load_history", watched)
    follower.budget_curve("tail", {}, **WINDOW)
    assert loaded == ["tail"]


@pytest.mark.parametrize(("slo", "group"), [("nothing", {}), ("availability", {"model": "other"})])
def test_what_there_is_not_is_not_found(
    pair: tuple[Evaluator, Evaluator], migrated_postgres_url: str, slos: SloSet, slo: str, group: dict[str, str]
) -> None:
    feed(migrated_postgres_url, slos, *pair)
    for one in pair:
        with pytest.raises(NotFoundError):
            one.budget_curve(slo, group, **WINDOW)
