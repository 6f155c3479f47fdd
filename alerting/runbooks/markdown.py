"""Values made harmless for Markdown: what telemetry says must never become a link, a heading or HTML.

Tenant names, error types and model names come from whoever sends telemetry, so every value that a template
prints is escaped, unless a filter here has already made Markdown of it.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote

from alerting.texts import flat

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$:@^=])")
_LINE_START: Final = re.compile(r"^(-|\d+(?=[.)]))")
_WWW: Final = re.compile(r"(?i)\bwww\.")
_BYTES: Final = {"By": 1, "KiBy": 2**10, "MiBy": 2**20, "GiBy": 2**30}
_UNITS: Final = {"%": "%", "W": "W", "Cel": "°C", "MHz": "MHz"}
_TICKS: Final = re.compile(r"`+")


class Markdown(str):
    """Text that is Markdown already, and is printed as it stands."""

    __slots__ = ()


def escape(value: Any) -> Markdown:
    """The value as Markdown text that reads like the value and does nothing."""
    if isinstance(value, Markdown):
        return value
    escaped = _SPECIAL.sub(r"\\\1", flat(value))
    escaped = _LINE_START.sub(lambda found: f"\\{found[0]}" if found[0] == "-" else f"{found[0]}\u200b", escaped)
    return Markdown(_WWW.sub(lambda found: found[0][:-1] + r"\.", escaped))


def code(value: Any) -> Markdown:
    """The value as inline code; the fence is longer than any run of backticks in it."""
    text = flat(value)
    if not text:
        return Markdown("(none)")
    fence = "`" * (max((len(run) for run in _TICKS.findall(text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    # A bar would end the cell of a table even inside code.
    return Markdown(f"{fence}{pad}{text.replace('|', '¦')}{pad}{fence}")


def url_part(value: Any) -> Markdown:
    """The value for use within a URL, also inside a quoted shell argument."""
    return Markdown(quote(flat(value), safe=""))


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def number(value: Any, digits: int = 3) -> Markdown:
    """A number with so many significant digits; ``unknown`` when it is none."""
    if not _is_finite(value):
        return Markdown("unknown")
    if isinstance(value, int) or float(value).is_integer():
        return Markdown(f"{int(value):,}")
    return Markdown(f"{value:,.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}")


def percent(value: Any) -> Markdown:
    """A fraction as per cent; ``unknown`` when it is no number."""
    if not _is_finite(value):
        return Markdown("unknown")
    return Markdown(f"{100 * value:.3g} %" if abs(value) < 10 else f"{100 * value:,.0f} %")


def seconds(value: Any) -> Markdown:
    """A duration in seconds, in the unit that reads best; ``unknown`` when it is no number."""
    if not _is_finite(value):
        return Markdown("unknown")
    if abs(value) < 1:
        return Markdown(f"{1000 * value:.3g} ms")
    return Markdown(f"{value:.3g} s" if abs(value) < 120 else f"{value / 60:.3g} min")


def quantity(value: Any, unit: str) -> Markdown:
    """A value in a unit of UCUM, in the one that reads best; ``unknown`` when it is no number."""
    if unit == "s":
        return seconds(value)
    if unit in _BYTES and _is_finite(value):
        size = value * _BYTES[unit]
        return Markdown(f"{number(size / 2**30)} GiB" if abs(size) >= 2**30 else f"{number(size / 2**20)} MiB")
    return Markdown(f"{number(value)} {escape(_UNITS[unit])}") if unit in _UNITS else number(value)


def utc(value: Any) -> Markdown:
    """Seconds since the epoch as a date and time; ``unknown`` when it is none."""
    if not _is_finite(value):
        return Markdown("unknown")
    try:
        moment = dt.datetime.fromtimestamp(value, tz=dt.UTC)
    except (ValueError, OverflowError, OSError):
        return Markdown("unknown")
    return Markdown(f"{moment:%Y-%m-%d %H:%M:%S} UTC")


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markdown:
    """A Markdown table; empty without rows."""
    lines = [f"| {' | '.join(escape(cell) for cell in row)} |" for row in rows]
    if not lines:
        return Markdown("")
    head = f"| {' | '.join(header)} |"
    return Markdown("\n".join([head, f"|{'---|' * len(header)}", *lines]))
