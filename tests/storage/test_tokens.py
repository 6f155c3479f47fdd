"""Tokens on both engines: made, renewed with an overlap, ended, and every one of it in the audit log."""

from __future__ import annotations

import pytest

from storage import audit
from storage.audit import Actor
from storage.database import Database
from storage.tokens import create, load, note_uses, revoke, rotate
from telemetry.errors import ConflictError, NotFoundError
from telemetry.windows import NANOS

START_NS = 1_700_000_000 * NANOS
HOUR_NS = 3600 * NANOS
ADA = Actor("ada (command line)", "laptop")


def make(database: Database, name: str = "ci", *, expires_ns: int | None = None, now_ns: int = START_NS) -> None:
    digest = f"{name} {now_ns}".encode().ljust(32)
    create(database, name, ["ingest", "read"], digest, expires_ns=expires_ns, now_ns=now_ns, actor=ADA)


def test_what_was_made_is_what_is_stored(database: Database) -> None:
    make(database, expires_ns=START_NS + HOUR_NS)
    (one,) = load(database)
    assert (one.name, one.scopes, len(one.digest), one.created_by) == ("ci", ("ingest", "read"), 32, ADA)
    assert (one.created_ns, one.expires_ns, one.last_used_ns) == (START_NS, START_NS + HOUR_NS, None)
    assert one.is_living(START_NS + HOUR_NS - 1)
    assert not one.is_living(START_NS + HOUR_NS)


def test_a_name_is_one_tokens_as_long_as_it_counts(database: Database) -> None:
    make(database, expires_ns=START_NS + HOUR_NS)
    with pytest.raises(ConflictError, match="tailwatch token rotate ci"):
        make(database, now_ns=START_NS + 1)
    make(database, now_ns=START_NS + HOUR_NS)
    revoke(database, "ci", now_ns=START_NS + HOUR_NS, actor=ADA)
    make(database, now_ns=START_NS + HOUR_NS + 1)
    assert len(load(database)) == 3


def test_rotation_ends_the_old_secret_after_the_overlap_and_keeps_the_lifetime(database: Database) -> None:
    make(database, expires_ns=START_NS + 48 * HOUR_NS)
    later = START_NS + HOUR_NS
    rotate(database, "ci", b"new".ljust(32), overlap_ns=HOUR_NS, lifetime_ns=None, now_ns=later, actor=ADA)
    old, new = load(database)
    assert (old.expires_ns, new.expires_ns) == (later + HOUR_NS, later + 48 * HOUR_NS)
    assert (new.name, new.scopes, new.digest) == (old.name, old.scopes, b"new".ljust(32))
    rotate(database, "ci", b"newer".ljust(32), overlap_ns=0, lifetime_ns=HOUR_NS, now_ns=later + 1, actor=ADA)
    assert [one.expires_ns for one in load(database)] == [later + 1, later + 1, later + 1 + HOUR_NS]


def test_rotation_does_not_prolong_a_secret(database: Database) -> None:
    make(database, expires_ns=START_NS + 10)
    rotate(database, "ci", b"new".ljust(32), overlap_ns=HOUR_NS, lifetime_ns=None, now_ns=START_NS + 5, actor=ADA)
    assert load(database)[0].expires_ns == START_NS + 10


def test_revoking_ends_every_secret_of_the_name(database: Database) -> None:
    make(database)
    make(database, "other")
    rotate(database, "ci", b"new".ljust(32), overlap_ns=HOUR_NS, lifetime_ns=None, now_ns=START_NS, actor=ADA)
    revoke(database, "ci", now_ns=START_NS + 1, actor=ADA)
    assert [one.name for one in load(database) if one.is_living(START_NS + 1)] == ["other"]
    for call in (
        lambda: revoke(database, "ci", now_ns=START_NS + 2, actor=ADA),
        lambda: rotate(database, "ci", b"x".ljust(32), overlap_ns=0, lifetime_ns=None, now_ns=START_NS + 2, actor=ADA),
    ):
        with pytest.raises(NotFoundError, match="no token ci"):
            call()


def test_the_last_use_only_moves_on(database: Database) -> None:
    make(database)
    make(database, "other")
    first, second = (one.id for one in load(database))
    note_uses(database, {first: START_NS + 9, second: START_NS + 5})
    note_uses(database, {first: START_NS + 7})
    assert [one.last_used_ns for one in load(database)] == [START_NS + 9, START_NS + 5]


def test_the_audit_log_has_all_of_it_and_no_digest(database: Database) -> None:
    make(database, expires_ns=START_NS + HOUR_NS)
    rotate(
        database, "ci", b"new".ljust(32), overlap_ns=HOUR_NS, lifetime_ns=2 * HOUR_NS, now_ns=START_NS + 1, actor=ADA
    )
    revoke(database, "ci", now_ns=START_NS + 2, actor=ADA)
    entries = audit.load(database)
    assert [(one.action, one.subject, one.actor, one.address) for one in entries] == [
        (f"token.{verb}", "ci", "ada (command line)", "laptop") for verb in ("revoke", "rotate", "create")
    ]
    assert dict(entries[2].detail) == {"scopes": ["ingest", "read"], "expires": "2023-11-14 23:13:20 UTC"}
    assert dict(entries[1].detail) == {"overlap_s": 3600.0, "expires": "2023-11-15 00:13:20 UTC"}
