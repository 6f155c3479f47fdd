"""Durations, moments and time buckets as 64-bit nanoseconds; calendar windows are the SLO engine's."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from telemetry.errors import DurationError

NANOS: Final = 1_000_000_000
"""Nanoseconds in a second."""

BUCKET_NS: Final = 10 * NANOS
"""Width of the buckets of event time in which SLIs are counted: 10 s."""

_UNIT_SECONDS: Final = {
    "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0,
}  # fmt: skip
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")
_LONGEST_SECONDS: Final = 9_000_000_000
"""285 years: what fits 64-bit nanoseconds."""

_REMEDY: Final = "write a number and a unit: 500ms, 30s, 5m, 6h, 30d, 4w"


def parse_duration(text: str | float) -> int:
    """Nanoseconds in a duration such as ``500ms``, ``5m``, ``1h30m``, ``30d``; a bare number is seconds.

    Raises:
        DurationError: the text is not a duration, is negative, or longer than 285 years.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        return _nanoseconds(text, text)
    cleaned = str(text).strip()
    if cleaned == "0":
        return 0
    if not cleaned or _DURATION.sub("", cleaned):
        raise DurationError(f"{text!r} is not a duration", remedy=_REMEDY)
    return sum(_nanoseconds(float(number) * _UNIT_SECONDS[unit], text) for number, unit in _DURATION.findall(cleaned))


def _nanoseconds(seconds: float, text: str | float) -> int:
    if not 0 <= seconds <= _LONGEST_SECONDS:
        raise DurationError(f"{text!r} is negative, too long or no number", remedy=_REMEDY)
    return round(seconds * NANOS)


def format_duration(duration_ns: int) -> str:
    """The shortest text that :func:`parse_duration` reads back as ``duration_ns``: ``30d``, ``1h30m``, ``0.5ms``."""
    parts: list[str] = []
    rest = duration_ns
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, round(_UNIT_SECONDS[unit] * NANOS))
        if count:
            parts.append(f"{count}{unit}")
    if rest:
        parts.append(f"{Decimal(rest).scaleb(-6).normalize():f}ms")
    return "".join(parts) or "0s"


def bucket_start(time_ns: int, width_ns: int = BUCKET_NS) -> int:
    """Start of the bucket that holds ``time_ns``; buckets are aligned to the epoch."""
    return time_ns - time_ns % width_ns


def told_time(time_ns: int) -> str:
    """A moment for people: UTC, to the second."""
    return f"{datetime.fromtimestamp(time_ns // NANOS, UTC):%Y-%m-%d %H:%M:%S} UTC"
