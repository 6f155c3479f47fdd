"""The audit log on both engines: added with the change it tells of, read by page, never changed, whoever asks."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage.audit import Actor, load, record
from storage.database import Database
from telemetry.errors import StorageError
from telemetry.windows import NANOS

START_NS = 1_700_000_000 * NANOS


def add(database: Database, action: str, *, actor: str = "maria", at_ns: int = START_NS) -> None:
    with database.write() as connection:
        record(connection, at_ns=at_ns, actor=actor, action=action, subject="INC-1", detail={"comment": "ü\0"})


def test_what_was_recorded_is_what_is_read(database: Database) -> None:
    add(database, "incident.resolve", actor=Actor("maria", "192.0.2.7"))
    add(database, "token.create", actor="command line", at_ns=START_NS + NANOS)
    newest, oldest = load(database)
    assert (newest.actor, newest.address, newest.action) == ("command line", "", "token.create")
    assert (oldest.actor, oldest.address, oldest.subject) == ("maria", "192.0.2.7", "INC-1")
    assert oldest.to_json() == {
        "id": oldest.id, "at": 1_700_000_000.0, "actor": "maria", "address": "192.0.2.7",
        "action": "incident.resolve", "subject": "INC-1", "detail": {"comment": "ü\0"},
    }  # fmt: skip


def test_an_entry_shares_the_fate_of_its_transaction(database: Database) -> None:
    with database.write() as connection:
        record(connection, at_ns=START_NS, actor="maria", action="incident.resolve", subject="INC-1", detail={})
        connection.rollback()
    assert load(database) == ()


def test_pages_and_filters(database: Database) -> None:
    actions = ("token.create", "token.revoke", "tokens.other", "silence.create")
    for second, action in enumerate(actions):
        actor = "eve" if action.startswith("silence") else "maria"
        add(database, action, actor=actor, at_ns=START_NS + second * NANOS)
    first = load(database, limit=3)
    assert [one.action for one in first] == ["silence.create", "tokens.other", "token.revoke"]
    assert [one.action for one in load(database, before=first[-1].id)] == ["token.create"]
    assert [one.action for one in load(database, since_ns=START_NS + 3 * NANOS)] == ["silence.create"]
    assert [one.action for one in load(database, action="token")] == ["token.revoke", "token.create"]
    assert [one.action for one in load(database, action="token.create")] == ["token.create"]
    assert [one.action for one in load(database, actor="eve")] == ["silence.create"]


@pytest.mark.parametrize("change", ["UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log"])
def test_the_database_refuses_to_rewrite_the_log(database: Database, change: str) -> None:
    add(database, "incident.resolve")
    before = load(database)
    with pytest.raises((StorageError, DBAPIError), match="never changed"), database.write() as connection:
        connection.execute(text(change))
    assert load(database) == before
