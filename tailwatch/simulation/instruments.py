"""``gauges`` of a scenario: what the processes of the service measure of themselves. It draws nothing."""

from __future__ import annotations

from typing import Final

import yaml

from detectors.slo.nodes import Reader
from detectors.slo.shapes import Key
from tailwatch.simulation.scenario import Gauge
from telemetry.metric_names import GAUGE_ROLES, KNOWN_METRICS
from telemetry.windows import NANOS

_KEYS: Final = (
    Key("median", {}, required=True), Key("sigma", {}), Key("load", {}), Key("highest", {}), Key("memory", {}),
    Key("labels", {}),
)  # fmt: skip
_DEFAULT_SIGMA: Final = 0.1
_DEFAULT_MEMORY_NS: Final = 60 * NANOS


def read_gauges(reader: Reader, node: yaml.Node | None) -> tuple[Gauge, ...]:
    """The series of each gauge: one, or a list of them."""
    found: list[Gauge] = []
    for name, key, value in (reader.pairs(node, "gauges") or []) if node is not None else []:
        field = f"gauges.{name}"
        known = KNOWN_METRICS.get(name)
        if known is not None and known.kind != "gauge":
            reader.note(key, field, f"{name} is a {known.kind} and no gauge", "name a gauge")
        entries = reader.items(value, field) if isinstance(value, yaml.SequenceNode) else [(field, value)]
        if entries == []:
            reader.note(value, field, "has no series", "write {median: 0.4, sigma: 0.1}")
        own = [_read(reader, name, at, one) for at, one in entries or []]
        labels = [series.labels for series in own if series is not None]
        if any(one in labels[:place] for place, one in enumerate(labels)):
            remedy = "give each labels of its own, such as labels: {instance: a}"
            reader.note(value, field, "has two series with the same labels", remedy)
        found.extend(series for series in own if series is not None)
    return tuple(found)


def _read(reader: Reader, key: str, field: str, node: yaml.Node) -> Gauge | None:
    values = reader.mapping(node, field, _KEYS)
    if values is None:
        return None
    numbers = {
        name: reader.number(values[name], f"{field}.{name}") if name in values else default
        for name, default in (("median", None), ("sigma", _DEFAULT_SIGMA), ("load", 0.0), ("highest", None))
    }
    memory_ns = reader.duration(values["memory"], f"{field}.memory") if "memory" in values else _DEFAULT_MEMORY_NS
    pairs = reader.pairs(values["labels"], f"{field}.labels") or [] if "labels" in values else []
    labels = {name: reader.text(value, f"{field}.labels.{name}") or "" for name, _, value in pairs}
    for name, at, _ in pairs:
        if name == "service":
            reader.note(at, f"{field}.labels.service", "the service is the scenario's", "leave it out")
    median, sigma, load, highest = numbers["median"], numbers["sigma"], numbers["load"], numbers["highest"]
    if median is None or sigma is None or load is None or memory_ns is None:
        return None
    if highest is not None and median > highest:
        reader.note(values["median"], f"{field}.median", f"is above the highest value, {highest:g}", "lower it")
    name = min(GAUGE_ROLES[key]) if key in GAUGE_ROLES else key
    return Gauge(key, name, labels, median, sigma, load, highest, memory_ns)
