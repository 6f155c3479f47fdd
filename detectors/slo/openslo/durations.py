r"""OpenSLO's shorthand for durations, ``\d+[mhdwMQY]``; it has no seconds and no fractions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, cast

from telemetry.windows import NANOS

Unit = Literal["m", "h", "d", "w", "M", "Q", "Y"]

UNITS: Final = "minutes m, hours h, days d, weeks w, months M, quarters Q, years Y"
_SHORTHAND: Final = re.compile(r"(\d{1,9})([mhdwMQY])")
_SECONDS: Final = {
    "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 30 * 86400, "Q": 90 * 86400, "Y": 365 * 86400,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shorthand:
    """``count`` units of time."""

    count: int
    unit: Unit

    @property
    def is_calendar(self) -> bool:
        """Whether its length differs from one calendar period to the next."""
        return self.unit in ("M", "Q", "Y")

    @property
    def length_ns(self) -> int:
        """Nanoseconds; a month counts 30 days, a quarter 90, a year 365."""
        return self.count * _SECONDS[self.unit] * NANOS

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def parse_shorthand(text: str) -> Shorthand | None:
    """The duration that a text such as ``5m`` or ``1Q`` says, None for any other text."""
    found = _SHORTHAND.fullmatch(text)
    return Shorthand(int(found[1]), cast("Unit", found[2])) if found else None
