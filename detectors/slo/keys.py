"""The keys of an SLO file as data: the parser takes its names from here and the JSON Schema its shapes. No logic.

Those of an SLI are with its kind, in :mod:`detectors.slo.kinds`.
"""

from __future__ import annotations

from typing import Final

from detectors.slo.calendar import DEFAULT_ZONE, UNITS
from detectors.slo.policy import NO_ALERT, POLICY_NAMES
from detectors.slo.shapes import DURATION, POSITIVE, SHARE, SWITCH, TEXT, TEXTS, Key, Schema, mapping_schema

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$"
LABEL_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"
RESERVED_LABELS: Final = ("alertname", "slo", "service", "severity", "window")
SEVERITIES: Final = ("page", "ticket")

PAIR_KEYS: Final = (
    Key("severity", {"enum": list(SEVERITIES)}, required=True),
    Key("long", DURATION, required=True),
    Key("short", DURATION),
    Key("factor", POSITIVE),
    Key("budget", SHARE),
)
SEQUENTIAL_KEYS: Final = (
    Key("severity", {"enum": list(SEVERITIES), "default": "page"}),
    Key("arl", {**DURATION, "default": "300d"}),
)
_PAIR: Final[Schema] = mapping_schema(PAIR_KEYS, oneOf=[{"required": ["factor"]}, {"required": ["budget"]}])
_SEQUENTIAL: Final[Schema] = {"anyOf": [mapping_schema(SEQUENTIAL_KEYS), {"const": False}]}
_SEQUENTIAL_ITEM: Final[Schema] = mapping_schema((Key("sequential", mapping_schema(SEQUENTIAL_KEYS), required=True),))
_DECLARED_NAME: Final[Schema] = {"type": "string", "pattern": NAME_PATTERN, "not": {"const": NO_ALERT}}
"""The parser knows which policies the files declare; an editor that completes the shipped ones does not."""
_JUDGED_KEYS: Final = (
    Key("burn", {"type": "array", "items": _PAIR, "minItems": 1}),
    Key("sequential", _SEQUENTIAL),
    Key("gate", SWITCH),
)
ALERT_KEYS: Final = (Key("policy", {"anyOf": [{"enum": list(POLICY_NAMES)}, _DECLARED_NAME]}), *_JUDGED_KEYS)
POLICY_KEYS: Final = (
    Key("name", _DECLARED_NAME, required=True),
    Key("source", {**TEXT, "description": "where the windows and shares come from, for whoever wonders"}),
    *_JUDGED_KEYS,
)
_POLICY: Final[Schema] = mapping_schema(POLICY_KEYS, anyOf=[{"required": ["burn"]}, {"required": ["sequential"]}])
ALERT_SCHEMA: Final[Schema] = {
    "anyOf": [
        {"enum": [*POLICY_NAMES, NO_ALERT]},
        _DECLARED_NAME,
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
    Key("service", TEXT),
    Key("owner", TEXT),
    Key("description", TEXT),
    Key("sli", {}, required=True),
    Key("where", TEXTS),
    Key("per", {**TEXTS, "uniqueItems": True}),
    Key("objective", SHARE),
    Key("window", WINDOW),
    Key("budgeting", BUDGETING),
    Key("alert", ALERT_SCHEMA),
    Key("runbook", TEXT),
    Key("labels", {"type": "object", "patternProperties": {LABEL_PATTERN: TEXT}, "additionalProperties": False}),
)
_INHERITED: Final = ("service", "owner", "where", "per", "objective", "window", "alert", "runbook", "labels")
DEFAULT_KEYS: Final = tuple(key for key in SLO_KEYS if key.name in _INHERITED)
FILE_KEYS: Final = (
    Key("version", {"const": 1}, required=True),
    Key("defaults", mapping_schema(DEFAULT_KEYS)),
    Key("policies", {"type": "array", "items": _POLICY}),
    Key("slos", {"type": "array"}),
)
