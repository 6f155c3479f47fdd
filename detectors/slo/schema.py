"""The JSON Schema of SLO files, for editors; made from the parser's own keys. It validates nothing itself.

``python -m detectors.slo.schema`` prints it; docs/slo.schema.json is its output, and a test keeps it so.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from detectors.slo.keys import FILE_KEYS, SLO_KEYS
from detectors.slo.kinds.protocol import Sli
from detectors.slo.kinds.registry import KINDS, may_be_empty
from detectors.slo.kinds.spend import Spend
from detectors.slo.shapes import Key, mapping_schema

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


_OF_MONEY: Final = {"properties": {"sli": {"required": [Spend.kind]}}, "required": ["sli"]}
_WITHOUT_OBJECTIVE: Final = {"if": _OF_MONEY, "then": {"properties": {"objective": False, "budgeting": False}}}
"""A budget of money is an amount, not a share."""


def document() -> dict[str, Any]:
    """The schema (draft 2020-12) of one SLO file."""
    sli = {
        "type": "object",
        "properties": {name: _kind(kind) for name, kind in KINDS.items()},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    slo = mapping_schema(
        tuple(Key(key.name, sli, key.required) if key.name == "sli" else key for key in SLO_KEYS), **_WITHOUT_OBJECTIVE
    )
    file = mapping_schema(
        tuple(
            Key(key.name, {"type": "array", "items": slo}, key.required) if key.name == "slos" else key
            for key in FILE_KEYS
        ),
        anyOf=[{"required": ["slos"]}, {"required": ["policies"]}],
        allOf=[
            _unless_default("service", {"required": ["service"]}),
            _unless_default("objective", {"if": _OF_MONEY, "else": {"required": ["objective"]}}),
        ],
    )
    return {"$schema": DIALECT, "title": "Tailwatch SLO file", **file}


def text() -> str:
    """The schema as the published file holds it."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def _unless_default(key: str, slo: dict[str, Any]) -> dict[str, Any]:
    """What holds for every SLO of a file whose ``defaults`` lack a key."""
    has_default = {"properties": {"defaults": {"required": [key]}}, "required": ["defaults"]}
    return {"if": {"not": has_default}, "then": {"properties": {"slos": {"items": slo}}}}


def _kind(kind: type[Sli]) -> dict[str, Any]:
    schema = mapping_schema(kind.keys)
    # `errors:` with nothing after it is YAML's null, and all that most error SLOs need.
    return {"anyOf": [schema, {"type": "null"}]} if may_be_empty(kind) else schema


if __name__ == "__main__":
    sys.stdout.write(text())
