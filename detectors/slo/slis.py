"""The ``sli`` of an SLO file read into the model: one reader for each kind. It judges no sense (that is lint)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final, cast

import yaml

from detectors.drift.compare import DEFAULT_ALPHA, DEFAULT_MIN_EFFECT, MIN_RECORDS
from detectors.slo.keys import (
    COST_KEYS,
    DRIFT_KEYS,
    ERRORS_KEYS,
    LATENCY_KEYS,
    QUANTILE_KEYS,
    QUANTILE_PATTERN,
    REFERENCE_KEYS,
    SLI_KEYS,
    THROTTLED,
)
from detectors.slo.nodes import Reader, kind_of, suggestion
from detectors.slo.spec import (
    COST_FIELDS,
    LATENCY_MEASURES,
    Cost,
    CostMeasure,
    Drift,
    Errors,
    FirstReference,
    Latency,
    LatencyMeasure,
    Quantile,
    RecentReference,
    Reference,
    Sli,
)
from detectors.slo.windows import DEFAULT_SLICE_NS, LONGEST_SLICE_NS
from telemetry.rules import Throttled
from telemetry.schema import FIELD_BY_NAME, is_feature
from telemetry.windows import BUCKET_NS, NANOS, format_duration, parse_duration

DEFAULT_REFERENCE: Final = RecentReference(parse_duration("1h"))
LONGEST_REFERENCE_NS: Final = parse_duration("7d")

Values = dict[str, yaml.Node]


class SliReader:
    """Reads the ``sli`` of one SLO; problems go to ``reader``."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def read(self, node: yaml.Node, field: str) -> Sli | None:
        """The SLI at ``field``, or None when it has a problem."""
        pairs = self.reader.pairs(node, field)
        if pairs is None:
            return None
        kinds = list(SLI_KEYS)
        for name, key, _ in pairs:
            if name not in SLI_KEYS:
                self.reader.note(key, f"{field}.{name}", "unknown kind of SLI", suggestion(name, kinds))
        known = [(name, value) for name, _, value in pairs if name in SLI_KEYS]
        if len(pairs) != 1:
            self.reader.note(node, field, f"has {len(pairs)} kinds", f"give exactly one of {' | '.join(kinds)}")
        return self._kind(known[0][0], known[0][1], f"{field}.{known[0][0]}") if known else None

    def _kind(self, kind: str, node: yaml.Node, field: str) -> Sli | None:
        match kind:
            case "errors":
                return self._errors(node, field)
            case "latency":
                return self._latency(node, field)
            case "quantile":
                return self._quantile(node, field)
            case "cost":
                return self._cost(node, field)
            case _:
                return self._drift(node, field)

    def _errors(self, node: yaml.Node, field: str) -> Sli | None:
        if kind_of(node) == "null":
            return Errors()
        values = self.reader.mapping(node, field, ERRORS_KEYS)
        if values is None or "throttled" not in values:
            return Errors()
        throttled = self.reader.choice(values["throttled"], f"{field}.throttled", THROTTLED)
        return Errors(cast("Throttled", throttled)) if throttled else None

    def _latency(self, node: yaml.Node, field: str) -> Sli | None:
        values = self.reader.mapping(node, field, LATENCY_KEYS) or {}
        measure = self._measure(values, field)
        below_ns = self._duration(values, field, "below", None)
        return None if measure is None or below_ns is None else Latency(measure, below_ns / NANOS)

    def _quantile(self, node: yaml.Node, field: str) -> Sli | None:
        values = self.reader.mapping(node, field, QUANTILE_KEYS) or {}
        measure = self._measure(values, field)
        q = self._q(values["quantile"], f"{field}.quantile") if "quantile" in values else None
        below_ns = self._duration(values, field, "below", None)
        slice_ns = self._slice(values, field)
        least = self._count(values, field, "min_events", None if q is None else math.ceil(round(1 / (1 - q), 6)))
        if measure is None or q is None or below_ns is None or least is None:
            return None
        return Quantile(measure, q, below_ns / NANOS, slice_ns, least)

    def _cost(self, node: yaml.Node, field: str) -> Sli | None:
        values = self.reader.mapping(node, field, COST_KEYS) or {}
        measures = cast("Sequence[CostMeasure]", list(COST_FIELDS))
        measure = self.reader.choice(values["measure"], f"{field}.measure", measures) if "measure" in values else None
        below = self._usd(values["below"], f"{field}.below") if "below" in values else None
        return None if measure is None or below is None else Cost(measure, below)

    def _drift(self, node: yaml.Node, field: str) -> Sli | None:
        values = self.reader.mapping(node, field, DRIFT_KEYS) or {}
        fields = self._fields(values["fields"], f"{field}.fields") if "fields" in values else None
        reference = (
            self._reference(values["reference"], f"{field}.reference") if "reference" in values else DEFAULT_REFERENCE
        )
        slice_ns = self._slice(values, field)
        alpha: float | None = DEFAULT_ALPHA
        if "alpha" in values:
            alpha = self.reader.share(values["alpha"], f"{field}.alpha", "0.001")
        effect: float | None = DEFAULT_MIN_EFFECT
        if "min_effect" in values:
            effect = self.reader.number(values["min_effect"], f"{field}.min_effect")
        least = self._count(values, field, "min_events", MIN_RECORDS)
        if fields is None or reference is None or alpha is None or effect is None or least is None:
            return None
        return Drift(fields, reference, slice_ns, alpha, effect, least)

    def _measure(self, values: Values, field: str) -> LatencyMeasure | None:
        if "measure" not in values:
            return None
        return self.reader.choice(values["measure"], f"{field}.measure", LATENCY_MEASURES)

    def _duration(self, values: Values, field: str, key: str, default: int | None) -> int | None:
        return self.reader.duration(values[key], f"{field}.{key}") if key in values else default

    def _count(self, values: Values, field: str, key: str, default: int | None) -> int | None:
        return self.reader.count(values[key], f"{field}.{key}") if key in values else default

    def _slice(self, values: Values, field: str) -> int:
        slice_ns = self._duration(values, field, "slice", DEFAULT_SLICE_NS)
        if slice_ns is not None and (slice_ns % BUCKET_NS or slice_ns > LONGEST_SLICE_NS):
            self.reader.note(
                values["slice"], f"{field}.slice", f"{format_duration(slice_ns)} is not a length that a slice can have",
                "write a multiple of 10s, at most 1h",
            )  # fmt: skip
        return slice_ns or DEFAULT_SLICE_NS

    def _q(self, node: yaml.Node, field: str) -> float | None:
        found = re.match(QUANTILE_PATTERN, str(node.value)) if kind_of(node) == "str" else None
        if found is None:
            return self.reader.share(node, field, "p99")
        q = round(float(found[1]) / 100, 12)
        if 0 < q < 1:
            return q
        self.reader.note(node, field, f"{node.value} is not a quantile between 0 and 1", "write p50, p95, p99 or p99.9")
        return None

    def _usd(self, node: yaml.Node, field: str) -> float | None:
        if kind_of(node) == "str":
            found = re.fullmatch(r"\s*\$\s*(\d+(?:\.\d+)?)\s*", str(node.value))
            if found and float(found[1]) > 0:
                return float(found[1])
            self.reader.note(node, field, f"{node.value!r} is not an amount", "write US dollars: 0.002 or $0.002")
            return None
        return self.reader.number(node, field)

    def _fields(self, node: yaml.Node, field: str) -> tuple[str, ...] | None:
        texts = self.reader.texts(node, field)
        if texts is None:
            return None
        if not texts:
            self.reader.note(node, field, "names no field", "list fields, such as [tokens_in, feature.length]")
        names: list[str] = []
        for place, child, name in texts:
            if name in names:
                self.reader.note(child, place, f"{name} is listed twice", "keep one of them")
            elif name not in FIELD_BY_NAME and not is_feature(name):
                remedy = f"{suggestion(name, list(FIELD_BY_NAME))} A model input is feature.<name>."
                self.reader.note(child, place, f"{name} is not a field", remedy)
            names.append(name)
        return tuple(names)

    def _reference(self, node: yaml.Node, field: str) -> Reference | None:
        values = self.reader.mapping(node, field, REFERENCE_KEYS)
        if values is None:
            return None
        if len(values) != 1:
            self.reader.note(node, field, f"has {len(values)} definitions", "write {window: 1h} or {first: 500 events}")
            return None
        if "window" in values:
            window_ns = self.reader.duration(values["window"], f"{field}.window")
            if window_ns is not None and not BUCKET_NS <= window_ns <= LONGEST_REFERENCE_NS:
                remedy = "write between 10s and 7d, or {first: 500 events}"
                self.reader.note(values["window"], f"{field}.window", "is too short or too long", remedy)
            return None if window_ns is None else RecentReference(window_ns)
        first = values["first"]
        events = re.fullmatch(r"\s*(\d*[1-9]\d*)\s+events\s*", str(first.value)) if kind_of(first) == "str" else None
        count = int(events[1]) if events else self.reader.count(first, f"{field}.first")
        return None if count is None else FirstReference(count)
