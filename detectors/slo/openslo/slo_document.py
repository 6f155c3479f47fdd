"""OpenSLO's SLO, read and checked for form; it is neither resolved nor compiled here."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from detectors.slo.nodes import kind_of
from detectors.slo.openslo.alerting import AlertPolicy, read_entry, read_policy
from detectors.slo.openslo.documents import Document
from detectors.slo.openslo.indicators import Indicator
from detectors.slo.openslo.keys import METHODS, SLO
from detectors.slo.openslo.objectives import Objective, read_indicator_of, read_objectives
from detectors.slo.openslo.reader import DocumentReader, Values
from detectors.slo.openslo.references import Reference, read_reference
from detectors.slo.openslo.time_window import TimeWindow, read_time_window

OCCURRENCES = "Occurrences"


@dataclass(frozen=True, slots=True)
class SloDocument:
    """An SLO as written. ``window`` is None when it has none; ``indicator`` is None when its objectives have them."""

    document: Document
    description: str
    service: str
    service_node: yaml.Node
    indicator: Indicator | Reference | None
    window: TimeWindow | None
    method: str
    method_node: yaml.Node
    objectives: tuple[Objective, ...]
    policies: tuple[AlertPolicy | Reference, ...]


def read_slo(document: Document) -> SloDocument | None:
    """The ``spec`` of an SLO with those parts that are right, None when it lacks one that every other check needs."""
    reader, node, field = document.reader, document.spec, "spec"
    values = reader.entries(node, field, SLO)
    if values is None:
        return None
    description = reader.description(values, field)
    service = _service(reader, values, field)
    indicator = read_indicator_of(reader, values, field)
    window = read_time_window(reader, values["timeWindow"], f"{field}.timeWindow") if "timeWindow" in values else None
    method = _method(reader, node, values, field)
    objectives: list[Objective] = []
    if "objectives" in values:
        objectives = read_objectives(reader, values["objectives"], f"{field}.objectives", method or OCCURRENCES)
    policies = _policies(reader, values["alertPolicies"], f"{field}.alertPolicies") if "alertPolicies" in values else []
    _one_place(reader, node, field, values, objectives)
    if service is None or method is None:
        return None
    return SloDocument(
        document, description, service, values["service"], indicator, window, method,
        values.get("budgetingMethod", node), tuple(objectives), tuple(policies),
    )  # fmt: skip


def _service(reader: DocumentReader, values: Values, field: str) -> str | None:
    if "service" not in values:
        return None
    read = reader.name if reader.strict else reader.text
    return read(values["service"], f"{field}.service")


def _method(reader: DocumentReader, node: yaml.Node, values: Values, field: str) -> str | None:
    if "budgetingMethod" in values:
        return reader.choice(values["budgetingMethod"], f"{field}.budgetingMethod", METHODS)
    if not reader.strict:
        reader.warn(node, f"{field}.budgetingMethod", "is missing: Occurrences is assumed", "add budgetingMethod:")
    return OCCURRENCES


def _one_place(
    reader: DocumentReader, node: yaml.Node, field: str, values: Values, objectives: list[Objective]
) -> None:
    """An indicator belongs to the SLO, or to every one of its objectives."""
    own = "indicator" in values or "indicatorRef" in values
    inside = [objective for objective in objectives if objective.indicator is not None]
    if own and inside:
        message = "the SLO has an indicator of its own"
        reader.note(inside[0].node, inside[0].field, message, "keep one, or move it to every objective (composite)")
    if own:
        return
    for objective in objectives if inside else []:
        if objective.indicator is None:
            message = "is missing: other objectives have one"
            reader.note(objective.node, f"{objective.field}.indicator", message, "add indicator: or indicatorRef:")
    if objectives and not inside:
        reader.note(node, f"{field}.indicator", "is missing", "add indicator: or indicatorRef:")


def _policies(reader: DocumentReader, node: yaml.Node, field: str) -> list[AlertPolicy | Reference]:
    found: list[AlertPolicy | Reference | None] = []
    for place, entry in reader.items(node, field) or []:
        if kind_of(entry) == "str" and not reader.strict:
            found.append(read_reference(reader, entry, place, "AlertPolicy"))
        else:
            found.append(read_entry(reader, entry, place, "alertPolicyRef", "AlertPolicy", read_policy))
    return [policy for policy in found if policy is not None]
