"""What the service adds for an SLO's kind, in words: bounds in their unit, times of day, newest slices; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any

from dashboard import formats

_SLICES = ("latest_slice", "latest_bad_slice")
_AMOUNTS = ("below", "max_delay", "budget")
_VERDICTS = {True: "good", False: "bad", None: "neither good nor bad"}


def facts(detail: Mapping[str, Any], zone: tzinfo, now: float) -> list[tuple[str, str]]:
    """The detail of a group as (name, value)."""
    return [(name[:1].upper() + name[1:], text) for name, text in _facts(detail, zone, now)]


def _facts(detail: Mapping[str, Any], zone: tzinfo, now: float) -> Iterator[tuple[str, str]]:
    for key, value in detail.items():
        name = formats.words(key)
        if key in _AMOUNTS and "unit" in detail:
            yield name, _amount(value, str(detail["unit"]))
        elif key == "unit" and not detail.keys().isdisjoint(_AMOUNTS):
            continue
        elif key in _SLICES and isinstance(value, Mapping):
            yield name, _slice(value, zone, now)
        elif key == "of" and isinstance(value, Mapping):
            yield "components", ", ".join(f"{slo} (weight {weight:g})" for slo, weight in value.items())
        elif key.endswith("_s") and isinstance(value, int | float):
            yield name[:-2], formats.seconds(value)
        elif isinstance(value, Mapping):
            yield from ((f"{name}: {inner}", text) for inner, text in _facts(value, zone, now))
        elif value is not None:
            yield name, _value(value)


def _slice(facts: Mapping[str, Any], zone: tzinfo, now: float) -> str:
    """A slice of time: when it began, what it was, and why."""
    why = [
        f"{name} {_share(value) if key.endswith('share') or key.startswith('shares') else _value(value)}"
        for key, value in facts.items() if key not in ("start", "good") and value is not None
        for name, value in (value.items() if isinstance(value, Mapping) else [(formats.words(key), value)])
    ]  # fmt: skip
    verdict = _VERDICTS.get(facts.get("good"), "")
    return f"{formats.clock(facts.get('start'), zone, now)} {verdict}" + (f": {', '.join(why)}" if why else "")


def _amount(value: Any, unit: str) -> str:
    if not isinstance(value, int | float):
        return _value(value)
    return formats.money(value) if unit == "USD" else formats.quantity(value, unit)


def _share(value: Any) -> str:
    return formats.ratio(value) if isinstance(value, int | float) else _value(value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,.4g}" if isinstance(value, float) else formats.count(value)
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(inner)}" for name, inner in value.items())
    return str(value)
