"""OpenSLO's SLI and the metric sources in it, read and checked for form; no query is understood here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from detectors.slo.openslo.keys import INLINE_SLI, METRIC, METRIC_SOURCE, RATIO, RAW_TYPES, SLI
from detectors.slo.openslo.metadata import read_metadata
from detectors.slo.openslo.reader import DocumentReader, Values
from detectors.slo.openslo.references import Reference, read_reference


@dataclass(frozen=True, slots=True)
class MetricSource:
    """Where a number comes from: a type, or a DataSource that says the type, and a ``spec`` in the type's terms."""

    reader: DocumentReader
    node: yaml.Node
    field: str
    type: str | None
    source: Reference | None
    spec: yaml.Node | None


@dataclass(frozen=True, slots=True)
class Indicator:
    """A threshold metric, or the parts of a ratio by their keys (``good``, ``bad``, ``total``, ``raw``)."""

    reader: DocumentReader
    node: yaml.Node
    field: str
    threshold: MetricSource | None = None
    ratio: Mapping[str, MetricSource] = dataclasses.field(default_factory=dict)


def read_inline_indicator(reader: DocumentReader, node: yaml.Node, field: str) -> Indicator | None:
    """An SLI written within an SLO."""
    values = reader.entries(node, field, INLINE_SLI)
    if values is None:
        return None
    if "kind" in values:
        reader.choice(values["kind"], f"{field}.kind", ["SLI"])
    if "metadata" in values:
        read_metadata(reader, values["metadata"], f"{field}.metadata")
    return read_indicator(reader, values["spec"], f"{field}.spec") if "spec" in values else None


def read_indicator(reader: DocumentReader, node: yaml.Node, field: str) -> Indicator | None:
    """The ``spec`` of an SLI; exactly one kind of metric makes it one."""
    values = reader.entries(node, field, SLI)
    if values is None:
        return None
    reader.description(values, field)
    threshold = ratio = None
    if "thresholdMetric" in values:
        threshold = _metric(reader, values["thresholdMetric"], f"{field}.thresholdMetric")
    if "ratioMetric" in values:
        ratio = _ratio(reader, values["ratioMetric"], f"{field}.ratioMetric")
    given = [name for name in ("thresholdMetric", "ratioMetric") if name in values]
    if len(given) != 1:
        said = "has both thresholdMetric and ratioMetric" if given else "has no metric"
        reader.note(node, field, said, "give exactly one of thresholdMetric | ratioMetric")
        return None
    if threshold is None and ratio is None:
        return None
    return Indicator(reader, node, field, threshold, ratio or {})


def _metric(reader: DocumentReader, node: yaml.Node, field: str) -> MetricSource | None:
    values = reader.entries(node, field, METRIC)
    if values is None or "metricSource" not in values:
        return None
    return _metric_source(reader, values["metricSource"], f"{field}.metricSource")


def _metric_source(reader: DocumentReader, node: yaml.Node, field: str) -> MetricSource | None:
    values = reader.entries(node, field, METRIC_SOURCE)
    if values is None:
        return None
    source = None
    if "metricSourceRef" in values:
        source = read_reference(reader, values["metricSourceRef"], f"{field}.metricSourceRef", "DataSource")
    kind = reader.optional_text(values, field, "type")
    if "type" not in values and "metricSourceRef" not in values:
        reader.note(node, f"{field}.type", "is missing", "add type:, or refer to a DataSource by metricSourceRef:")
        return None
    spec = values.get("spec")
    if spec is not None and reader.pairs(spec, f"{field}.spec") is None:
        return None
    return MetricSource(reader, node, field, kind, source, spec)


def _ratio(reader: DocumentReader, node: yaml.Node, field: str) -> dict[str, MetricSource] | None:
    values = reader.entries(node, field, RATIO)
    if values is None:
        return None
    sound = _ratio_shape(reader, node, field, values)
    found: dict[str, MetricSource] = {}
    for name in ("good", "bad", "total", "raw"):
        if name in values:
            source = _metric(reader, values[name], f"{field}.{name}")
            sound = sound and source is not None
            if source is not None:
                found[name] = source
    return found if sound else None


def _ratio_shape(reader: DocumentReader, node: yaml.Node, field: str, values: Values) -> bool:
    before = len(reader.problems)
    reader.boolean(values, field, "counter")
    if "rawType" in values:
        reader.choice(values["rawType"], f"{field}.rawType", RAW_TYPES)
    counts = [name for name in ("good", "bad", "total") if name in values]
    if "raw" in values:
        for name in counts:
            reader.note(values[name], f"{field}.{name}", "stands beside raw", "keep raw, or good or bad with total")
        if "rawType" not in values:
            reader.note(node, f"{field}.rawType", "is missing", "add rawType: success or rawType: failure")
        return len(reader.problems) == before
    if "rawType" in values:
        reader.note(values["rawType"], f"{field}.rawType", "belongs to raw only", "leave it out")
    if "total" not in values:
        reader.note(node, f"{field}.total", "is missing", "add total:, or give the ratio itself by raw:")
    if "good" in values and "bad" in values:
        reader.note(values["bad"], f"{field}.bad", "stands beside good", "keep one of them")
    elif "good" not in values and "bad" not in values:
        reader.note(node, field, "has neither good nor bad", "add one of them beside total")
    sound = len(reader.problems) == before
    if reader.strict and "counter" not in values:
        reader.note(node, f"{field}.counter", "is missing", "add counter: true or counter: false")
    return sound
