"""What the load looks like: rates, mixes and lengths, as values; nothing is sent from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

OPERATIONS: Final = ("classify", "chat", "embeddings", "text_completion")
INPUT_TYPES: Final = ("chat", "code", "long")

_OPERATION_MIX: Final = {"classify": 0.86, "chat": 0.07, "embeddings": 0.07}
_INPUT_TYPE_MIX: Final = {"chat": 0.75, "code": 0.15, "long": 0.10}
_TENANTS: Final = {"acme": 0.5, "globex": 0.25, "initech": 0.15, "umbrella": 0.10}


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Poisson arrivals whose rate (requests a second) may swing.

    ``burst_factor`` multiplies the rate during the first fifth of every ``burst_period_s``; ``swing`` (0 to 1) adds a
    sine of that relative height and period ``day_s``, a day's rhythm in short.
    """

    rate: float = 10.0
    burst_factor: float = 1.0
    burst_period_s: float = 60.0
    swing: float = 0.0
    day_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Mixes are weights, they need not sum to 1. ``topics`` empty: all. ``sentences``: questions a prompt, from-to.

    ``repeat_share``: the part of the requests that repeats an earlier one word for word. ``fresh``: ask for answers
    that do not come from the cache. ``feedback_share``: classifications whose true topic is reported afterwards.
    """

    arrivals: Arrivals = Arrivals()
    operations: Mapping[str, float] = field(default_factory=lambda: dict(_OPERATION_MIX))
    input_types: Mapping[str, float] = field(default_factory=lambda: dict(_INPUT_TYPE_MIX))
    tenants: Mapping[str, float] = field(default_factory=lambda: dict(_TENANTS))
    topics: tuple[str, ...] = ()
    sentences: tuple[int, int] = (1, 2)
    long_characters: tuple[int, int] = (500, 900)
    max_tokens: int = 16
    stream_share: float = 0.5
    repeat_share: float = 0.1
    fresh: bool = False
    feedback_share: float = 0.0


@dataclass(frozen=True, slots=True)
class LoadChange:
    """A drill's change of the load: the rate times ``rate_factor``, and fields of Traffic that are replaced."""

    rate_factor: float = 1.0
    fields: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, traffic: Traffic) -> Traffic:
        """``traffic`` as it is during the drill."""
        arrivals = replace(traffic.arrivals, rate=traffic.arrivals.rate * self.rate_factor)
        return replace(traffic, arrivals=arrivals, **self.fields)


def parse_mix(text: str, allowed: tuple[str, ...]) -> dict[str, float]:
    """``"classify=0.9,chat=0.1"`` as weights. Raises ValueError with a sentence that says what is wrong."""
    mix: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.partition("=")
        name = name.strip()
        if name not in allowed:
            raise ValueError(f"The mix names {name!r}; it may name {', '.join(allowed)}.")
        try:
            mix[name] = float(weight)
        except ValueError:
            raise ValueError(f"The mix gives {name} the weight {weight!r}; write e.g. {name}=0.5.") from None
        if not 0 <= mix[name] < float("inf"):
            raise ValueError(f"The weight of {name} must be a number that is not negative.")
    if not sum(mix.values()):
        raise ValueError("The mix has no weight above 0.")
    return mix
