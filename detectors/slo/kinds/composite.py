"""SLI kind ``composite``: slices of time, each as good as the weighted mean of other SLOs' shares of good."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from detectors.slo.combined import CombinedSlices, Source
from detectors.slo.kinds.protocol import UNCOUNTED, Remark
from detectors.slo.kinds.values import SLICE_KEY, Values
from detectors.slo.shapes import POSITIVE, TEXT, Key, mapping_schema
from telemetry.matchers import Matchers
from telemetry.rules import RollupRule
from telemetry.windows import NANOS

_COMPONENT_KEYS: Final = (Key("slo", TEXT, required=True), Key("weight", {**POSITIVE, "default": 1}))


@dataclass(frozen=True, slots=True)
class Component:
    """Another SLO's part in a composite.

    Attributes:
        slo: its name.
        weight: of its share of good.
        meaning: id of the rule that counts it where it stands for itself; empty until it is found.
        unit: parts in which it counts slices of time; None where it counts events, which are counted here anew.
    """

    slo: str
    weight: float = 1.0
    meaning: str = ""
    unit: int | None = None


@dataclass(frozen=True, slots=True)
class Composite:
    """A slice of time is as good as the weighted mean of its components' shares of good in it.

    Components that count events are counted by rules of the composite's own, so that it has a history, groups and late
    data like any other SLO. Of those that judge slices of time the verdicts are followed.

    Attributes:
        components: what it is made of, at least one.
        slice_ns: length of a slice.
        counted: the components' rules as they count for themselves, those without ``unit`` in their order.
        per: the fields of its groups.
    """

    kind: ClassVar[str] = "composite"
    keys: ClassVar[tuple[Key, ...]] = (
        Key("of", {"type": "array", "items": mapping_schema(_COMPONENT_KEYS), "minItems": 1}, required=True),
        SLICE_KEY,
    )
    components: tuple[Component, ...]
    slice_ns: int
    counted: tuple[RollupRule, ...] = field(default=(), metadata=UNCOUNTED)
    per: tuple[str, ...] = field(default=(), metadata=UNCOUNTED)

    @classmethod
    def read(cls, values: Values) -> Self | None:
        """The SLI as written; which SLOs its components are shows when all files are read."""
        slice_ns = values.slice_ns()
        components = _read_components(values)
        return None if components is None else cls(components, slice_ns)

    def rules(self, rule: str, where: Matchers, per: tuple[str, ...]) -> tuple[RollupRule, ...]:  # noqa: ARG002
        """The events of the components, with their own conditions, by the composite's groups."""
        return tuple(RollupRule(_part(rule, place), own.where, per, own.good) for place, own in enumerate(self.counted))

    def slices(self, rule: str) -> CombinedSlices:
        """A new book of its slices."""
        own = rule.rpartition(":")[0]
        sources = []
        events = 0
        for component in self.components:
            if component.unit is None:
                sources.append(Source(component.slo, component.weight, _part(own, events)))
                events += 1
            else:
                sources.append(Source(component.slo, component.weight, component.meaning, component.unit))
        return CombinedSlices(rule, self.slice_ns, sources, self.per)

    def complaint(self, share: str, whose: str) -> str:
        """What is wrong, in words."""
        names = ", ".join(component.slo for component in self.components)
        return f"{share} what {names}{whose} promise together is not kept"

    def facts(self) -> dict[str, Any]:
        """What defines it."""
        weights = {component.slo: component.weight for component in self.components}
        return {"of": weights, "slice_s": self.slice_ns / NANOS}

    def lint(self, error_budget: float) -> Iterator[Remark]:  # noqa: ARG002  # part of the protocol
        """A composite of one."""
        if len(self.components) == 1:
            message = f"{self.components[0].slo} alone is no composite"
            yield Remark("of", "warning", message, "add another SLO, or use ratio-timeslices there")


def _part(rule: str, place: int) -> str:
    """Id of the rule that counts one component; the first is the SLO's own, with which its verdicts are made anew."""
    return rule if place == 0 else f"{rule}:{place}"


def _read_components(values: Values) -> tuple[Component, ...] | None:
    if "of" not in values.nodes:
        return None
    reader, before = values.reader, len(values.reader.problems)
    entries = reader.items(values.nodes["of"], values.at("of"))
    if entries is not None and not entries:
        remedy = "list components, such as [{slo: chat-latency, weight: 3}, {slo: chat-errors}]"
        values.note("of", "names no SLO", remedy)
    components: list[Component] = []
    for place, node in entries or []:
        nodes = reader.mapping(node, place, _COMPONENT_KEYS)
        if nodes is None:
            continue
        inner = Values(reader, place, nodes)
        name, weight = inner.text("slo"), inner.number("weight", 1.0)
        if name is not None and name in {component.slo for component in components}:
            inner.note("slo", f"{name} is a component already", "keep one of them, with both weights together")
        if name is not None and weight is not None:
            components.append(Component(name, weight))
    return None if len(reader.problems) > before else tuple(components)
