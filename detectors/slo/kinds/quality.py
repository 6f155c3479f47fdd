"""SLI kind ``quality``: records that conform to a schema of their fields."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Self

import yaml

from detectors.slo.kinds.protocol import Remark
from detectors.slo.kinds.values import Values
from detectors.slo.nodes import kind_of
from detectors.slo.shapes import TEXT, TEXTS, Key, Schema
from telemetry.columns import number_text
from telemetry.conformance import VALUE_TYPES, Conforms, FieldCheck
from telemetry.matchers import Matchers
from telemetry.rules import RollupRule
from telemetry.schema import FIELD_BY_NAME, TEXT_LENGTH, is_log_home

_BOUND: Final[Schema] = {"type": ["number", "null"]}
_RANGE: Final[Schema] = {
    "type": "array", "prefixItems": [_BOUND, _BOUND], "minItems": 2, "maxItems": 2, "contains": {"type": "number"},
    "description": "[least, most], both allowed themselves; null for no bound",
}  # fmt: skip
_ALLOWED: Final[Schema] = {
    "type": "array", "items": {"anyOf": [TEXT, {"type": ["number", "boolean"]}]}, "minItems": 1,
}  # fmt: skip
_LONGEST: Final = TEXT_LENGTH - 1
"""Texts are kept to a length, so that a longer one cannot be told from one of that length."""
_LENGTH: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": _LONGEST}


def _by_field(name: str, schema: Schema) -> Key:
    return Key(name, {"type": "object", "additionalProperties": dict(schema), "minProperties": 1})


@dataclass(frozen=True, slots=True)
class Quality:
    """Good: the record has the ``required`` fields, and every value that it has passes the check of its field."""

    kind: ClassVar[str] = "quality"
    keys: ClassVar[tuple[Key, ...]] = (
        Key("require", {**TEXTS, "minItems": 1, "uniqueItems": True}),
        _by_field("types", {"enum": list(VALUE_TYPES)}),
        _by_field("ranges", _RANGE),
        _by_field("allowed", _ALLOWED),
        _by_field("patterns", TEXT),
        _by_field("max_length", _LENGTH),
    )
    slice_ns: ClassVar[None] = None
    required: tuple[str, ...]
    checks: tuple[FieldCheck, ...]

    @classmethod
    def read(cls, values: Values) -> Self | None:
        """The SLI as written; the order in which fields are named means nothing."""
        before = len(values.reader.problems)
        reader = _SchemaReader(values)
        required = reader.required()
        checks = reader.checks()
        return None if len(values.reader.problems) > before else cls(required, checks)

    def rules(self, rule: str, where: Matchers, per: tuple[str, ...]) -> tuple[RollupRule, ...]:
        """The records that have a field to be held against."""
        return (RollupRule(rule, where, per, Conforms(self.required, self.checks)),)

    def slices(self, rule: str) -> None:
        """None: it counts events."""

    def complaint(self, share: str, whose: str) -> str:
        """What is wrong, in words."""
        fields = sorted(Conforms(self.required, self.checks).names)
        return f"{share} records{whose} do not conform in {', '.join(fields)}"

    def facts(self) -> dict[str, Any]:
        """What defines it."""
        checks = {
            check.field: {key: value for key, value in asdict(check).items() if key != "field" and value is not None}
            for check in self.checks
        }
        return {"require": [*self.required]} | checks

    def lint(self, error_budget: float) -> Iterator[Remark]:  # noqa: ARG002  # part of the protocol
        """A schema that asks nothing, types that cannot fail, and fields that no single record has."""
        names = Conforms(self.required, self.checks).names
        if not names:
            yield Remark("", "error", "asks nothing of a record", "write require: [tokens_out], or a range")
        for check in self.checks:
            yield from _type_remarks(check)
        of_logs = sorted(filter(is_log_home, names))
        if of_logs and len(of_logs) < len(names):
            of_spans = sorted(names.difference(of_logs))
            message = f"a call is judged twice: as span by {', '.join(of_spans)}, as log by {', '.join(of_logs)}"
            yield Remark("", "warning", message, "write an SLO for each, unless that is meant")


def _type_remarks(check: FieldCheck) -> Iterator[Remark]:
    known = FIELD_BY_NAME.get(check.field)
    if known is None or check.type is None:
        return
    own, possible = ("text", "boolean") if known.kind == "string" else ("number", "integer")
    if check.type == own:
        message = f"{check.field} is always read as {own}"
        yield Remark("types", "warning", message, "leave it out; require the field if it must be there")
    elif check.type != possible:
        message = f"{check.field} is read as {own} and is never {check.type}"
        yield Remark("types", "error", message, f"write {possible}, or leave it out")


class _SchemaReader:
    """Reads what is asked of each field; problems go to the reader of ``values``."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.reader = values.reader

    def required(self) -> tuple[str, ...]:
        """The fields that must be there, sorted."""
        names = self.values.names("require", "[tokens_out, feature.length]") or []
        return tuple(sorted(name for _, _, name in names))

    def checks(self) -> tuple[FieldCheck, ...]:
        """The checks, sorted by field."""
        types = {name: self.reader.choice(node, at, VALUE_TYPES) for name, at, node in self._of("types")}
        ranges = {name: self._range(node, at) for name, at, node in self._of("ranges")}
        allowed = {name: self._allowed(node, at) for name, at, node in self._of("allowed")}
        patterns = {name: self._pattern(node, at) for name, at, node in self._of("patterns")}
        lengths = {name: self._length(node, at) for name, at, node in self._of("max_length")}
        return tuple(
            FieldCheck(
                name, types.get(name), *ranges.get(name, (None, None)), allowed.get(name), patterns.get(name),
                lengths.get(name),
            )
            for name in sorted({*types, *ranges, *allowed, *patterns, *lengths})
        )  # fmt: skip

    def _of(self, key: str) -> list[tuple[str, str, yaml.Node]]:
        """(field, place in the file, node) of everything under a key."""
        if key not in self.values.nodes:
            return []
        pairs = self.reader.pairs(self.values.nodes[key], self.values.at(key))
        if pairs == []:
            self.values.note(key, "names no field", "write field: what it must be, or leave the key out")
        return [(name, f"{self.values.at(key)}.{name}", node) for name, _, node in pairs or []]

    def _range(self, node: yaml.Node, field: str) -> tuple[float | None, float | None]:
        bounds = self.reader.items(node, field)
        if bounds is None:
            return None, None
        remedy = "write [least, most], such as [0, 130] or [0, null]"
        if len(bounds) != 2 or all(kind_of(child) == "null" for _, child in bounds):
            self.reader.note(node, field, "is not a least and a most", remedy)
            return None, None
        found: list[float | None] = []
        for place, child in bounds:
            number = yaml.safe_load(str(child.value)) if kind_of(child) in ("int", "float") else None
            if kind_of(child) != "null" and (number is None or not math.isfinite(number)):
                self.reader.note(child, place, f"{child.value!r} is not a number", remedy)
            found.append(None if number is None else float(number))
        low, high = found
        if low is not None and high is not None and low > high:
            self.reader.note(node, field, f"nothing is between {low:g} and {high:g}", remedy)
        return low, high

    def _allowed(self, node: yaml.Node, field: str) -> tuple[str, ...]:
        entries = self.reader.items(node, field)
        if entries == []:
            self.reader.note(node, field, "allows nothing", "list values, such as [stop, length]")
        return tuple(sorted({self._scalar(child, place) for place, child in entries or []}))

    def _scalar(self, node: yaml.Node, field: str) -> str:
        """A value as the text that a label of it has."""
        if kind_of(node) == "bool":
            return "true" if yaml.safe_load(str(node.value)) else "false"
        if kind_of(node) in ("int", "float"):
            return number_text(float(yaml.safe_load(str(node.value))))
        return self.reader.text(node, field) or ""

    def _pattern(self, node: yaml.Node, field: str) -> str | None:
        text = self.reader.text(node, field)
        try:
            re.compile(text or "")
        except re.error as error:
            self.reader.note(
                node, field, f"{text!r} is not a regular expression: {error}", "write one such as [A-Z]{2}"
            )
        return text

    def _length(self, node: yaml.Node, field: str) -> int | None:
        length = self.reader.count(node, field)
        if length is not None and length > _LONGEST:
            message = f"cannot be told: texts are kept to {TEXT_LENGTH} characters"
            self.reader.note(node, field, message, f"write at most {_LONGEST}")
        return length
