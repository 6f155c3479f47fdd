"""SLI kind ``spend``: money that requests cost, against an amount that may be spent within the SLO's window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from detectors.slo.kinds.cost import USD, read_usd
from detectors.slo.kinds.protocol import UNCOUNTED, Remark
from detectors.slo.kinds.values import Values
from detectors.slo.shapes import Key
from telemetry.matchers import Matchers
from telemetry.rules import MONEY_UNIT, RollupRule, Spent, Unpriced


@dataclass(frozen=True, slots=True)
class Spend:
    """The budget is money: ``budget_usd`` US dollars within the SLO's window, for each group.

    It burns at 1 when it is spent evenly, so that policies mean what they mean for other budgets: 14.4x over an hour of
    30 days are 2 % of the money. What was spent is known, not sampled: there is no objective, and nothing to gate.
    """

    kind: ClassVar[str] = "spend"
    keys: ClassVar[tuple[Key, ...]] = (Key("budget", USD, required=True),)
    slice_ns: ClassVar[None] = None
    budget_usd: float = field(metadata=UNCOUNTED)

    @property
    def allowance(self) -> int:
        """The budget in the parts in which money is counted."""
        return round(self.budget_usd * MONEY_UNIT)

    @classmethod
    def read(cls, values: Values) -> Self | None:
        """The SLI as written."""
        budget = read_usd(values, "budget")
        return None if budget is None else cls(budget)

    def rules(self, rule: str, where: Matchers, per: tuple[str, ...]) -> tuple[RollupRule, ...]:
        """What requests cost; and the requests of which nobody knows it, which are no proof of thrift."""
        return RollupRule(rule, where, per, Spent()), RollupRule(f"{rule}:unpriced", where, per, Unpriced())

    def slices(self, rule: str) -> None:  # part of the protocol
        """None: it counts money."""

    def complaint(self, share: str, whose: str) -> str:  # noqa: ARG002  # all of it is spent
        """What is wrong, in words."""
        return f"money{whose} is spent faster than a budget of {self.budget_usd:,.10g} USD lasts"

    def facts(self) -> dict[str, Any]:
        """What defines it."""
        return {"measure": "cost", "budget": self.budget_usd, "unit": "USD"}

    def lint(self, error_budget: float) -> Iterator[Remark]:  # noqa: ARG002  # part of the protocol
        """Nothing can be wrong with an amount."""
        yield from ()
