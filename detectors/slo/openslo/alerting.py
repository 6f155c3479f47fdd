"""OpenSLO's AlertPolicy, AlertCondition and AlertNotificationTarget, read and checked for form; they alert nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import yaml

from detectors.slo.openslo.durations import Shorthand
from detectors.slo.openslo.keys import ALERT_CONDITION, ALERT_POLICY, CONDITION, INLINE, OPERATORS, TARGET, Entry
from detectors.slo.openslo.metadata import read_metadata
from detectors.slo.openslo.reader import DocumentReader, Values
from detectors.slo.openslo.references import Reference, read_reference

Operator = Literal["lte", "gte", "lt", "gt"]
_NONE = Shorthand(0, "m")

_Body = TypeVar("_Body")


@dataclass(frozen=True, slots=True)
class Condition:
    """Alert when the burn over ``lookback`` compares to ``threshold`` as ``op`` says, for ``after``."""

    name: str
    reader: DocumentReader
    node: yaml.Node
    field: str
    severity: str
    op: str
    threshold: float
    lookback: Shorthand
    after: Shorthand


@dataclass(frozen=True, slots=True)
class NotificationTarget:
    """Who is told: the object's name, and what the target is."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """When an alert is sent, on which conditions, and to whom; None for a switch that is not there."""

    name: str
    reader: DocumentReader
    node: yaml.Node
    field: str
    no_data: bool | None
    resolved: bool | None
    breaching: bool | None
    conditions: tuple[Condition | Reference, ...]
    targets: tuple[NotificationTarget | Reference, ...]


def read_condition(reader: DocumentReader, node: yaml.Node, field: str, name: str) -> Condition | None:
    """The ``spec`` of an AlertCondition called ``name``."""
    values = reader.entries(node, field, ALERT_CONDITION)
    if values is None:
        return None
    reader.description(values, field)
    severity = reader.optional_text(values, field, "severity")
    if "condition" not in values:
        return None
    place = f"{field}.condition"
    inner = reader.entries(values["condition"], place, CONDITION) or {}
    if "kind" in inner:
        reader.choice(inner["kind"], f"{place}.kind", ["burnrate"])
    op = reader.choice(inner["op"], f"{place}.op", OPERATORS) if "op" in inner else None
    threshold = reader.numeric(inner["threshold"], f"{place}.threshold") if "threshold" in inner else None
    lookback: Shorthand | None = None
    after: Shorthand | None = _NONE
    if "lookbackWindow" in inner:
        lookback = reader.shorthand(inner["lookbackWindow"], f"{place}.lookbackWindow")
    if "alertAfter" in inner:
        after = reader.shorthand(inner["alertAfter"], f"{place}.alertAfter", least=0)
    if severity is None or op is None or threshold is None or lookback is None or after is None:
        return None
    return Condition(name, reader, values["condition"], place, severity, op, threshold, lookback, after)


def read_target(reader: DocumentReader, node: yaml.Node, field: str, name: str) -> NotificationTarget | None:
    """The ``spec`` of an AlertNotificationTarget called ``name``."""
    values = reader.entries(node, field, TARGET)
    if values is None:
        return None
    reader.description(values, field)
    target = reader.optional_text(values, field, "target")
    return None if target is None else NotificationTarget(name, target)


def read_policy(reader: DocumentReader, node: yaml.Node, field: str, name: str) -> AlertPolicy | None:
    """The ``spec`` of an AlertPolicy called ``name``."""
    values = reader.entries(node, field, ALERT_POLICY)
    if values is None:
        return None
    reader.description(values, field)
    no_data, resolved, breaching = (
        reader.boolean(values, field, key) for key in ("alertWhenNoData", "alertWhenResolved", "alertWhenBreaching")
    )
    conditions = _listed(reader, values, field, "conditions", "conditionRef", "AlertCondition", read_condition)
    if len(conditions) > 1:
        message = f"has {len(conditions)} conditions, and the specification allows one"
        reader.note(values["conditions"], f"{field}.conditions", message, "write an AlertPolicy for each")
    targets = _listed(reader, values, field, "notificationTargets", "targetRef", "AlertNotificationTarget", read_target)
    return AlertPolicy(name, reader, node, field, no_data, resolved, breaching, tuple(conditions), tuple(targets))


def _listed(
    reader: DocumentReader, values: Values, field: str, key: str, ref: str, kind: str,
    read: Callable[[DocumentReader, yaml.Node, str, str], _Body | None],
) -> list[_Body | Reference]:  # fmt: skip
    """The entries of a list that are references or inline objects."""
    if key not in values:
        return []
    entries = reader.items(values[key], f"{field}.{key}")
    if entries is not None and not entries:
        reader.note(values[key], f"{field}.{key}", "is an empty list", f"list {ref}: entries or inline objects")
    read_entries = [read_entry(reader, node, place, ref, kind, read) for place, node in entries or []]
    return [entry for entry in read_entries if entry is not None]


def read_entry(
    reader: DocumentReader, node: yaml.Node, field: str, ref: str, kind: str,
    read: Callable[[DocumentReader, yaml.Node, str, str], _Body | None],
) -> _Body | Reference | None:  # fmt: skip
    """One entry: ``{<ref>: name}``, or the object itself."""
    keys = [str(key.value) for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    if ref in keys:
        only = reader.entries(node, field, (Entry(ref, "always"),)) or {}
        return read_reference(reader, only[ref], f"{field}.{ref}", kind) if ref in only else None
    values = reader.entries(node, field, INLINE)
    if values is None:
        return None
    if "kind" in values:
        reader.choice(values["kind"], f"{field}.kind", [kind])
    metadata = read_metadata(reader, values["metadata"], f"{field}.metadata") if "metadata" in values else None
    if metadata is None or "spec" not in values:
        return None
    return read(reader, values["spec"], f"{field}.spec", metadata.name)
