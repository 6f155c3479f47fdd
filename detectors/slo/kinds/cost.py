"""SLI kind ``cost``: requests that cost less than a bound, each or per 1,000 tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Self, cast

from detectors.slo.kinds.protocol import Remark
from detectors.slo.kinds.values import Values
from detectors.slo.nodes import kind_of
from detectors.slo.shapes import Key, Schema
from telemetry.matchers import Matchers
from telemetry.rules import Below, RollupRule

CostMeasure = Literal["request", "per_1k_tokens"]
_FIELDS: Final[Mapping[CostMeasure, str]] = {"request": "cost", "per_1k_tokens": "cost_per_1k_tokens"}
"""The canonical field behind each measure."""
USD: Final[Schema] = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^\s*\$\s*(?=[\d.]*[1-9])\d+(\.\d+)?\s*$"},
    ],
    "description": "US dollars: 0.002 or $0.002",
}
_PLAUSIBLE_USD: Final = 20.0
"""A request that may cost more is more likely cents, or a price per million tokens."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Good: the request cost less than ``below_usd`` US dollars, in all or per 1,000 tokens."""

    kind: ClassVar[str] = "cost"
    keys: ClassVar[tuple[Key, ...]] = (
        Key("measure", {"enum": list(_FIELDS)}, required=True),
        Key("below", USD, required=True),
    )
    slice_ns: ClassVar[None] = None
    measure: CostMeasure
    below_usd: float

    @classmethod
    def read(cls, values: Values) -> Self | None:
        """The SLI as written."""
        measure = values.choice("measure", cast("list[CostMeasure]", list(_FIELDS)))
        below = read_usd(values, "below")
        return None if measure is None or below is None else cls(measure, below)

    def rules(self, rule: str, where: Matchers, per: tuple[str, ...]) -> tuple[RollupRule, ...]:
        """The requests that have a cost."""
        return (RollupRule(rule, where, per, Below(_FIELDS[self.measure], self.below_usd)),)

    def slices(self, rule: str) -> None:
        """None: it counts events."""

    def complaint(self, share: str, whose: str) -> str:
        """What is wrong, in words."""
        per = " per 1k tokens" if self.measure == "per_1k_tokens" else ""
        return f"{share} requests{whose} cost {self.below_usd:g} USD or more{per}"

    def facts(self) -> dict[str, Any]:
        """What defines it."""
        return {"measure": _FIELDS[self.measure], "below": self.below_usd, "unit": "USD"}

    def lint(self, error_budget: float) -> Iterator[Remark]:  # noqa: ARG002  # part of the protocol
        """A threshold that is hardly meant."""
        if self.below_usd > _PLAUSIBLE_USD:
            remedy = "thresholds are US dollars: 0.002 for a fifth of a cent"
            yield Remark("below", "warning", f"{self.below_usd:g} US dollars is much for one request", remedy)


def read_usd(values: Values, key: str) -> float | None:
    """An amount above 0: ``0.002`` or ``$0.002``."""
    node = values.nodes.get(key)
    if node is None or kind_of(node) != "str":
        return values.number(key)
    found = re.fullmatch(r"\s*\$\s*(\d+(?:\.\d+)?)\s*", str(node.value))
    if found and float(found[1]) > 0:
        return float(found[1])
    values.note(key, f"{node.value!r} is not an amount", "write US dollars: 0.002 or $0.002")
    return None
