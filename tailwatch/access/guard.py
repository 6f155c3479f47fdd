"""Decides who a request comes from and whether it may come; the protocols word the answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tailwatch.access.browsers import check_host, check_origin, host_of, is_loopback
from tailwatch.access.keyring import Grant, KeyRing
from tailwatch.access.scopes import INGEST, SCOPES, Need, Scope
from tailwatch.access.secret import is_whole
from tailwatch.settings import Settings
from telemetry.clock import Clock
from telemetry.errors import AccessError

_ALL: Final = frozenset[Scope](SCOPES)
_NONE: Final = frozenset[Scope]()
_HEADERS: Final = {b"authorization": 0, b"host": 1, b"origin": 2}
_MAKE: Final = "make one with: tailwatch token create NAME --scope {scope}, and send it as Authorization: Bearer tw_..."


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds beside the tokens.

    Attributes:
        anonymous: what may be done without a token; None: everything while there is none, then nothing.
        allowed_hosts: names of this server beside this machine's, in lower case.
        local: whether only this machine can connect, so that browsers on it are whom to beware of.
    """

    anonymous: frozenset[Scope] | None = None
    allowed_hosts: frozenset[str] = frozenset()
    local: bool = True


class Guard:
    """Knows every token, and what needs one."""

    def __init__(self, keyring: KeyRing, rules: Rules, clock: Clock) -> None:
        self._keyring = keyring
        self._rules = rules
        self._clock = clock

    def api(self, scope: Mapping[str, Any], need: Need) -> str | None:
        """The name of the token of a request to the API (an ASGI scope); None: it needs none and has none.

        Raises:
            AccessError: it may not come.
        """
        return self._http(scope, need)

    def otlp(self, scope: Mapping[str, Any]) -> None:
        """Let an OTLP request over HTTP (an ASGI scope) in.

        Raises:
            AccessError: it may not come.
        """
        self._http(scope, INGEST)

    def rpc(self, metadata: Iterable[tuple[str, str | bytes]]) -> None:
        """Let an OTLP call over gRPC in.

        Raises:
            AccessError: it may not come.
        """
        value = next((value for name, value in metadata if name == "authorization"), "")
        self._identify(value if isinstance(value, str) else value.decode("latin-1"), INGEST)

    def _http(self, scope: Mapping[str, Any], need: Need) -> str | None:
        found: list[str] = ["", "", ""]
        for header, value in scope["headers"]:
            place = _HEADERS.get(header)
            if place is not None:
                found[place] = value.decode("latin-1")
        authorization, authority, origin = found
        allowed = self._rules.allowed_hosts
        if origin:
            check_origin(scope["method"], origin, authority, allowed)
        name = self._identify(authorization, need)
        if name is None and need is not None and self._rules.local:
            check_host(authority, allowed)
        return name

    def _identify(self, authorization: str, need: Need) -> str | None:
        """The name of the token, as far as one is needed or given."""
        if need is None:
            return None
        if not self._keyring.required:
            if need.isdisjoint(_ALL if self._rules.anonymous is None else self._rules.anonymous):
                raise _without(need)
            return None
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() == "bearer":
            grant = self._valid(secret.strip())
            if need.isdisjoint(grant.scopes | (self._rules.anonymous or _NONE)):
                raise _beyond(grant, need)
            return grant.name
        if need.isdisjoint(self._rules.anonymous or _NONE):
            raise _without(need)
        return None

    def _valid(self, secret: str) -> Grant:
        grant = self._keyring.find(secret)
        if grant is None:
            what = "unknown or was revoked" if is_whole(secret) else "no token of Tailwatch, or was not copied whole"
            raise _invalid(f"the token is {what}", "check it, or make another with: tailwatch token create")
        if grant.expires_ns is not None and grant.expires_ns <= self._clock.now_ns():
            raise _invalid(f"the token {grant.name} has expired", f"renew it with: tailwatch token rotate {grant.name}")
        return grant


def rules_of(settings: Settings) -> Rules:
    """What the settings say."""
    local = is_loopback(settings.http_address.host)
    return Rules(settings.anonymous_scopes, frozenset(host_of(name) for name in settings.allowed_hosts), local)


def _without(need: frozenset[Scope]) -> AccessError:
    scope = min(need, key=SCOPES.index)
    return AccessError(
        "this needs a token", status=401, where="Authorization", remedy=_MAKE.format(scope=scope),
        challenge='Bearer realm="tailwatch"',
    )  # fmt: skip


def _invalid(what: str, remedy: str) -> AccessError:
    challenge = 'Bearer realm="tailwatch", error="invalid_token"'
    return AccessError(what, status=401, where="Authorization", remedy=remedy, challenge=challenge)


def _beyond(grant: Grant, need: frozenset[Scope]) -> AccessError:
    scope = min(need, key=SCOPES.index)
    return AccessError(
        f"the token {grant.name} may not do this: it has no scope {scope}", status=403, where="Authorization",
        remedy=f"use a token with that scope; one is made with: tailwatch token create NAME --scope {scope}",
        challenge=f'Bearer realm="tailwatch", error="insufficient_scope", scope="{scope}"',
    )  # fmt: skip
