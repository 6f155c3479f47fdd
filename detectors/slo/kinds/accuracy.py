"""SLI kind ``accuracy``: labelled predictions that were right, counted when their label was given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from detectors.slo.kinds.protocol import UNCOUNTED, Remark
from detectors.slo.kinds.values import Values
from detectors.slo.shapes import COUNT, SWITCH, Key
from telemetry.matchers import Matchers
from telemetry.rules import Correct, Present, RollupRule
from telemetry.schema import DOUBT_RIGHT, DOUBT_WRONG

_MIN_LABELS: Final = 200
_TOO_FEW: Final = 100


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Good: the prediction was right, as its label says.

    An event is a label, at the time at which it was given: whenever one looks, everything known by then is counted,
    and what a window says never depends on which labels were quick to come. Its conditions and groups are those of the
    request. Predictions without a label are neither good nor bad.

    Attributes:
        estimate: whether the accuracy of unlabelled predictions is estimated from their confidence, for people to see.
        min_labels: labelled predictions of a group that have a confidence, without which nothing is estimated.
    """

    kind: ClassVar[str] = "accuracy"
    keys: ClassVar[tuple[Key, ...]] = (
        Key("estimate", {**SWITCH, "default": True}),
        Key("min_labels", {**COUNT, "default": _MIN_LABELS}),
    )
    slice_ns: ClassVar[None] = None
    estimate: bool = field(default=True, metadata=UNCOUNTED)
    min_labels: int = field(default=_MIN_LABELS, metadata=UNCOUNTED)

    @classmethod
    def read(cls, values: Values) -> Self | None:
        """The SLI as written."""
        estimate = values.switch("estimate", default=True)
        min_labels = values.count("min_labels", _MIN_LABELS)
        return None if estimate is None or min_labels is None else cls(estimate, min_labels)

    def rules(self, rule: str, where: Matchers, per: tuple[str, ...]) -> tuple[RollupRule, ...]:
        """Requests with labels, which are counted once the two have found each other; and all predictions."""
        return (
            RollupRule(rule, where, per, Correct(), (DOUBT_RIGHT, DOUBT_WRONG)),
            RollupRule(predictions_of(rule), where, per, Present(("prediction",)), ("doubt",)),
        )

    def slices(self, rule: str) -> None:  # part of the protocol
        """None: it counts labels."""

    def complaint(self, share: str, whose: str) -> str:
        """What is wrong, in words."""
        return f"{share} labelled predictions{whose} were wrong"

    def facts(self) -> dict[str, Any]:
        """What defines it."""
        return {"measure": "prediction", "counted": "labels"}

    def lint(self, error_budget: float) -> Iterator[Remark]:  # noqa: ARG002  # part of the protocol
        """Estimates from next to nothing."""
        if self.estimate and self.min_labels < _TOO_FEW:
            message = f"{self.min_labels} labels tell little about what a confidence means"
            yield Remark("min_labels", "warning", message, f"use {_MIN_LABELS}, or estimate: false")


def predictions_of(rule: str) -> str:
    """Id of the rule that counts all predictions beside the labelled ones of ``rule``."""
    return f"{rule}:predictions"
