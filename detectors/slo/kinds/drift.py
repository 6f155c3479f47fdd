"""SLI kind ``drift``: slices of time in which no named field is distributed otherwise than in a reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from detectors.drift.compare import DEFAULT_ALPHA, DEFAULT_MIN_EFFECT, MIN_RECORDS, compare
from detectors.slo.distribution_slices import Distributions, SliceBook, records
from detectors.slo.kinds.protocol import Remark
from detectors.slo.kinds.values import MIN_EVENTS_KEY, SLICE_KEY, Values
from detectors.slo.nodes import kind_of, suggestion
from detectors.slo.reference import FirstReference, RecentReference, Reference
from detectors.slo.shapes import COUNT, DURATION, POSITIVE, SHARE, TEXTS, Key, mapping_schema
from detectors.slo.slices import Verdict
from telemetry.matchers import Matchers
from telemetry.rules import Present, RollupRule
from telemetry.schema import FIELD_BY_NAME, is_feature
from telemetry.windows import BUCKET_NS, NANOS, format_duration, parse_duration

_DEFAULT_REFERENCE: Final = RecentReference(parse_duration("1h"))
_LONGEST_REFERENCE_NS: Final = parse_duration("7d")
_EVENTS_PATTERN: Final = r"^\s*(\d*[1-9]\d*)\s+events\s*$"
_REFERENCE_KEYS: Final = (
    Key("window", DURATION),
    Key("first", {"anyOf": [COUNT, {"type": "string", "pattern": _EVENTS_PATTERN}]}),
)


@dataclass(frozen=True, slots=True)
class Drift:
    """Good: a slice of time in which no field's distribution differs from the reference's.

    Attributes:
        fields: canonical fields or ``feature.<name>``.
        reference: what a slice is compared with.
        slice_ns: length of a slice.
        alpha: probability of calling a slice drifted when nothing has changed.
        min_effect: the smallest effect that matters, see :mod:`detectors.drift.compare`.
        min_events: events of a field below which it is not judged.
    """

    kind: ClassVar[str] = "drift"
    keys: ClassVar[tuple[Key, ...]] = (
        Key("fields", {**TEXTS, "minItems": 1, "uniqueItems": True}, required=True),
        Key("reference", mapping_schema(_REFERENCE_KEYS, minProperties=1, maxProperties=1)),
        SLICE_KEY, Key("alpha", SHARE), Key("min_effect", POSITIVE), MIN_EVENTS_KEY,
    )  # fmt: skip
    fields: tuple[str, ...]
    reference: Reference
    slice_ns: int
    alpha: float
    min_effect: float
    min_events: int

    @classmethod
    def read(cls, values: Values) -> Self | None:
        """The SLI as written."""
        fields = _read_fields(values)
        reference = _read_reference(values)
        slice_ns = values.slice_ns()
        alpha = values.share("alpha", "0.001", DEFAULT_ALPHA)
        effect = values.number("min_effect", DEFAULT_MIN_EFFECT)
        least = values.count("min_events", MIN_RECORDS)
        if fields is None or reference is None or alpha is None or effect is None or least is None:
            return None
        return cls(fields, reference, slice_ns, alpha, effect, least)

    def rules(self, rule: str, where: Matchers, per: tuple[str, ...]) -> tuple[RollupRule, ...]:
        """The distributions of the fields."""
        return (RollupRule(rule, where, per, Present(self.fields), self.fields),)

    def slices(self, rule: str) -> SliceBook:
        """A new book of its slices."""
        return SliceBook(self, rule)

    def judge(self, current: Distributions, reference: Distributions) -> Verdict:
        """The verdict over one slice: bad when a field differs, by evidence and by effect."""
        counts = {
            "events": max(map(records, current.values()), default=0),
            "reference_events": max(map(records, reference.values()), default=0),
        }
        result = compare(reference, current, alpha=self.alpha, min_effect=self.min_effect, min_records=self.min_events)
        if not result.enough_data:
            return Verdict(None, {**counts, "min_events": self.min_events})
        return Verdict(not result.drifted, {**counts, "drift": result.evidence()})

    def complaint(self, share: str, whose: str) -> str:
        """What is wrong, in words."""
        slices = f"{share} slices of {format_duration(self.slice_ns)}"
        return f"{', '.join(self.fields)}{whose} drifted from the reference in {slices}"

    def facts(self) -> dict[str, Any]:
        """What defines it."""
        slice_s = self.slice_ns / NANOS
        return {"fields": [*self.fields], "alpha": self.alpha, "min_effect": self.min_effect, "slice_s": slice_s}

    def lint(self, error_budget: float) -> Iterator[Remark]:
        """False alarms that would spend the budget, and references too small to compare with."""
        if self.alpha > error_budget / 2:
            message = f"alpha {self.alpha:g} alone takes most of the {error_budget:g} bad slices allowed"
            yield Remark("alpha", "warning", message, f"use at most {error_budget / 10:g}")
        match self.reference:
            case RecentReference(window_ns) if window_ns < 3 * self.slice_ns:
                message = f"{window_ns / NANOS:g} s holds fewer than three slices"
                yield Remark("reference", "warning", message, "use a longer reference or a shorter slice")
            case FirstReference(events) if events < self.min_events:
                message = f"{events} events are fewer than the {self.min_events} that a field needs to be judged"
                yield Remark("reference", "error", message, f"use at least {max(500, self.min_events)} events")
            case _:
                return


def _read_fields(values: Values) -> tuple[str, ...] | None:
    names = values.names("fields", "[tokens_in, feature.length]")
    if names is None:
        return None
    for place, child, name in names:
        if name not in FIELD_BY_NAME and not is_feature(name):
            remedy = f"{suggestion(name, list(FIELD_BY_NAME))} A model input is feature.<name>."
            values.reader.note(child, place, f"{name} is not a field", remedy)
    return tuple(name for _, _, name in names)


def _read_reference(values: Values) -> Reference | None:
    if "reference" not in values.nodes:
        return _DEFAULT_REFERENCE
    field, node = values.at("reference"), values.nodes["reference"]
    nodes = values.reader.mapping(node, field, _REFERENCE_KEYS)
    if nodes is None:
        return None
    if len(nodes) != 1:
        values.note("reference", f"has {len(nodes)} definitions", "write {window: 1h} or {first: 500 events}")
        return None
    inner = Values(values.reader, field, nodes)
    if "window" in nodes:
        window_ns = inner.duration_ns("window")
        if window_ns is not None and not BUCKET_NS <= window_ns <= _LONGEST_REFERENCE_NS:
            inner.note("window", "is too short or too long", "write between 10s and 7d, or {first: 500 events}")
        return None if window_ns is None else RecentReference(window_ns)
    first = nodes["first"]
    found = re.fullmatch(_EVENTS_PATTERN, str(first.value)) if kind_of(first) == "str" else None
    count = int(found[1]) if found else inner.count("first")
    return None if count is None else FirstReference(count)
