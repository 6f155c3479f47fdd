"""SLI kind ``errors``: requests without an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from detectors.slo.kinds.protocol import Remark
from detectors.slo.kinds.values import Values
from detectors.slo.shapes import Key
from telemetry.matchers import Matcher, Matchers
from telemetry.rules import NoError, RollupRule, Throttled
from telemetry.schema import THROTTLED_ERRORS

_THROTTLED: Final[tuple[Throttled, ...]] = ("bad", "ignore", "separate")


@dataclass(frozen=True, slots=True)
class Errors:
    """Good: the request has no error; ``throttled`` says what a refused one is."""

    kind: ClassVar[str] = "errors"
    keys: ClassVar[tuple[Key, ...]] = (Key("throttled", {"enum": list(_THROTTLED), "default": "bad"}),)
    slice_ns: ClassVar[None] = None
    throttled: Throttled = "bad"

    @classmethod
    def read(cls, values: Values) -> Self | None:
        """The SLI as written."""
        throttled = values.choice("throttled", _THROTTLED, "bad")
        return None if throttled is None else cls(throttled)

    def rules(self, rule: str, where: Matchers, per: tuple[str, ...]) -> tuple[RollupRule, ...]:
        """The requests; after them, for ``separate``, those that were refused."""
        own = RollupRule(rule, where, per, NoError(self.throttled))
        if self.throttled != "separate":
            return (own,)
        refused = Matcher("error_type", "=~", "|".join(sorted(THROTTLED_ERRORS)))
        return own, RollupRule(f"{rule}:throttled", Matchers((*where.items, refused)), per, NoError("bad"))

    def slices(self, rule: str) -> None:  # part of the protocol
        """None: it counts events."""

    def complaint(self, share: str, whose: str) -> str:
        """What is wrong, in words."""
        return f"{share} requests{whose} fail"

    def facts(self) -> dict[str, Any]:
        """What defines it."""
        return {"measure": "error_type", "throttled_is": self.throttled}

    def lint(self, error_budget: float) -> Iterator[Remark]:  # noqa: ARG002  # part of the protocol
        """Nothing can be wrong with it."""
        yield from ()
