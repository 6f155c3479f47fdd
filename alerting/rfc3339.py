"""Times as Alertmanager writes and reads them: RFC 3339, with Go's zero time for none."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from telemetry.windows import NANOS

ZERO_TIME: Final = "0001-01-01T00:00:00Z"
"""Go's zero time: what ``endsAt`` is while an alert fires."""


def format_time(seconds: float | None) -> str:
    """Seconds since the epoch, with as many decimals as needed; the zero time for None."""
    if seconds is None:
        return ZERO_TIME
    moment = dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
    decimals = f".{moment.microsecond:06}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{decimals}Z"


def parse_time(text: Any) -> int | None:
    """Nanoseconds since the epoch; None for nothing, and for the zero time.

    Raises:
        ValueError: it is not a time.
    """
    if text is None or text == "":
        return None
    try:
        moment = dt.datetime.fromisoformat(str(text))
        if moment.year <= 1:
            return None
        seconds = moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{str(text)[:100]!r} is not a time; write RFC 3339: 2026-01-31T12:00:00Z") from None
    return round(seconds * NANOS)
