"""What each route needs, declared with the route; one that declares nothing keeps the service from starting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from fastapi import Depends, Security, params
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.routing import BaseRoute

from tailwatch.access.scopes import SCOPES, Need, Scope

_BEARER: Final = HTTPBearer(auto_error=False, description="A token, where the service asks for one.")
"""For the pages of /docs, where people enter theirs; the gate decides."""
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_READ: Final[Need] = frozenset[Scope]({"read"})
_ADMIN: Final[Need] = frozenset[Scope]({"admin"})


def _nothing() -> None:
    """Whoever asks is answered."""


_NOTHING: Final = Depends(_nothing)


def needs(*scopes: Scope) -> list[params.Depends]:
    """The ``dependencies`` of a route for tokens with any of ``scopes``; without any, for everybody."""
    return [Security(_BEARER, scopes=[scope]) for scope in scopes] or [_NOTHING]


def declared(route: APIRoute) -> Need:
    """What a route was declared to need.

    Raises:
        TypeError: nothing was declared.
    """
    asked = [one for one in route.dependencies if isinstance(one, params.Security) and one.dependency is _BEARER]
    if not asked and _NOTHING not in route.dependencies:
        raise TypeError(f"{route.path} does not say who may use it: give it dependencies=needs(...)")
    named = {scope for one in asked for scope in one.scopes or ()}
    return frozenset(scope for scope in SCOPES if scope in named) or None


class Needs:
    """What a request needs, by the route that serves it.

    Attributes:
        table: every route's method, the path that it is mounted under, itself, and what it needs.
    """

    def __init__(self, mounts: Mapping[str, Iterable[BaseRoute]], open_paths: Iterable[str]) -> None:
        """The API's routes by the path that they are mounted under; ``open_paths`` may be read by everybody.

        Raises:
            TypeError: a route declares nothing.
        """
        self._open = frozenset(open_paths)
        self.table = [
            (method, mount, route, declared(route))
            for mount, routes in mounts.items()
            for route in routes
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        ]

    def of(self, method: str, path: str) -> Need:
        """What a request needs; where nothing is served, what its kind mostly does."""
        if path in self._open and method in _READING:
            return None
        for served, mount, route, need in self.table:
            if served == method and path.startswith(mount) and route.path_regex.match(path[len(mount) :]):
                return need
        return _READ if method in _READING else _ADMIN
