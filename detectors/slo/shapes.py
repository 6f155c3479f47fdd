"""Shapes of the values in an SLO file, as JSON Schema, and keys that have them. It reads nothing.

Patterns are those of the parser's own readers, so that both accept the same text; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_DURATION: Final = r"^\s*(0|(\d+(\.\d+)?(ms|s|m|h|d|w))+)\s*$"
PERCENT_PATTERN: Final = r"^\s*\d+(\.\d+)?\s*%\s*$"

Schema = Mapping[str, Any]

TEXT: Final[Schema] = {"type": "string", "minLength": 1}
TEXTS: Final[Schema] = {"type": "array", "items": TEXT}
DURATION: Final[Schema] = {
    "anyOf": [{"type": "string", "pattern": _DURATION}, {"type": "number", "exclusiveMinimum": 0}],
    "description": "a number and a unit, such as 500ms, 30s, 5m, 6h, 30d; a bare number is seconds",
}
SHARE: Final[Schema] = {
    "anyOf": [
        {"type": "string", "pattern": PERCENT_PATTERN},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    ],
    "description": "a share, such as 99.5% or 0.995",
}
COUNT: Final[Schema] = {"type": "integer", "minimum": 1}
POSITIVE: Final[Schema] = {"type": "number", "exclusiveMinimum": 0}
SWITCH: Final[Schema] = {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a mapping: its ``name``, the JSON Schema of its value, and whether it must be there."""

    name: str
    schema: Schema
    required: bool = False


def mapping_schema(keys: tuple[Key, ...], **more: Any) -> dict[str, Any]:
    """JSON Schema of a mapping that has these keys and no others."""
    required = [key.name for key in keys if key.required]
    return {
        "type": "object",
        "properties": {key.name: dict(key.schema) for key in keys},
        "additionalProperties": False,
        **({"required": required} if required else {}),
        **more,
    }
