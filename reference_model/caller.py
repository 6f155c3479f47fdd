"""On whose behalf a request comes, read from headers and body; it authenticates nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DEFAULT_TENANT: Final = "anonymous"
DEFAULT_INPUT_TYPE: Final = "chat"
_LONGEST_LABEL: Final = 64


@dataclass(frozen=True, slots=True)
class Caller:
    """Labels of a request. ``fresh`` asks for an answer that does not come from the cache."""

    tenant: str = DEFAULT_TENANT
    input_type: str = DEFAULT_INPUT_TYPE
    user: str | None = None
    session: str | None = None
    fresh: bool = False


def read_caller(headers: Mapping[str, str], metadata: Mapping[str, str] | None, user: str | None) -> Caller:
    """Headers ``x-tenant``, ``x-input-type``, ``x-session`` win over the body's ``metadata`` of the same names."""
    known = metadata or {}

    def label(name: str) -> str | None:
        value = headers.get(f"x-{name.replace('_', '-')}") or known.get(name)
        return value[:_LONGEST_LABEL] if value else None

    return Caller(
        tenant=label("tenant") or DEFAULT_TENANT,
        input_type=label("input_type") or DEFAULT_INPUT_TYPE,
        user=user or label("user"),
        session=label("session"),
        fresh="no-cache" in headers.get("cache-control", ""),
    )
