"""Who is let in: by token and scope, by what needs none, and by what browsers give away."""

from __future__ import annotations

import pytest

from storage import tokens
from storage.database import Database
from tailwatch.access.browsers import check_host, check_origin, is_loopback
from tailwatch.access.guard import Guard, Rules
from tailwatch.access.keyring import KeyRing
from tailwatch.access.scopes import SCOPES, Need, Scope, granted
from tailwatch.access.secret import digest_of, new_secret
from telemetry.clock import ManualClock
from telemetry.errors import AccessError
from telemetry.windows import NANOS

START_NS = 1_700_000_000 * NANOS
LOCAL = "127.0.0.1:4318"
INGEST, READ, RESPOND, ADMIN = (frozenset({scope}) for scope in SCOPES)
POSTING = INGEST | RESPOND


class House:
    """A guard over a database of its own."""

    def __init__(self, database: Database, **rules: object) -> None:
        self.database, self.clock = database, ManualClock(START_NS)
        self.keyring = KeyRing(database, self.clock)
        self.guard = Guard(self.keyring, Rules(**rules), self.clock)  # type: ignore[arg-type]

    def make(self, name: str, *scopes: Scope, expires_ns: int | None = None) -> str:
        secret = new_secret()
        tokens.create(
            self.database, name, scopes, digest_of(secret), expires_ns=expires_ns, now_ns=START_NS, actor="ada"
        )
        self.keyring.step(START_NS)
        return secret

    def ask(self, need: Need, authorization: str = "", *, method: str = "GET", **headers: str) -> str | None:
        sent = {"host": LOCAL, "authorization": authorization, **headers}
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in sent.items() if value]
        return self.guard.api({"method": method, "headers": pairs}, need)

    def refused(self, need: Need, authorization: str = "", *, method: str = "GET", **headers: str) -> AccessError:
        with pytest.raises(AccessError) as caught:
            self.ask(need, authorization, method=method, **headers)
        return caught.value


@pytest.fixture
def house(migrated_sqlite_url: str):
    with Database(migrated_sqlite_url) as database:
        yield House(database)


def test_without_a_token_everything_is_open_and_with_the_first_nothing(house: House) -> None:
    assert house.ask(ADMIN, method="POST") is None
    assert house.ask(READ, "Bearer of a proxy") is None, "nobody asked for it"
    house.make("ops", "admin")
    for need, named in ((READ, "read"), (ADMIN, "admin"), (POSTING, "ingest")):
        error = house.refused(need)
        assert (error.status, error.challenge) == (401, 'Bearer realm="tailwatch"')
        assert f"tailwatch token create NAME --scope {named}, " in error.remedy
    assert house.ask(None, "Bearer tw_wrong") is None


def test_each_scope_may_do_what_it_says(house: House) -> None:
    secrets = {scope: house.make(scope, scope) for scope in SCOPES}

    def passes(need: Need, scope: Scope) -> bool:
        if need is not None and not need.isdisjoint(granted(frozenset({scope}))):
            return house.ask(need, f"Bearer {secrets[scope]}") == scope
        error = house.refused(need, f"Bearer {secrets[scope]}")
        return (error.status, 'error="insufficient_scope"' in error.challenge) != (403, True)

    needs = (INGEST, READ, RESPOND, ADMIN, POSTING)
    assert {need: [scope for scope in SCOPES if passes(need, scope)] for need in needs} == {
        INGEST: ["ingest", "admin"],
        READ: ["read", "respond", "admin"],
        RESPOND: ["respond", "admin"],
        ADMIN: ["admin"],
        POSTING: ["ingest", "respond", "admin"],
    }


def test_ingest_lets_telemetry_in_and_read_does_not(house: House) -> None:
    ingest, read = house.make("exporters", "ingest"), house.make("grafana", "read")
    scope = {"method": "POST", "path": "/v1/traces", "headers": [(b"authorization", f"bearer {ingest}".encode())]}
    house.guard.otlp(scope)
    house.guard.rpc([("user-agent", "x"), ("authorization", f"Bearer {ingest}")])
    for secret, status in ((f"Bearer {read}", 403), ("", 401), ("Bearer tw_wrong", 401), ("Basic YTpi", 401)):
        with pytest.raises(AccessError) as http:
            house.guard.otlp({**scope, "headers": [(b"authorization", secret.encode())]})
        with pytest.raises(AccessError) as rpc:
            house.guard.rpc([("authorization", secret)])
        assert http.value.status == rpc.value.status == status


