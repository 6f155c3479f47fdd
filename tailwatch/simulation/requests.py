"""``errors``, ``measures`` and ``slices`` of a scenario: what requests are like. It draws none."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Final

import yaml

from detectors.slo.nodes import Reader, suggestion
from detectors.slo.shapes import Key
from tailwatch.simulation.scenario import Component, Failures, Slice
from telemetry.schema import FIELD_BY_NAME, NUMBER_FIELDS, is_feature

Measures = Mapping[str, tuple[Component, ...]]

_ERROR_KEYS: Final = (Key("rate", {}, required=True), Key("dispersion", {}), Key("block", {}), Key("types", {}))
_COMPONENT_KEYS: Final = (Key("share", {}), Key("median", {}, required=True), Key("sigma", {}, required=True))
_SLICE_KEYS: Final = (
    Key("share", {}), Key("labels", {}, required=True), Key("errors", {}), Key("measures", {}), Key("mistakes", {}),
)  # fmt: skip
_WHOLE: Final = (Slice(1.0, {}),)


def read_failures(reader: Reader, node: yaml.Node | None) -> Failures:
    """How requests fail; without ``errors`` none does by itself."""
    default = Failures(0.0)
    values = None if node is None else reader.mapping(node, "errors", _ERROR_KEYS)
    if values is None or "rate" not in values:
        return default
    rate = reader.share(values["rate"], "errors.rate", "0.1%")
    dispersion = reader.number(values["dispersion"], "errors.dispersion") if "dispersion" in values else 1.0
    block = reader.count(values["block"], "errors.block") if "block" in values else default.block
    types = default.types
    if "types" in values:
        pairs = reader.pairs(values["types"], "errors.types") or []
        weights = [(name, reader.number(value, f"errors.types.{name}")) for name, _, value in pairs]
        types = tuple((name, weight) for name, weight in weights if weight is not None) or types
    if dispersion is not None and block is not None and not 1 <= dispersion < max(block, 1.0 + 1e-9):
        remedy = f"write at least 1 (independent) and less than the block ({block})"
        reader.note(values["dispersion"], "errors.dispersion", f"{dispersion:g} is no dispersion of a block", remedy)
        return default
    if rate is None or dispersion is None or block is None:
        return default
    return Failures(rate, dispersion, block, types)


def read_measures(reader: Reader, node: yaml.Node | None) -> Measures:
    """The mixture of each numeric field."""
    found: dict[str, tuple[Component, ...]] = {}
    for name, key, value in (reader.pairs(node, "measures") or []) if node is not None else []:
        field = f"measures.{name}"
        if name not in NUMBER_FIELDS and not is_feature(name):
            reader.note(key, field, f"{name} is no numeric field", suggestion(name, NUMBER_FIELDS))
            continue
        entries = reader.items(value, field) if isinstance(value, yaml.SequenceNode) else [(field, value)]
        parts = [_component(reader, name, at, one) for at, one in entries or []]
        components = tuple(part for part in parts if part is not None)
        if components and len(components) == len(parts):
            _check_sum(reader, value, field, [part.share for part in components])
            found[name] = components
        elif not parts:
            reader.note(value, field, "is a mixture of nothing", "write {median: 400ms, sigma: 0.5}")
    return found


def read_slices(reader: Reader, node: yaml.Node | None, measures: Measures) -> tuple[Slice, ...]:
    """The slices of the traffic; one of all requests without ``slices``."""
    if node is None:
        return _WHOLE
    found = []
    entries = reader.items(node, "slices") or []
    for field, entry in entries:
        values = reader.mapping(entry, field, _SLICE_KEYS)
        if values is None:
            continue
        share = reader.share(values["share"], f"{field}.share", "40%") if "share" in values else 1.0
        pairs = reader.pairs(values["labels"], f"{field}.labels") or [] if "labels" in values else []
        labels = {name: reader.text(value, f"{field}.labels.{name}") or "" for name, _, value in pairs}
        for name, key, _ in pairs:
            if name in NUMBER_FIELDS or name == "error_type":
                remedy = "give it under measures: or errors:"
                reader.note(key, f"{field}.labels.{name}", f"{name} is no label of a slice", remedy)
        errors, mistakes = (
            reader.number(values[key], f"{field}.{key}") if key in values else 1.0 for key in ("errors", "mistakes")
        )
        factors = read_factors(reader, values.get("measures"), f"{field}.measures", measures)
        if share is not None and errors is not None and mistakes is not None:
            found.append(Slice(share, labels, errors, factors, mistakes))
    if found and len(found) == len(entries):
        _check_sum(reader, node, "slices", [piece.share for piece in found])
    return tuple(found) or _WHOLE


def read_factors(
    reader: Reader, node: yaml.Node | None, field: str, known: Collection[str], what: str = "measures"
) -> dict[str, float]:
    """Factors by name, each of which the scenario has under ``what``."""
    found = {}
    for name, key, value in (reader.pairs(node, field) or []) if node is not None else []:
        factor = reader.number(value, f"{field}.{name}")
        if name not in known:
            remedy = suggestion(name, sorted(known)) if known else f"add it under {what}:"
            reader.note(key, f"{field}.{name}", f"{name} is not among the scenario's {what}", remedy)
        elif factor is not None:
            found[name] = factor
    return found


def _component(reader: Reader, measure: str, field: str, node: yaml.Node) -> Component | None:
    values = reader.mapping(node, field, _COMPONENT_KEYS)
    if values is None or "median" not in values or "sigma" not in values:
        return None
    share = reader.share(values["share"], f"{field}.share", "90%") if "share" in values else 1.0
    timed = measure in FIELD_BY_NAME and FIELD_BY_NAME[measure].unit == "s"
    median: float | None
    if timed:
        median_ns = reader.duration(values["median"], f"{field}.median")
        median = None if median_ns is None else median_ns / 1e9
    else:
        median = reader.number(values["median"], f"{field}.median")
    sigma = reader.number(values["sigma"], f"{field}.sigma")
    if share is None or median is None or sigma is None:
        return None
    return Component(share, median, sigma)


def _check_sum(reader: Reader, node: yaml.Node, field: str, shares: list[float]) -> None:
    if not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        reader.note(node, field, f"the shares add up to {100 * sum(shares):.6g} %", "make them add up to 100%")
