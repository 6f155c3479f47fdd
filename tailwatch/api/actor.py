"""Who a request comes from, for the audit log; whether it may come at all was decided before it got here."""

from __future__ import annotations

from typing import Final

from fastapi import Request

from storage.audit import Actor

ANONYMOUS: Final = "anonymous"
"""Whom no token was asked of."""
SCOPE_KEY: Final = "tailwatch.token"
"""Key of the scope under which the name of the request's token stands."""


def actor_of(request: Request) -> Actor:
    """The name of the request's token, or :data:`ANONYMOUS`, with the address that it came from; a dependency too."""
    client = request.client
    return Actor(request.scope.get(SCOPE_KEY, ANONYMOUS), client.host if client else "")
