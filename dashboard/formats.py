"""Numbers, times and labels as an operator reads them; pure text, without markup and without a clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ABSENT = "–"

_FACTORS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_FACTORS_BYTES = {"By": 1.0, "KiBy": 2.0**10, "MiBy": 2.0**20, "GiBy": 2.0**30}
_UNITS = {"Cel": "°C", "%": "%"}
_SHARES = frozenset({"kv_cache_usage", "gpu_utilisation", "gpu_memory", "cpu_utilisation"})

DURATION_MEASURES = frozenset({"duration", "ttft", "tpot", "queue", "prefill", "decode"})


def percent(fraction: float | None, digits: int = 1) -> str:
    """A fraction as a percentage with at most `digits` decimals: 0.5 is `50 %`."""
    if fraction is None:
        return ABSENT
    return f"{_trim(fraction * 100, digits)} %"


def ratio(fraction: float | None) -> str:
    """An SLI or objective: as many decimals as its nines need, so 0.99961 never reads as 100 %.

    Rounds towards zero, since an objective that was missed must not look met.
    """
    if fraction is None:
        return ABSENT
    digits = 2 if fraction < 0.995 else 3 if fraction < 0.9995 else 4
    scaled = math.floor(fraction * 100 * 10**digits + 1e-6) / 10**digits
    return f"{_trim(scaled, digits)} %"


def burn(rate: float | None) -> str:
    """A burn rate: `14.4×`."""
    if rate is None:
        return ABSENT
    return f"{rate:,.0f}×" if rate >= 100 else f"{rate:.1f}×" if rate >= 10 else f"{rate:.2f}×"


def count(number: float | None) -> str:
    """A count in at most four digits: `1,240`, `12.4k`, `3.1M`."""
    if number is None:
        return ABSENT
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(number) >= limit:
            return f"{_trim(number / (1e3 if unit == 'k' else limit), 1)}{unit}"
    return f"{number:,.0f}" if number == int(number) or abs(number) >= 100 else _trim(number, 1)


def size(number_of_bytes: float | None) -> str:
    """Bytes in decimal units: `840 B`, `12.4 kB`, `3.1 GB`."""
    if number_of_bytes is None:
        return ABSENT
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number_of_bytes >= limit:
            return f"{_three_digits(number_of_bytes / limit)} {unit}"
    return f"{number_of_bytes:.0f} B"


def seconds(duration_s: float | None) -> str:
    """A duration with the unit that suits it: `420 µs`, `85 ms`, `1.42 s`, `3 min 20 s`, `2 h 5 min`."""
    if duration_s is None:
        return ABSENT
    size = abs(duration_s)
    sign = "-" if duration_s < 0 else ""
    if size < 1e-3:
        return f"{sign}{size * 1e6:.0f} µs" if size else "0 s"
    if size < 0.9995:
        return f"{sign}{_three_digits(size * 1e3)} ms"
    if size < 59.95:
        return f"{sign}{_three_digits(size)} s"
    return sign + _two_units(round(size))


def money(usd: float | None) -> str:
    """US dollars; small amounts keep three significant digits: `$0.00042`."""
    if usd is None:
        return ABSENT
    if usd == 0 or abs(usd) >= 1:
        return f"${usd:,.2f}"
    digits = min(9, 2 - math.floor(math.log10(abs(usd))))
    return f"${_trim(usd, digits)}"


def p_value(value: float | None) -> str:
    """A p-value: `0.012`, or `< 0.0001`."""
    if value is None:
        return ABSENT
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def measured(measure: str, value: float | None) -> str:
    """A value of one of the API's measures in that measure's unit."""
    if measure in DURATION_MEASURES:
        return seconds(value)
    if measure == "cost":
        return money(value)
    if measure == "confidence":
        return ABSENT if value is None else f"{value:.3f}"
    return count(value)


def quantity(value: float | None, unit: str, role: str = "") -> str:
    """A value of a metric in its UCUM unit; shares of one read as percentages where the role says that they are."""
    if value is None:
        return ABSENT
    if is_share(unit, role):
        return percent(value)
    if unit in _FACTORS_S:
        return seconds(value * _FACTORS_S[unit])
    if unit in _FACTORS_BYTES:
        return size(value * _FACTORS_BYTES[unit])
    text = count(value)
    shown = _UNITS.get(unit, "" if unit.startswith("{") or unit == "1" else unit)
    return f"{text} {shown}".rstrip()


def is_share(unit: str, role: str) -> bool:
    """Whether a metric is a share of one."""
    return unit == "1" and role in _SHARES


def labels(values: Mapping[str, str]) -> str:
    """Labels in a stable order: `input_type=code, model_version=v3`."""
    return ", ".join(f"{key}={value}" for key, value in sorted(values.items()))


def window(window_s: float | None) -> str:
    """An SLO window: `30 d`, `12 h`."""
    if window_s is None:
        return "calendar"
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if window_s >= unit_s and window_s % unit_s == 0:
            return f"{window_s / unit_s:.0f} {unit}"
    return seconds(window_s)


def calendar_window(unit: str, timezone: str) -> str:
    """A calendar window: `calendar month, Europe/Berlin`."""
    return f"calendar {unit}, {timezone}"


def days(start: float, end: float, timezone: str) -> str:
    """The days of a calendar period in its own zone, the last included: `1 Oct to 31 Oct 2026`."""
    tz = zone(timezone)
    first, last = datetime.fromtimestamp(start, tz), datetime.fromtimestamp(end - 1, tz)
    if first.date() == last.date():
        return f"{last.day} {last:%b %Y}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {first:%b}{year} to {last.day} {last:%b %Y}"


def ago(then: float | None, now: float) -> str:
    """How long ago: `just now`, `40 s ago`, `3 min ago`, `2 h 5 min ago`."""
    if then is None:
        return ABSENT
    age = round(now - then)
    return "just now" if age < 1 else f"{_two_units(age)} ago"


def zone(name: str | None) -> tzinfo:
    """The browser's time zone, or UTC where it names none that this machine knows."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def clock(at: float | None, tz: tzinfo, now: float | None = None, *, exact: bool = False) -> str:
    """A time in the reader's zone: `14:03:10`, with the date where it is not today's; `exact` adds milliseconds."""
    if at is None:
        return ABSENT
    moment = datetime.fromtimestamp(at, tz)
    text = moment.strftime("%H:%M:%S")
    if exact:
        text += f".{moment.microsecond // 1000:03d}"
    if now is not None and datetime.fromtimestamp(now, tz).date() == moment.date():
        return text
    return moment.strftime("%d %b ") + text


def words(identifier: str) -> str:
    """An identifier as words: `no_telemetry` is `no telemetry`, `tail-spike` is `tail spike`."""
    return identifier.replace("_", " ").replace("-", " ")


def _trim(number: float, digits: int) -> str:
    text = f"{number:,.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _three_digits(number: float) -> str:
    return _trim(number, 0 if number >= 99.95 else 1 if number >= 9.995 else 2)


def _two_units(whole_s: int) -> str:
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    parts: list[tuple[int, str]] = []
    for unit_s, unit in units:
        amount, whole_s = divmod(whole_s, unit_s)
        if amount or parts:
            parts.append((amount, unit))
        if len(parts) == 2:
            break
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount) or "0 s"
