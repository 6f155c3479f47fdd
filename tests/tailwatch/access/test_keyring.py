"""Several servers on one database know the same tokens, whoever made, renewed or ended them."""

from __future__ import annotations

from storage import tokens
from storage.database import Database
from tailwatch.access.keyring import KeyRing
from tailwatch.access.secret import digest_of, new_secret
from telemetry.clock import ManualClock
from telemetry.windows import NANOS

NOW_NS = 1_700_000_000 * NANOS


def test_every_server_follows_within_a_step(database: Database) -> None:
    clock = ManualClock(NOW_NS)
    servers = [KeyRing(database, clock) for _ in range(2)]
    assert not any(server.required for server in servers)
    first, second = new_secret(), new_secret()

    def known(secret: str) -> list[str | None]:
        for server in servers:
            server.step(clock.now_ns())
        return [found.name if (found := server.find(secret)) else None for server in servers]

    digests = digest_of(first), digest_of(second)
    tokens.create(database, "ci", ["ingest"], digests[0], expires_ns=None, now_ns=NOW_NS, actor="ada")
    assert known(first) == ["ci", "ci"]
    assert all(server.required for server in servers)
    tokens.rotate(database, "ci", digests[1], overlap_ns=10 * NANOS, lifetime_ns=None, now_ns=NOW_NS, actor="ada")
    assert known(first) == known(second) == ["ci", "ci"]
    old = servers[0].find(first)
    assert old is not None
    assert old.expires_ns == NOW_NS + 10 * NANOS
    tokens.revoke(database, "ci", now_ns=NOW_NS, actor="ada")
    assert known(first) == known(second) == [None, None]
    assert all(server.required for server in servers)


def test_what_begins_like_a_token_of_ours_is_compared_to_its_end(database: Database, monkeypatch) -> None:
    """Two secrets whose digests begin alike, as nobody can make them."""
    secret = new_secret()
    tokens.create(database, "ci", ["read"], digest_of(secret), expires_ns=None, now_ns=NOW_NS, actor="ada")
    keyring = KeyRing(database, ManualClock(NOW_NS))
    alike = digest_of(secret)[:8] + bytes(24)
    monkeypatch.setattr("tailwatch.access.keyring.digest_of", lambda _secret: alike)
    assert keyring.find("another") is None
