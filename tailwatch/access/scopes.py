"""What a token may be made for, and what each request needs; what is not named here needs ``admin``."""

from __future__ import annotations

from typing import Final, Literal, get_args

Scope = Literal["ingest", "read", "respond", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

_INCLUDED: Final[dict[Scope, frozenset[Scope]]] = {
    "ingest": frozenset({"ingest"}),
    "read": frozenset({"read"}),
    "respond": frozenset({"read", "respond"}),
    "admin": frozenset({"ingest", "read", "respond", "admin"}),
}
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN: Final = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json", "/api/v2/docs", "/api/v2/openapi.json"})
"""Health for those who restart what is ill, and the description of the API, which is the same everywhere."""
_RESPONSES: Final = ("/api/v1/incidents/", "/api/v1/notifications/", "/api/v2/silence/")
_SILENCES: Final = "/api/v2/silences"
_HOOKS: Final = "/api/v1/hooks/"
_STOP: Final = "/stop"
"""Whoever responds may stop hooks; to start them again is a decision about the set-up."""
POSTED_ALERTS: Final = "/api/v2/alerts"

Need = frozenset[Scope] | None
"""Any of these scopes will do; None: nothing is asked for."""

INGEST: Final[Need] = frozenset[Scope]({"ingest"})
_READ: Final[Need] = frozenset[Scope]({"read"})
_RESPOND: Final[Need] = frozenset[Scope]({"respond"})
_ADMIN: Final[Need] = frozenset[Scope]({"admin"})
_POST_ALERTS: Final[Need] = frozenset[Scope]({"ingest", "respond"})


def granted(scopes: frozenset[Scope]) -> frozenset[Scope]:
    """``scopes`` with those that they include."""
    return frozenset[Scope]().union(*(_INCLUDED[scope] for scope in scopes))


def needed(method: str, path: str) -> Need:
    """What a request to the API needs; OTLP's paths are not among these."""
    if path in _OPEN and method in _READING:
        return None
    if method in _READING:
        return _READ
    if method == "POST" and path == POSTED_ALERTS:
        return _POST_ALERTS
    if path.startswith(_RESPONSES) or path == _SILENCES:
        return _RESPOND
    if path.startswith(_HOOKS) and path.endswith(_STOP):
        return _RESPOND
    return _ADMIN
