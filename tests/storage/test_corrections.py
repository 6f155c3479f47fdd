"""Corrections on both engines: added, cancelled once, never changed, whoever asks."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage.corrections import cancel, create, load, version
from storage.database import Database
from telemetry.corrections import Cancellation, NewCorrection, audit
from telemetry.errors import ConflictError, NotFoundError, StorageError, TailwatchError
from telemetry.windows import NANOS

START_NS = 1_700_000_000 * NANOS


def asked(**changed: object) -> NewCorrection:
    given: dict[str, object] = {
        "start_ns": START_NS, "end_ns": START_NS + 600 * NANOS, "slos": ["availability"],
        "matchers": ['model=~"small|large"', 'region!="eu\\"1"'], "author": "ada", "reason": "node drain",
    }  # fmt: skip
    return NewCorrection.checked(**{**given, **changed})  # type: ignore[arg-type]


def test_what_was_asked_for_is_what_is_stored(database: Database) -> None:
    first = create(database, asked(), START_NS + 5)
    second = create(database, asked(reason="again", slos=[], matchers=['service="chat"']), START_NS + 6)
    assert load(database) == (first, second)
    assert first.id < second.id


def test_a_cancelled_correction_stays_readable(database: Database) -> None:
    one = create(database, asked(), START_NS)
    ended = cancel(database, one.id, Cancellation("bob", "it was a real outage", START_NS + 9))
    assert load(database) == (ended,)
    assert not ended.active
    assert [(entry.action, entry.author, entry.reason) for entry in audit([ended])] == [
        ("created", "ada", "node drain"), ("cancelled", "bob", "it was a real outage"),
    ]  # fmt: skip


def test_a_correction_is_cancelled_once(database: Database) -> None:
    one = create(database, asked(), START_NS)
    cancel(database, one.id, Cancellation("bob", "wrong day", START_NS))
    with pytest.raises(ConflictError, match="cancelled before"):
        cancel(database, one.id, Cancellation("eve", "mine", START_NS + 1))
    assert load(database)[0].cancelled == Cancellation("bob", "wrong day", START_NS)
    with pytest.raises(NotFoundError, match="no correction 99"):
        cancel(database, 99, Cancellation("bob", "wrong day", START_NS))


def test_every_change_changes_the_version(database: Database) -> None:
    seen = [version(database)]
    one = create(database, asked(), START_NS)
    seen.append(version(database))
    cancel(database, one.id, Cancellation("bob", "wrong day", START_NS))
    seen.append(version(database))
    assert len(set(seen)) == 3


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE corrections SET reason = 'nothing'",
        "DELETE FROM corrections",
        "UPDATE correction_cancellations SET author = 'nobody'",
        "DELETE FROM correction_cancellations",
    ],
)
def test_the_database_refuses_to_rewrite_the_trail(database: Database, change: str) -> None:
    one = create(database, asked(), START_NS)
    cancel(database, one.id, Cancellation("bob", "wrong day", START_NS))
    before = load(database)
    with pytest.raises((StorageError, DBAPIError), match="never changed"), database.write() as connection:
        connection.execute(text(change))
    assert load(database) == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"slos": [], "matchers": []}, "names no SLO"),
        ({"end_ns": START_NS}, "ends before it begins"),
        ({"start_ns": -1}, "ends before it begins"),
        ({"end_ns": 2**62}, "2096"),
        ({"author": " "}, "author is empty"),
        ({"reason": "x" * 2001}, "reason is empty or longer"),
        ({"matchers": ["model"]}, "not a matcher"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(changed: dict[str, object], message: str) -> None:
    with pytest.raises(TailwatchError, match=message):
        asked(**changed)


def test_names_and_matchers_must_both_hold() -> None:
    one = asked()
    assert one.covers("availability", "chat", {"model": "small"})
    assert not one.covers("availability", "chat", {"model": "other"})
    assert not one.covers("latency", "chat", {"model": "small"})
    by_service = asked(slos=[], matchers=['service="chat"'])
    assert by_service.covers("anything", "chat", {})
    assert not by_service.covers("anything", "search", {})
