"""The keys of an SLO file as data: the parser takes its names from here and the JSON Schema its shapes. No logic.

Patterns are those of the parser's own readers, so that both accept the same text; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from detectors.slo.calendar import DEFAULT_ZONE, UNITS
from detectors.slo.policy import NO_ALERT, POLICY_NAMES
from detectors.slo.spec import COST_FIELDS, LATENCY_MEASURES

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$"
LABEL_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"
RESERVED_LABELS: Final = ("alertname", "slo", "service", "severity", "window")
_DURATION: Final = r"^\s*(0|(\d+(\.\d+)?(ms|s|m|h|d|w))+)\s*$"
_PERCENT: Final = r"^\s*\d+(\.\d+)?\s*%\s*$"
QUANTILE_PATTERN: Final = r"^p(\d{1,2}(?:\.\d+)?)$"

Schema = Mapping[str, Any]

TEXT: Final[Schema] = {"type": "string", "minLength": 1}
TEXTS: Final[Schema] = {"type": "array", "items": TEXT}
DURATION: Final[Schema] = {
    "anyOf": [{"type": "string", "pattern": _DURATION}, {"type": "number", "exclusiveMinimum": 0}],
    "description": "a number and a unit, such as 500ms, 30s, 5m, 6h, 30d; a bare number is seconds",
}
SHARE: Final[Schema] = {
    "anyOf": [
        {"type": "string", "pattern": _PERCENT},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    ],
    "description": "a share, such as 99.5% or 0.995",
}
QUANTILE: Final[Schema] = {
    "anyOf": [
        {"type": "string", "pattern": QUANTILE_PATTERN},
        {"type": "string", "pattern": _PERCENT},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    ],
    "description": "p50, p99, p99.9",
}
USD: Final[Schema] = {
    "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": r"^\s*\$\s*\d+(\.\d+)?\s*$"}],
    "description": "US dollars: 0.002 or $0.002",
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


SEVERITIES: Final = ("page", "ticket")
THROTTLED: Final = ("bad", "ignore", "separate")

ERRORS_KEYS: Final = (Key("throttled", {"enum": list(THROTTLED), "default": "bad"}),)
LATENCY_KEYS: Final = (
    Key("measure", {"enum": list(LATENCY_MEASURES)}, required=True),
    Key("below", DURATION, required=True),
)
COST_KEYS: Final = (
    Key("measure", {"enum": list(COST_FIELDS)}, required=True),
    Key("below", USD, required=True),
)
QUANTILE_KEYS: Final = (
    Key("measure", {"enum": list(LATENCY_MEASURES)}, required=True),
    Key("quantile", QUANTILE, required=True),
    Key("below", DURATION, required=True),
    Key("slice", {**DURATION, "default": "1m"}),
    Key("min_events", COUNT),
)
REFERENCE_KEYS: Final = (
    Key("window", DURATION),
    Key("first", {"anyOf": [COUNT, {"type": "string", "pattern": r"^\s*\d*[1-9]\d*\s+events\s*$"}]}),
)
DRIFT_KEYS: Final = (
    Key("fields", {**TEXTS, "minItems": 1, "uniqueItems": True}, required=True),
    Key("reference", mapping_schema(REFERENCE_KEYS, minProperties=1, maxProperties=1)),
    Key("slice", {**DURATION, "default": "1m"}),
    Key("alpha", SHARE),
    Key("min_effect", POSITIVE),
    Key("min_events", COUNT),
)
SLI_KEYS: Final[Mapping[str, tuple[Key, ...]]] = {
    "errors": ERRORS_KEYS,
    "latency": LATENCY_KEYS,
    "quantile": QUANTILE_KEYS,
    "cost": COST_KEYS,
    "drift": DRIFT_KEYS,
}

PAIR_KEYS: Final = (
    Key("severity", {"enum": list(SEVERITIES)}, required=True),
    Key("long", DURATION, required=True),
    Key("short", DURATION),
    Key("factor", POSITIVE),
    Key("budget", SHARE),
)
SEQUENTIAL_KEYS: Final = (
    Key("severity", {"enum": list(SEVERITIES), "default": "page"}),
    Key("arl", {**DURATION, "default": "30d"}),
)
_PAIR: Final[Schema] = mapping_schema(PAIR_KEYS, oneOf=[{"required": ["factor"]}, {"required": ["budget"]}])
_SEQUENTIAL: Final[Schema] = {"anyOf": [mapping_schema(SEQUENTIAL_KEYS), {"const": False}]}
_SEQUENTIAL_ITEM: Final[Schema] = mapping_schema((Key("sequential", mapping_schema(SEQUENTIAL_KEYS), required=True),))
ALERT_KEYS: Final = (
    Key("policy", {"enum": list(POLICY_NAMES)}),
    Key("burn", {"type": "array", "items": _PAIR, "minItems": 1}),
    Key("sequential", _SEQUENTIAL),
    Key("gate", SWITCH),
)
ALERT_SCHEMA: Final[Schema] = {
    "anyOf": [
        {"enum": [*POLICY_NAMES, NO_ALERT]},
        {"type": "array", "items": {"anyOf": [_PAIR, _SEQUENTIAL_ITEM]}, "minItems": 1},
        mapping_schema(ALERT_KEYS, minProperties=1) | {"not": {"required": ["policy", "burn"]}},
    ],
    "default": "page-and-ticket",
}

CALENDAR_KEYS: Final = (
    Key("calendar", {"enum": list(UNITS)}, required=True),
    Key("timezone", {**TEXT, "default": DEFAULT_ZONE, "description": "an IANA zone, such as Europe/Berlin"}),
)
WINDOW: Final[Schema] = {"anyOf": [DURATION, mapping_schema(CALENDAR_KEYS)], "default": "30d"}
RATIO_TIMESLICES_KEYS: Final = (Key("slice", {**DURATION, "default": "1m"}),)
TIMESLICES_KEYS: Final = (*RATIO_TIMESLICES_KEYS, Key("target", SHARE, required=True))
BUDGETING_KEYS: Final = (
    Key("timeslices", mapping_schema(TIMESLICES_KEYS)),
    Key("ratio-timeslices", mapping_schema(RATIO_TIMESLICES_KEYS)),
)
BUDGETING_WORDS: Final = ("occurrences", "ratio-timeslices")
BUDGETING: Final[Schema] = {
    "anyOf": [{"enum": list(BUDGETING_WORDS)}, mapping_schema(BUDGETING_KEYS, minProperties=1, maxProperties=1)],
    "default": "occurrences",
}

SLO_KEYS: Final = (
    Key("name", {"type": "string", "pattern": NAME_PATTERN}, required=True),
    Key("service", TEXT, required=True),
    Key("owner", TEXT),
    Key("description", TEXT),
    Key("sli", {}, required=True),
    Key("where", TEXTS),
    Key("per", {**TEXTS, "uniqueItems": True}),
    Key("objective", SHARE, required=True),
    Key("window", WINDOW),
    Key("budgeting", BUDGETING),
    Key("alert", ALERT_SCHEMA),
    Key("runbook", TEXT),
    Key("labels", {"type": "object", "patternProperties": {LABEL_PATTERN: TEXT}, "additionalProperties": False}),
)
FILE_KEYS: Final = (
    Key("version", {"const": 1}, required=True),
    Key("slos", {"type": "array"}, required=True),
)
