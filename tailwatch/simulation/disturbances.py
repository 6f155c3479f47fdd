"""``incidents`` of a scenario: what goes wrong, when and where. It lets nothing go wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from detectors.slo.nodes import Reader, kind_of, suggestion
from detectors.slo.shapes import Key
from tailwatch.simulation.predicting import read_share, read_trouble
from tailwatch.simulation.requests import read_factors
from tailwatch.simulation.scenario import Disturbance, Gauge, Slice
from tailwatch.simulation.times import read_time
from telemetry.windows import format_duration

_KEYS: Final = (
    Key("name", {}), Key("start", {}, required=True), Key("duration", {}, required=True), Key("ramp", {}),
    Key("where", {}), Key("errors", {}), Key("measures", {}), Key("portion", {}), Key("traffic", {}),
    Key("missing", {}), Key("gauges", {}), Key("mistakes", {}), Key("labels", {}), Key("silent", {}), Key("delay", {}),
    Key("incident", {}), Key("slo", {}),
)  # fmt: skip
_EFFECTS: Final = ("errors", "measures", "traffic", "missing", "gauges", "mistakes", "labels", "silent", "delay")


@dataclass(frozen=True, slots=True)
class Stage:
    """What incidents of a scenario can strike."""

    length_ns: int
    slices: tuple[Slice, ...]
    measures: Collection[str]
    gauges: tuple[Gauge, ...]
    predicts: bool

    @property
    def labels(self) -> Mapping[str, Collection[str]]:
        """The values of each label that a slice or a gauge has."""
        found: dict[str, set[str]] = {}
        for labels in (*(piece.labels for piece in self.slices), *(one.labels for one in self.gauges)):
            for name, text in labels.items():
                found.setdefault(name, set()).add(text)
        return found


def read_disturbances(reader: Reader, node: yaml.Node | None, stage: Stage) -> tuple[Disturbance, ...]:
    """What goes wrong on ``stage``, by start."""
    entries = (reader.items(node, "incidents") or []) if node is not None else []
    found = [_read(reader, field, entry, stage) for field, entry in entries]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.start_ns))


def _read(reader: Reader, field: str, node: yaml.Node, stage: Stage) -> Disturbance | None:
    values = reader.mapping(node, field, _KEYS)
    if values is None:
        return None
    if not any(effect in values for effect in _EFFECTS):
        reader.note(node, field, "changes nothing", f"give it one of {', '.join(f'{one}:' for one in _EFFECTS)}")
    times = {key: read_time(reader, values.get(key), f"{field}.{key}") for key in ("start", "duration", "ramp")}
    start_ns, duration_ns, ramp_ns = times["start"], times["duration"], times["ramp"] or 0
    if duration_ns == 0:
        reader.note(values["duration"], f"{field}.duration", "is no time at all", "write a duration such as 40m")
    if start_ns is not None and duration_ns is not None:
        if start_ns + duration_ns > stage.length_ns:
            remedy = f"let it end within the {format_duration(stage.length_ns)} of the simulation"
            reader.note(values["start"], f"{field}.start", "ends after the simulation", remedy)
        if ramp_ns > duration_ns:
            reader.note(values["ramp"], f"{field}.ramp", "is longer than it lasts", "write a shorter ramp")
    shares = {
        key: read_share(reader, values.get(key), f"{field}.{key}", "20%", default)
        for key, default in (("errors", 0.0), ("portion", 1.0), ("mistakes", 0.0))
    }
    errors, portion, mistakes = shares["errors"], shares["portion"], shares["mistakes"]
    factors = read_factors(reader, values.get("measures"), f"{field}.measures", stage.measures)
    traffic = _traffic(reader, values.get("traffic"), f"{field}.traffic")
    switches = {key: reader.switch(values[key], f"{field}.{key}") for key in ("incident", "silent") if key in values}
    delay_ns = reader.duration(values["delay"], f"{field}.delay") if "delay" in values else 0
    texts = {key: reader.text(values[key], f"{field}.{key}") if key in values else None for key in ("name", "slo")}
    where = _where(reader, values.get("where"), f"{field}.where", stage.labels)
    gauges = _gauges(reader, values.get("gauges"), f"{field}.gauges", stage, where)
    missing = _missing(reader, values.get("missing"), f"{field}.missing", stage)
    labels = read_trouble(reader, values.get("labels"), f"{field}.labels")
    for key in ("mistakes", "labels"):
        if key in values and not stage.predicts:
            reader.note(values[key], f"{field}.{key}", "requests predict nothing", "add predictions: to the scenario")
    if start_ns is None or duration_ns is None or errors is None or portion is None or traffic is None:
        return None
    return Disturbance(
        texts["name"] or field, start_ns, duration_ns, ramp_ns, where, errors, factors, portion, traffic,
        incident=switches.get("incident") is not False, slo=texts["slo"], gauges=gauges, missing=missing,
        mistakes=mistakes or 0.0, labels=labels, silent=switches.get("silent") is True, delay_ns=delay_ns or 0,
    )  # fmt: skip


def _gauges(
    reader: Reader, node: yaml.Node | None, field: str, stage: Stage, where: Mapping[str, str]
) -> dict[str, float]:
    """Factors by gauge, each of which strikes a series."""
    factors = read_factors(reader, node, field, {one.key for one in stage.gauges}, "gauges")
    for key in factors:
        own = [one for one in stage.gauges if one.key == key]
        if not any(all(one.labels.get(name) == text for name, text in where.items()) for one in own):
            remedy = "name labels of the gauge under where:, or leave where: out"
            assert node is not None
            reader.note(node, f"{field}.{key}", "no series of it has the labels of where:", remedy)
    return factors


def _missing(reader: Reader, node: yaml.Node | None, field: str, stage: Stage) -> dict[str, float]:
    """The share of requests that lack each measure."""
    found = {}
    for name, key, value in (reader.pairs(node, field) or []) if node is not None else []:
        share = read_share(reader, value, f"{field}.{name}", "30%")
        if name not in stage.measures:
            known = suggestion(name, sorted(stage.measures)) if stage.measures else "add it under measures:"
            reader.note(key, f"{field}.{name}", f"{name} is not among the scenario's measures", known)
        elif share is not None:
            found[name] = share
    return found


def _traffic(reader: Reader, node: yaml.Node | None, field: str) -> float | None:
    """A factor; 0 may be written."""
    if node is None:
        return 1.0
    if kind_of(node) == "int" and str(node.value) == "0":
        return 0.0
    return reader.number(node, field)


def _where(reader: Reader, node: yaml.Node | None, field: str, labels: Mapping[str, Collection[str]]) -> dict[str, str]:
    found = {}
    for name, key, value in (reader.pairs(node, field) or []) if node is not None else []:
        text = reader.text(value, f"{field}.{name}")
        if name not in labels:
            known = suggestion(name, sorted(labels)) if labels else "write slices: with that label"
            reader.note(key, f"{field}.{name}", f"no slice has a label {name}", known)
        elif text is not None and text not in labels[name]:
            reader.note(value, f"{field}.{name}", f"no slice has {name}={text}", suggestion(text, sorted(labels[name])))
        elif text is not None:
            found[name] = text
    return found
