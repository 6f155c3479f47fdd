"""Metric sources of type ``Tailwatch`` read into our SLIs; those of any other type are valid, and not executed here."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import yaml

from detectors.slo.conditions import read_per, read_where
from detectors.slo.kinds.composite import Composite
from detectors.slo.kinds.cost import Cost
from detectors.slo.kinds.latency import Latency
from detectors.slo.kinds.protocol import Sli
from detectors.slo.kinds.quantile import Quantile
from detectors.slo.kinds.registry import read_sli
from detectors.slo.kinds.spend import Spend
from detectors.slo.openslo.indicators import Indicator, MetricSource
from detectors.slo.openslo.objectives import Objective
from detectors.slo.openslo.reader import DocumentReader
from detectors.slo.shapes import Key
from telemetry.matchers import Matchers

TYPE: Final = "Tailwatch"
_THRESHOLDS: Final = ("latency", "quantile", "cost")
"""The SLIs that compare a number with ``below``."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What is counted: the SLI, conditions and groups; ``source`` is where the SLI is written."""

    sli: Sli
    where: Matchers
    per: tuple[str, ...]
    source: MetricSource


def sources_of(indicator: Indicator) -> list[MetricSource]:
    """Every metric source of an SLI."""
    return [indicator.threshold] if indicator.threshold else list(indicator.ratio.values())


def read_measured(indicator: Indicator, reader: DocumentReader, objective: Objective) -> Measured | None:
    """What an SLI measures whose sources are all ours; problems go to the readers of SLI and objective."""
    if indicator.threshold is not None:
        return _threshold(indicator.threshold, reader, objective)
    return _ratio(indicator)


def check_unused(indicator: Indicator) -> None:
    """Note the problems of an SLI of ours that no SLO refers to, as far as they show without an objective."""
    source = indicator.threshold
    if source is None:
        _ratio(indicator)
    elif source.spec is not None and says_below(source.spec):
        _read(source, None)


def _ratio(indicator: Indicator) -> Measured | None:
    counted = next(source for name, source in indicator.ratio.items() if name != "total")
    measured = _read(counted, None)
    total = indicator.ratio.get("total")
    if measured is None or total is None:
        return measured
    return _with_total(measured, total)


def _threshold(source: MetricSource, reader: DocumentReader, objective: Objective) -> Measured | None:
    if objective.op is not None and objective.op not in ("lt", "lte"):
        message = f"{objective.op} cannot be executed here: what is good has a low value"
        reader.note(objective.node, f"{objective.field}.op", message, "write op: lt or op: lte")
        return None
    measured = _read(source, objective.value_node)
    if measured is None:
        return None
    if not isinstance(measured.sli, Latency | Quantile | Cost):
        message = f"{measured.sli.kind} has no threshold"
        source.reader.note(source.node, source.field, message, "write it as ratioMetric, in good beside total")
        return None
    if objective.value_node is not None:
        stated = reader.numeric(objective.value_node, f"{objective.field}.value")
        if stated is not None and not math.isclose(stated, _bound(measured.sli), rel_tol=1e-9):
            message = f"{stated:g} contradicts below: {_bound(measured.sli):g} of its metric source"
            reader.note(objective.value_node, f"{objective.field}.value", message, "leave below out of the source")
            return None
    return replace(measured, sli=_including(measured.sli)) if objective.op == "lte" else measured


def _read(source: MetricSource, threshold: yaml.Node | None) -> Measured | None:
    reader, field = source.reader, f"{source.field}.spec"
    if source.spec is None:
        return None
    before = len(reader.problems)
    keys = (Key("sli", {}, required=True), Key("where", {}), Key("per", {}))
    values = reader.mapping(source.spec, field, keys) or {}
    sli = None
    if "sli" in values:
        node = values["sli"] if threshold is None else _with_below(values["sli"], threshold)
        sli = read_sli(reader, node, f"{field}.sli")
    if isinstance(sli, Spend | Composite):
        message = f"{sli.kind} is no share of events or slices that a metric source could give"
        reader.note(values["sli"], f"{field}.sli", message, "write it in a file of Tailwatch's own format")
    where = read_where(reader, values.get("where"), f"{field}.where")
    per = read_per(reader, values.get("per"), f"{field}.per")
    return None if sli is None or len(reader.problems) > before else Measured(sli, where, per, source)


def _with_total(measured: Measured, total: MetricSource) -> Measured | None:
    """The conditions and groups of ``total`` are those of the ratio; the other part may repeat them."""
    reader, field = total.reader, f"{total.field}.spec"
    if total.spec is None:
        return None
    before = len(reader.problems)
    values = reader.mapping(total.spec, field, (Key("where", {}), Key("per", {}))) or {}
    where = read_where(reader, values.get("where"), f"{field}.where")
    per = read_per(reader, values.get("per"), f"{field}.per")
    source = measured.source
    if measured.where.items and set(measured.where.items) != set(where.items):
        message = "differs from the conditions of total: good and bad are parts of the same events"
        source.reader.note(source.node, f"{source.field}.spec.where", message, "write the conditions in total only")
    if measured.per and set(measured.per) != set(per):
        message = "differs from the groups of total"
        source.reader.note(source.node, f"{source.field}.spec.per", message, "write the groups in total only")
    return None if len(reader.problems) > before else replace(measured, where=where, per=per)


def says_below(spec: yaml.Node) -> bool:
    """Whether the ``sli`` of a native ``spec`` has a threshold of its own."""
    sli = _value(spec, "sli")
    kinds = sli.value if isinstance(sli, yaml.MappingNode) else []
    return any(_value(inner, "below") is not None for _, inner in kinds)


def _with_below(node: yaml.Node, threshold: yaml.Node) -> yaml.Node:
    """A native SLI without ``below`` completed by the value of the objective, which keeps its own line."""
    if not isinstance(node, yaml.MappingNode) or len(node.value) != 1:
        return node
    kind, inner = node.value[0]
    if kind.value not in _THRESHOLDS or not isinstance(inner, yaml.MappingNode) or _value(inner, "below"):
        return node
    key = yaml.ScalarNode("tag:yaml.org,2002:str", "below", threshold.start_mark, threshold.end_mark)
    whole = yaml.MappingNode(inner.tag, [*inner.value, (key, threshold)], inner.start_mark, inner.end_mark)
    return yaml.MappingNode(node.tag, [(kind, whole)], node.start_mark, node.end_mark)


def _value(node: yaml.Node | None, name: str) -> yaml.Node | None:
    """The value of a key of a mapping."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == name), None)


def _bound(sli: Latency | Quantile | Cost) -> float:
    return sli.below_usd if isinstance(sli, Cost) else sli.below_s


def _including(sli: Latency | Quantile | Cost) -> Sli:
    """``lte`` as the strict comparison that our SLIs make: below the next number above the bound."""
    bound = math.nextafter(_bound(sli), math.inf)
    return replace(sli, below_usd=bound) if isinstance(sli, Cost) else replace(sli, below_s=bound)
