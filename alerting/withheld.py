"""Why people are not told, as notes for timelines, written when that begins; it decides nothing and stores nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from alerting.incidents import Alert
from alerting.quieting import Quieting, of_silence, silenced, until
from alerting.silences import Silence
from alerting.steps import Step
from alerting.texts import flat
from alerting.titles import told_apart

_NAMED: Final = 3
"""Alerts that a note names; how many more there are is said."""


def suppressed_notes(steps: Iterable[Step], known: Mapping[str, Alert]) -> Iterator[tuple[int, str]]:
    """Which alerts that had fired are kept quiet from now on, and by what: a note for each incident and reason.

    Args:
        steps: of one evaluation.
        known: every alert by fingerprint, so that those which inhibit others can be named.
    """
    found: dict[tuple[int, Silence | str | None], list[Alert]] = {}
    for taken in steps:
        after = taken.after
        if "suppressed" in taken.events and after.incident is not None and after.state.fired_ns is not None:
            found.setdefault((after.incident, taken.silence or after.suppressed_by), []).append(after)
    for (number, by), alerts in found.items():
        yield number, f"{_names(alerts)} {_by(by, known)}"


def muted_notes(quieting: Quieting, alerts: Iterable[Alert]) -> Iterator[str]:
    """Which receivers are not told of these alerts, since the routes that lead there are muted."""
    for one in quieting.summary(alerts)["suppressed"]["by"]:
        if one["kind"] == "muted":
            yield f"{', '.join(one['receivers'])} not told: muted{until(one)} ({one['id']})"


def _names(alerts: Sequence[Alert]) -> str:
    names = ", ".join(told_apart(alert) for alert in alerts[:_NAMED])
    more = len(alerts) - _NAMED
    return f"{names} and {more} more are" if more > 0 else f"{names} {'is' if len(alerts) == 1 else 'are'}"


def _by(by: Silence | str | None, known: Mapping[str, Alert]) -> str:
    if isinstance(by, Silence):
        return flat(silenced(of_silence(by)))
    source = known.get(by or "")
    return f"inhibited while {told_apart(source) if source else by} fires"
