"""Moments as options of commands: a date and time, or how far it is from now."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from telemetry.clock import SystemClock
from telemetry.errors import DurationError
from telemetry.windows import NANOS, parse_duration


class Moment(click.ParamType[int]):
    """``2026-05-01T10:00+02:00`` (without an offset UTC), ``now``, ``-2h`` or ``+30m``; nanoseconds since the epoch."""

    name = "time"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The moment."""
        if isinstance(value, int):
            return value
        text = value.strip()
        try:
            if text == "now" or text[:1] in ("+", "-"):
                sign = -1 if text.startswith("-") else 1
                return SystemClock().now_ns() + (0 if text == "now" else sign * parse_duration(text[1:]))
            at = datetime.fromisoformat(text)
        except (ValueError, DurationError):
            self.fail(f"{value!r} is no time; write 2026-05-01T10:00+02:00, now, -2h or +30m", param, ctx)
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return round(at.timestamp()) * NANOS
