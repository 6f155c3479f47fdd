"""Silences: who keeps what quiet, and what a new one would; whether it may be made is for the service to say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from dashboard import formats
from dashboard.components.grid import Cell, Column, Grid, Row, Tone
from dashboard.components.place import Place
from dashboard.documents.incidents import Incident
from dashboard.documents.silences import FiringAlert, Mute, Silence, SilenceMatcher

_MATCHER = re.compile(r'\s*([^=!~\s"]+)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"]*?))\s*,?\s*')
_OPERATORS = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
_ESCAPES = {r"\"": '"', r"\\": "\\", r"\n": "\n"}

# which alert of a budget fires changes within one outage, and the silence is meant for all of it
_PASSING_LABELS = frozenset({"alertname", "severity", "window"})

_TONES: dict[str, Tone] = {"active": "burning", "pending": "accent", "expired": "silent"}


def parse(text: str) -> list[SilenceMatcher]:
    """The matchers in a text, one a line.

    Raises:
        ValueError: which line is none, and what to write.
    """
    found = []
    for line in filter(str.strip, text.splitlines()):
        match = _MATCHER.fullmatch(line)
        if match is None:
            raise ValueError(f'{line.strip()!r} is no matcher; write label="value", label!="value" or label=~"a|b"')
        name, operator, quoted, bare = match.groups()
        value = bare if quoted is None else re.sub(r'\\["\\n]', lambda escape: _ESCAPES[escape[0]], quoted)
        found.append(
            SilenceMatcher(name=name, value=value, isRegex=operator in ("=~", "!~"), isEqual=operator in ("=", "=~"))
        )
    return found


def text(matcher: SilenceMatcher) -> str:
    """A matcher as Prometheus writes it."""
    value = matcher.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{matcher.name}{_OPERATORS[matcher.isRegex, matcher.isEqual]}"{value}"'


def texts(matchers: Sequence[SilenceMatcher]) -> str:
    """Matchers, one a line."""
    return "\n".join(map(text, matchers))


def for_incident(incident: Incident) -> str:
    """Matchers, one a line, that all alerts of an incident have in common, and other alerts hardly do."""
    every = [alert.labels for alert in incident.alerts if alert.state in ("firing", "pending", "suppressed")]
    labels = every or [alert.labels for alert in incident.alerts]
    first: Mapping[str, str] = labels[0] if labels else {"service": incident.service or "", "slo": incident.slo or ""}
    common = {
        name: value for name, value in first.items()
        if value and name not in _PASSING_LABELS and all(other.get(name) == value for other in labels)
    }  # fmt: skip
    return texts([SilenceMatcher(name=name, value=value) for name, value in sorted(common.items())])


def body(
    matchers: Sequence[SilenceMatcher], *, start: float, end: float, author: str, comment: str, silence_id: str = ""
) -> dict[str, Any]:
    """What to send to make a silence, or to change the one of `silence_id`; times are seconds since the epoch."""
    return {
        **({"id": silence_id} if silence_id else {}),
        "matchers": [matcher.model_dump() for matcher in matchers],
        "startsAt": _written(start),
        "endsAt": _written(end),
        "createdBy": author,
        "comment": comment,
    }


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def grid(silences: Sequence[Silence], alerts: Sequence[FiringAlert], now: float, tz: tzinfo, name: str) -> Grid:
    """A table of silences in the given order; each opens."""
    rows = []
    for one in silences:
        quiet = silenced_by(one, alerts)
        start, end = one.startsAt.timestamp(), one.endsAt.timestamp()
        state = one.status.state
        left = {"active": f"for {formats.seconds(end - now)}", "pending": f"for {formats.seconds(end - start)}"}
        names = ", ".join(dict.fromkeys(_about(alert) for alert in quiet[:3]))
        cells = [
            Cell(", ".join(map(text, one.matchers)), sub=one.comment),
            Cell(state.capitalize(), tone=_TONES[state], kind="pill"),
            Cell(str(len(quiet)) if state == "active" else formats.ABSENT, sort=len(quiet), sub=names),
            Cell(formats.clock(start, tz, now), sort=start),
            Cell(formats.clock(end, tz, now), sort=end, sub=left.get(state, "")),
            Cell(one.createdBy or formats.ABSENT),
        ]
        rows.append(Row(one.id, cells, Place("silences", {"silence": one.id})))
    columns = (
        Column("Matchers", wrap=True), Column("State"), Column("Quiet now", "right", wrap=True),
        Column("From", "right"), Column("Until", "right"), Column("By"),
    )  # fmt: skip
    return Grid(f"silences-{name}", columns, rows, "No silence here.")


def silenced_by(silence: Silence, alerts: Sequence[FiringAlert]) -> list[FiringAlert]:
    """The alerts that a silence keeps quiet now."""
    return [alert for alert in alerts if silence.id in alert.status.silencedBy]


def alert_grid(alerts: Sequence[FiringAlert], now: float, tz: tzinfo, name: str, empty: str) -> Grid:
    """Alerts that fire, with what keeps them quiet."""
    rows = []
    for index, alert in enumerate(alerts):
        incident = alert.annotations.get("incident")
        rest = {key: value for key, value in alert.labels.items() if key not in ("alertname", "service", "slo")}
        cells = [
            Cell(alert.labels.get("alertname", formats.ABSENT), sub=_about(alert)),
            Cell(formats.labels(rest)),
            Cell(_quiet(alert), tone=None if alert.status.state == "suppressed" else "exhausted"),
            Cell(formats.clock(alert.startsAt.timestamp(), tz, now), sort=alert.startsAt.timestamp()),
            Cell(incident or formats.ABSENT),
        ]
        rows.append(Row(str(index), cells, Place("incidents", {"incident": incident}) if incident else None))
    columns = (
        Column("Alert"), Column("Labels", wrap=True), Column("State"), Column("Since", "right"), Column("Incident"),
    )  # fmt: skip
    return Grid(f"alerts-{name}", columns, rows, empty)


def _about(alert: FiringAlert) -> str:
    return " · ".join(filter(None, (alert.labels.get("service"), alert.labels.get("slo")))) or formats.ABSENT


def _quiet(alert: FiringAlert) -> str:
    status = alert.status
    if status.silencedBy:
        return "silenced"
    if status.inhibitedBy or status.state == "suppressed":
        return "inhibited"
    return "muted" if status.mutedBy else "firing"


def mute_grid(mutes: Sequence[Mute], now: float, tz: tzinfo) -> Grid:
    """Recurring times with the routes that they concern, and when they are next."""
    rows = []
    for one in mutes:
        routes = ", ".join(f"{route.receiver} {route.path}" for route in one.routes)
        says = "tells nobody then" if one.effect == "mutes" else "tells only then"
        cells = [
            Cell(one.name, sub=", ".join(one.zones)),
            Cell(routes, sub=says),
            Cell("Quiet" if one.quiet else "Tells", tone="burning" if one.quiet else "ok", kind="pill"),
            Cell(_next(one, now, tz), sort=one.starts),
        ]
        rows.append(Row(f"{one.name}-{one.effect}", cells))
    columns = (Column("Time interval"), Column("Routes", wrap=True), Column("Now"), Column("When", "right", wrap=True))
    return Grid("mutes", columns, rows, "No route has a time interval.")


def _next(mute: Mute, now: float, tz: tzinfo) -> str:
    if mute.starts is None:
        return "not within a year"
    end = "no end in sight" if mute.ends is None else f"until {formats.clock(mute.ends, tz, now)}"
    return f"now, {end}" if mute.starts <= now else f"{formats.clock(mute.starts, tz, now)} {end}"
