"""Tokens as the database keeps them: digests, names and times, never a secret. It judges no request.

A rotated token has several rows of one name, of which the older end soon. Rows are never deleted: that there ever was
a token is why requests must have one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from storage.audit import record
from storage.database import Database
from storage.statements import storable
from storage.tables import tokens
from telemetry.errors import ConflictError, NotFoundError
from telemetry.windows import NANOS, told_time


@dataclass(frozen=True, slots=True)
class StoredToken:
    """One secret of a name; times in ns since the epoch.

    Attributes:
        digest: SHA-256 of the secret.
        expires_ns: from when on it counts no more; None: never.
        last_used_ns: about when it was last used; None: never.
    """

    id: int
    name: str
    scopes: tuple[str, ...]
    digest: bytes
    created_ns: int
    created_by: str
    expires_ns: int | None
    last_used_ns: int | None
    revoked_ns: int | None

    def is_living(self, now_ns: int) -> bool:
        """Whether it counts."""
        return self.revoked_ns is None and (self.expires_ns is None or self.expires_ns > now_ns)


def create(
    db: Database, name: str, scopes: Sequence[str], digest: bytes, *, expires_ns: int | None, now_ns: int, actor: str
) -> None:
    """Store a new token.

    Raises:
        ConflictError: a token of that name counts.
        StorageError: the database cannot be used.
    """
    with db.write() as connection:
        if _living(connection, name, now_ns):
            raise ConflictError(
                f"there is a token {name}", where="tokens",
                remedy=f"take another name, or give it a new secret with: tailwatch token rotate {name}",
            )  # fmt: skip
        _insert(connection, name, scopes, digest, expires_ns, now_ns, actor)
        detail = {"scopes": list(scopes), "expires": None if expires_ns is None else told_time(expires_ns)}
        record(connection, at_ns=now_ns, actor=actor, action="token.create", subject=name, detail=detail)


def rotate(
    db: Database, name: str, digest: bytes, *, overlap_ns: int, lifetime_ns: int | None, now_ns: int, actor: str
) -> StoredToken:
    """Store a new secret for a token, whose others count for ``overlap_ns`` more; the newest of those, as it was.

    ``lifetime_ns`` is that of the new secret; None: that of the one before.

    Raises:
        NotFoundError: no token of that name counts.
        StorageError: the database cannot be used.
    """
    with db.write() as connection:
        before = _living(connection, name, now_ns)
        if not before:
            raise _unknown(name)
        newest = before[-1]
        if lifetime_ns is None and newest.expires_ns is not None:
            lifetime_ns = newest.expires_ns - newest.created_ns
        ends_ns = now_ns + overlap_ns
        later = or_(tokens.c.expires_ns.is_(None), tokens.c.expires_ns > ends_ns)
        connection.execute(
            update(tokens).where(tokens.c.id.in_([one.id for one in before]), later).values(expires_ns=ends_ns)
        )
        expires_ns = None if lifetime_ns is None else now_ns + lifetime_ns
        _insert(connection, name, newest.scopes, digest, expires_ns, now_ns, actor)
        detail = {"overlap_s": overlap_ns / NANOS, "expires": None if expires_ns is None else told_time(expires_ns)}
        record(connection, at_ns=now_ns, actor=actor, action="token.rotate", subject=name, detail=detail)
    return newest


def revoke(db: Database, name: str, *, now_ns: int, actor: str) -> None:
    """End every secret of a token at once.

    Raises:
        NotFoundError: no token of that name counts.
        StorageError: the database cannot be used.
    """
    with db.write() as connection:
        living = _living(connection, name, now_ns)
        if not living:
            raise _unknown(name)
        connection.execute(update(tokens).where(tokens.c.id.in_([one.id for one in living])).values(revoked_ns=now_ns))
        record(connection, at_ns=now_ns, actor=actor, action="token.revoke", subject=name, detail={})


def load(db: Database) -> tuple[StoredToken, ...]:
    """Every token that there ever was, oldest first.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.read() as connection:
        return _load(connection)


def version(db: Database) -> tuple[int, int]:
    """Differs from what it was whenever a token was made, rotated or revoked since, by any process.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.read() as connection:
        newest, revoked = connection.execute(select(func.max(tokens.c.id), func.count(tokens.c.revoked_ns))).one()
        return newest or 0, revoked


def note_uses(db: Database, last_used_ns: Mapping[int, int]) -> None:
    """Store when tokens (by id) were last used; an earlier time than what is stored changes nothing.

    Raises:
        StorageError: the database cannot be used.
    """
    earlier = or_(tokens.c.last_used_ns.is_(None), tokens.c.last_used_ns < bindparam("used_ns"))
    statement = (
        update(tokens).where(tokens.c.id == bindparam("token"), earlier).values(last_used_ns=bindparam("used_ns"))
    )
    with db.write() as connection:
        connection.execute(statement, [{"token": id_, "used_ns": used} for id_, used in sorted(last_used_ns.items())])


def _insert(
    connection: Connection,
    name: str,
    scopes: Sequence[str],
    digest: bytes,
    expires_ns: int | None,
    now_ns: int,
    actor: str,
) -> None:
    row = {
        "name": storable(name), "scopes": json.dumps(list(scopes)), "digest": digest, "created_ns": now_ns,
        "created_by": storable(actor), "expires_ns": expires_ns,
    }  # fmt: skip
    connection.execute(insert(tokens).values(row))


def _living(connection: Connection, name: str, now_ns: int) -> list[StoredToken]:
    return [one for one in _load(connection) if one.name == name and one.is_living(now_ns)]


def _load(connection: Connection) -> tuple[StoredToken, ...]:
    rows = connection.execute(select(tokens).order_by(tokens.c.id)).mappings()
    return tuple(
        StoredToken(**{**row, "scopes": tuple(json.loads(row["scopes"])), "digest": bytes(row["digest"])})
        for row in rows
    )


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"there is no token {name}", where="tokens", remedy="tailwatch token list shows them")
