"""Moments and lengths of time of a run, read and written as people do; inside they are nanoseconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from telemetry.windows import NANOS, format_duration


def moment(time_ns: int) -> str:
    """A time in UTC, to the minute."""
    return datetime.fromtimestamp(time_ns // NANOS, UTC).strftime("%Y-%m-%d %H:%M")


def lasting(duration_ns: int) -> str:
    """A duration to the second."""
    return format_duration(duration_ns // NANOS * NANOS)


def time_of(text: str) -> int | None:
    """Nanoseconds since the epoch of an ISO 8601 time or of a number of seconds; None when it is neither."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            found = datetime.fromisoformat(text.strip())
        except ValueError:
            return None
        return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()) * NANOS
    return round(seconds * NANOS) if math.isfinite(seconds) and 0 <= seconds < 9e9 else None
