"""``incidents`` of a scenario: what goes wrong, when and where. It lets nothing go wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import yaml

from detectors.slo.nodes import Reader, kind_of, suggestion
from detectors.slo.shapes import Key
from tailwatch.simulation.requests import Measures, read_factors
from tailwatch.simulation.scenario import Disturbance
from telemetry.windows import format_duration

_KEYS: Final = (
    Key("name", {}), Key("start", {}, required=True), Key("duration", {}, required=True), Key("ramp", {}),
    Key("where", {}), Key("errors", {}), Key("measures", {}), Key("portion", {}), Key("traffic", {}),
    Key("incident", {}), Key("slo", {}),
)  # fmt: skip
_EFFECTS: Final = ("errors", "measures", "traffic")


def read_disturbances(
    reader: Reader,
    node: yaml.Node | None,
    length_ns: int,
    labels: Mapping[str, Collection[str]],
    measures: Measures,
) -> tuple[Disturbance, ...]:
    """The disturbances of a run of ``length_ns`` whose slices have ``labels``."""
    entries = (reader.items(node, "incidents") or []) if node is not None else []
    found = [_read(reader, field, entry, length_ns, labels=labels, measures=measures) for field, entry in entries]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.start_ns))


def _read(
    reader: Reader,
    field: str,
    node: yaml.Node,
    length_ns: int,
    *,
    labels: Mapping[str, Collection[str]],
    measures: Measures,
) -> Disturbance | None:
    values = reader.mapping(node, field, _KEYS)
    if values is None:
        return None
    if not any(effect in values for effect in _EFFECTS):
        reader.note(node, field, "changes nothing", "give it errors:, measures: or traffic:")
    times = {key: _time(reader, values.get(key), f"{field}.{key}") for key in ("start", "duration", "ramp")}
    start_ns, duration_ns, ramp_ns = times["start"], times["duration"], times["ramp"] or 0
    if start_ns is not None and duration_ns is not None:
        if start_ns + duration_ns > length_ns:
            remedy = f"let it end within the {format_duration(length_ns)} of the simulation"
            reader.note(values["start"], f"{field}.start", "ends after the simulation", remedy)
        if ramp_ns > duration_ns:
            reader.note(values["ramp"], f"{field}.ramp", "is longer than it lasts", "write a shorter ramp")
    errors = reader.share(values["errors"], f"{field}.errors", "5%") if "errors" in values else 0.0
    portion = reader.share(values["portion"], f"{field}.portion", "20%") if "portion" in values else 1.0
    factors = read_factors(reader, values.get("measures"), f"{field}.measures", measures)
    traffic = _traffic(reader, values.get("traffic"), f"{field}.traffic")
    incident = reader.switch(values["incident"], f"{field}.incident") if "incident" in values else True
    texts = {key: reader.text(values[key], f"{field}.{key}") if key in values else None for key in ("name", "slo")}
    where = _where(reader, values.get("where"), f"{field}.where", labels)
    if start_ns is None or duration_ns is None or errors is None or portion is None or traffic is None:
        return None
    return Disturbance(
        texts["name"] or field, start_ns, duration_ns, ramp_ns, where, errors, factors, portion, traffic,
        incident=incident is not False, slo=texts["slo"],
    )  # fmt: skip


def _time(reader: Reader, node: yaml.Node | None, field: str) -> int | None:
    """Nanoseconds; 0 may be written."""
    if node is None:
        return None
    if kind_of(node) == "int" and str(node.value) == "0":
        return 0
    return reader.duration(node, field)


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