def test_tokens_that_ended_are_told_from_those_that_never_were(house: House) -> None:
    secret = house.make("short", "read", expires_ns=START_NS + 10 * NANOS)
    assert house.ask(READ, f"Bearer {secret}") == "short"
    house.clock.advance(10)
    error = house.refused(READ, f"Bearer {secret}")
    assert (error.status, error.what) == (401, "the token short has expired")
    assert "unknown or was revoked" in house.refused(READ, f"Bearer {new_secret()}").what
    assert "not copied whole" in house.refused(READ, f"Bearer {secret[:-1]}").what
    tokens.revoke(house.database, "short", now_ns=START_NS + 1, actor="ada")
    house.keyring.step(START_NS)
    assert "revoked" in house.refused(READ, f"Bearer {secret}").what


def test_a_revoked_last_token_does_not_open_the_house(house: House) -> None:
    house.make("only", "admin")
    tokens.revoke(house.database, "only", now_ns=START_NS, actor="ada")
    house.keyring.step(START_NS)
    assert house.refused(READ).status == 401


def test_the_last_use_is_stored_once_a_minute(house: House) -> None:
    secret = house.make("ops", "admin")
    for wait, expected in ((0, 0), (30, 0), (29, 0), (1, 60), (40, 60)):
        house.clock.advance(wait)
        house.ask(READ, f"Bearer {secret}")
        house.keyring.step(house.clock.now_ns())
        (stored,) = tokens.load(house.database)
        assert stored.last_used_ns == START_NS + expected * NANOS


def test_what_the_settings_leave_open_stays_open(migrated_sqlite_url: str) -> None:
    with Database(migrated_sqlite_url) as database:
        house = House(database, anonymous=granted(frozenset({"ingest"})), local=False)
        otlp = {"method": "POST", "path": "/v1/traces", "headers": [(b"host", b"tailwatch:4318")]}
        house.guard.otlp(otlp)
        assert house.refused(READ).status == 401, "said before there is a token, too"
        reader = house.make("grafana", "read")
        house.guard.otlp(otlp)
        assert house.ask(READ, f"Bearer {reader}") == "grafana"
        assert house.ask(POSTING, f"Bearer {reader}") == "grafana", "anybody may"


@pytest.mark.parametrize("host", ["127.0.0.1:4318", "localhost", "localhost:4318", "[::1]:4318", "a.localhost:1", ""])
def test_this_machine_by_its_own_names(house: House, host: str) -> None:
    assert house.ask(READ, host=host) is None


@pytest.mark.parametrize("host", ["evil.example.com", "evil.example.com:4318", "127.0.0.1.nip.io", "10.0.0.1:4318"])
def test_a_name_that_was_made_to_lead_here_is_refused(house: House, host: str) -> None:
    error = house.refused(READ, host=host)
    assert (error.status, error.where) == (403, "Host")
    assert f"allowed_hosts: [{host.removesuffix(':4318')}]" in error.remedy
    with pytest.raises(AccessError):
        house.guard.otlp({"method": "POST", "path": "/v1/traces", "headers": [(b"host", host.encode())]})
    secret = house.make("ops", "admin")
    assert house.ask(READ, f"Bearer {secret}", host=host) == "ops", "who has a token is no such page"


def test_an_allowed_name_and_a_server_for_others(migrated_sqlite_url: str) -> None:
    check_host("Tailwatch.Example.com:80", {"tailwatch.example.com"})
    with Database(migrated_sqlite_url) as database:
        assert House(database, local=False).ask(READ, host="anything:4318") is None


ORIGINS = [
    ("http://127.0.0.1:4318", LOCAL, True),
    ("https://tw.example.com", "tw.example.com", True),
    ("https://tw.example.com:443", "tw.example.com", True),
    ("http://TW.example.com", "tw.example.com:80", True),
    ("http://127.0.0.1:3000", LOCAL, False),
    ("http://127.0.0.1", LOCAL, False),
    ("https://evil.example.com", LOCAL, False),
    ("https://tw.example.com.evil.example", "tw.example.com", False),
    ("null", LOCAL, False),
    ("http://[", LOCAL, False),
    ("https://dash.example.com", LOCAL, True),
]


@pytest.mark.parametrize(("origin", "authority", "good"), ORIGINS)
def test_pages_of_other_sites_change_nothing(origin: str, authority: str, good: bool) -> None:
    allowed = {"dash.example.com"}
    check_origin("GET", origin, authority, allowed)
    if good:
        check_origin("POST", origin, authority, allowed)
        return
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        with pytest.raises(AccessError, match="may not change anything here"):
            check_origin(method, origin, authority, allowed)


def test_a_foreign_page_is_refused_whatever_token_a_proxy_adds(house: House) -> None:
    secret = house.make("sso", "admin")
    error = house.refused(RESPOND, f"Bearer {secret}", method="POST", origin="https://evil.example")
    assert (error.status, error.where, error.challenge) == (403, "Origin", "")


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("::ffff:127.0.0.1", True), ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("box.example.com", False)],
)  # fmt: skip
def test_what_only_this_machine_reaches(host: str, local: bool) -> None:
    assert is_loopback(host) is local
