"""What a token may be made for; what each request needs is declared where it is served."""

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

Need = frozenset[Scope] | None
"""Any of these scopes will do; None: nothing is asked for."""

INGEST: Final[Need] = frozenset[Scope]({"ingest"})


def granted(scopes: frozenset[Scope]) -> frozenset[Scope]:
    """``scopes`` with those that they include."""
    return frozenset[Scope]().union(*(_INCLUDED[scope] for scope in scopes))
