"""The ``objectives`` of an OpenSLO SLO, read and checked for form; they are measured against nothing here."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from detectors.slo.nodes import kind_of
from detectors.slo.openslo.durations import Shorthand
from detectors.slo.openslo.indicators import Indicator, read_inline_indicator
from detectors.slo.openslo.keys import OBJECTIVE, OPERATORS
from detectors.slo.openslo.reader import DocumentReader, Values
from detectors.slo.openslo.references import Reference, read_reference


@dataclass(frozen=True, slots=True)
class Objective:
    """One target.

    Attributes:
        target: the share that shall be good, within [0, 1).
        op, value: what a threshold metric is compared with; ``value_node`` is the node of ``value``.
        slice_target: share of good events that makes a slice of time good.
        slice_window: length of a slice.
        indicator: the SLI of a composite's objective.
        weight: of a composite's objective.
    """

    node: yaml.Node
    field: str
    target_node: yaml.Node
    target: float
    display_name: str = ""
    op: str | None = None
    value_node: yaml.Node | None = None
    slice_target: float | None = None
    slice_window: Shorthand | None = None
    indicator: Indicator | Reference | None = None
    weight: float = 1.0


def read_indicator_of(reader: DocumentReader, values: Values, field: str) -> Indicator | Reference | None:
    """``indicator`` or ``indicatorRef``, of which at most one may be there."""
    if "indicator" in values and "indicatorRef" in values:
        remedy = "keep indicator or indicatorRef"
        reader.note(values["indicatorRef"], f"{field}.indicatorRef", "stands beside indicator", remedy)
    if "indicator" in values:
        return read_inline_indicator(reader, values["indicator"], f"{field}.indicator")
    if "indicatorRef" in values:
        return read_reference(reader, values["indicatorRef"], f"{field}.indicatorRef", "SLI")
    return None


def read_objectives(reader: DocumentReader, node: yaml.Node, field: str, method: str) -> list[Objective]:
    """Those objectives that are right; ``method`` says whether they need slices of time."""
    entries = reader.items(node, field)
    if entries is not None and not entries:
        reader.note(node, field, "is an empty list", "list at least one objective")
    read = [_objective(reader, entry, place, method) for place, entry in entries or []]
    return [objective for objective in read if objective is not None]


def _objective(reader: DocumentReader, node: yaml.Node, field: str, method: str) -> Objective | None:
    before = _errors(reader)
    values = reader.entries(node, field, OBJECTIVE)
    if values is None:
        return None
    target_node, target = _target(reader, node, values, field)
    name = reader.optional_text(values, field, "displayName") or ""
    op = reader.choice(values["op"], f"{field}.op", OPERATORS) if "op" in values else None
    if "value" in values:
        reader.numeric(values["value"], f"{field}.value")
    slice_target, slice_window = _slices(reader, node, values, field, method)
    weight: float | None = 1.0
    if "compositeWeight" in values:
        weight = reader.numeric(values["compositeWeight"], f"{field}.compositeWeight", "(0..inf)")
    indicator = read_indicator_of(reader, values, field)
    if _errors(reader) > before or target is None:
        return None
    return Objective(
        node, field, target_node, target, name, op, values.get("value"), slice_target, slice_window, indicator,
        weight or 1.0,
    )  # fmt: skip


def _errors(reader: DocumentReader) -> int:
    return sum(problem.severity == "error" for problem in reader.problems)


def _target(reader: DocumentReader, node: yaml.Node, values: Values, field: str) -> tuple[yaml.Node, float | None]:
    if "target" in values and "targetPercent" in values:
        reader.note(values["targetPercent"], f"{field}.targetPercent", "stands beside target", "keep one of them")
    if "target" in values:
        return values["target"], reader.numeric(values["target"], f"{field}.target", "[0..1)")
    if "targetPercent" not in values:
        reader.note(node, f"{field}.target", "is missing", "add target: or targetPercent:")
        return node, None
    percent = reader.numeric(values["targetPercent"], f"{field}.targetPercent", "[0..100)")
    return values["targetPercent"], None if percent is None else round(percent / 100, 12)


def _slices(
    reader: DocumentReader, node: yaml.Node, values: Values, field: str, method: str
) -> tuple[float | None, Shorthand | None]:
    target: float | None = None
    window: Shorthand | None = None
    if "timeSliceTarget" in values:
        target = reader.numeric(values["timeSliceTarget"], f"{field}.timeSliceTarget", "(0..1]")
    elif method == "Timeslices":
        reader.note(
            node, f"{field}.timeSliceTarget", "is missing", "Timeslices needs the share that makes a slice good"
        )
    if "timeSliceWindow" in values:
        window = _slice_window(reader, values["timeSliceWindow"], f"{field}.timeSliceWindow")
    elif method in ("Timeslices", "RatioTimeslices"):
        reader.note(node, f"{field}.timeSliceWindow", "is missing", f"{method} needs the length of a slice, such as 1m")
    return target, window


def _slice_window(reader: DocumentReader, node: yaml.Node, field: str) -> Shorthand | None:
    """A bare number is minutes."""
    if kind_of(node) == "int":
        minutes = reader.numeric(node, field, "[1..525600]")
        return None if minutes is None else Shorthand(int(minutes), "m")
    return reader.shorthand(node, field)
