"""The tokens that count, in memory: a look-up costs one hash; what changed is read from the database every second.

So a token that is made, rotated or revoked by any process is known to every server on the database within seconds.
While the database is away, what was known last holds.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from storage import tokens
from storage.database import Database
from storage.tokens import StoredToken
from tailwatch.access.scopes import SCOPES, Scope, granted
from tailwatch.access.secret import digest_of
from telemetry.clock import Clock
from telemetry.windows import NANOS

REFRESH_NS: Final = NANOS
_NOTED_NS: Final = 60 * NANOS
"""How exactly the last use of a token is known: a write a minute, however many requests there are."""
_KEY_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Grant:
    """What one secret allows.

    Attributes:
        scopes: with those that they include.
        expires_ns: from when on it counts no more; None: never.
    """

    id: int
    name: str
    scopes: frozenset[Scope]
    digest: bytes
    expires_ns: int | None


class KeyRing:
    """Tokens by the digests of their secrets; safe to use from several threads.

    Attributes:
        required: whether there ever was a token, so that requests must have one.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        """The tokens of ``database``.

        Raises:
            StorageError: the database cannot be used.
        """
        self._database = database
        self._clock = clock
        self._used: dict[int, int] = {}
        self._noted: dict[int, int] = {}
        self._refresh()

    def find(self, secret: str) -> Grant | None:
        """The token whose secret this is, also where it has expired; None: there is none, or it was revoked.

        The table is searched by a part of the digest, which tells whoever measures it nothing about a secret; the
        whole digest is compared in constant time.
        """
        digest = digest_of(secret)
        found = self._grants.get(digest[:_KEY_BYTES])
        if found is None or not hmac.compare_digest(found.digest, digest):
            return None
        self._used[found.id] = self._clock.now_ns()
        return found

    def step(self, _now_ns: int) -> None:
        """Store what was used since, and read what has changed.

        Raises:
            StorageError: the database cannot be used; what was known holds.
        """
        used = {id_: at for id_, at in self._used.copy().items() if at - self._noted.get(id_, 0) >= _NOTED_NS}
        if used:
            tokens.note_uses(self._database, used)
            self._noted.update(used)
        if tokens.version(self._database) != self._version:
            self._refresh()

    def _refresh(self) -> None:
        # the version first: what changes in between is then read again
        self._version = tokens.version(self._database)
        stored = tokens.load(self._database)
        living = (one for one in stored if one.revoked_ns is None)
        self._grants = {one.digest[:_KEY_BYTES]: _grant(one) for one in living}
        self._noted = {one.id: one.last_used_ns for one in stored if one.last_used_ns is not None}
        self.required = bool(stored)


def _grant(one: StoredToken) -> Grant:
    known = frozenset(scope for scope in SCOPES if scope in one.scopes)
    return Grant(one.id, one.name, granted(known), one.digest, one.expires_ns)
