"""Durations as options of commands."""

from __future__ import annotations

import click

from telemetry.errors import DurationError
from telemetry.windows import parse_duration


def duration(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Nanoseconds in an option's value, as a callback of click's."""
    try:
        return parse_duration(value)
    except DurationError as error:
        raise click.BadParameter(str(error), ctx, param) from None
