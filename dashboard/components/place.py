"""Addresses inside the dashboard, as values; opening one is the navigation's business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True)
class Place:
    """A page and its query parameters.

    Attributes:
        page: the page's path: `slo`, `incidents`, `traces`, `services`, or "" for the overview.
        params: query parameters.
    """

    page: str
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def href(self) -> str:
        """A relative address, right under any base path since all pages lie on one level."""
        query = urlencode(self.params)
        return (self.page or "./") + (f"?{query}" if query else "")

    def to_json(self) -> dict[str, Any]:
        """What the browser sends back when this place is opened."""
        return {"page": self.page, "params": dict(self.params)}


def from_json(value: Any) -> Place | None:
    """The place that the browser asks for, or None where it asks for nothing understandable."""
    if not isinstance(value, Mapping) or not isinstance(value.get("params"), Mapping):
        return None
    return Place(str(value.get("page", "")), {str(k): str(v) for k, v in value["params"].items()})
