"""Alertmanager's API v2 as JSON documents: silences, alerts and groups to and from values; it serves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from alerting.config import AlertingConfig
from alerting.incidents import Alert
from alerting.posted import RESOLVE_TIMEOUT_NS
from alerting.quieting import Quieting
from alerting.rfc3339 import format_time, parse_time
from alerting.routing import Destination, destinations
from alerting.silences import Silence
from telemetry.errors import MatcherError, PayloadError
from telemetry.matchers import Matcher, Matchers
from telemetry.windows import NANOS

_OPERATORS: Final = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
"""By ``isRegex`` and ``isEqual``."""
_FLAGS: Final = {operator: flags for flags, operator in _OPERATORS.items()}
_ORDER: Final = ("active", "pending", "expired")


def read_silence(document: Mapping[str, Any]) -> Silence:
    """The body of a ``POST /api/v2/silences``; its id is empty for a new one.

    Raises:
        PayloadError: what is wrong with it.
    """
    try:
        starts_ns, ends_ns = (_required_time(document, key) for key in ("startsAt", "endsAt"))
        matchers = Matchers(tuple(_matcher(item) for item in _list(document.get("matchers"), "matchers")))
        author, comment = (_text(document.get(key), key) for key in ("createdBy", "comment"))
    except (ValueError, MatcherError) as error:
        raise PayloadError(str(error), status=400, where="silence") from None
    return Silence(str(document.get("id") or ""), matchers, starts_ns, ends_ns, author, comment, 0)


def silence_document(silence: Silence, now_ns: int) -> dict[str, Any]:
    """A ``gettableSilence``."""
    return {
        "id": silence.id,
        "status": {"state": silence.state(now_ns)},
        "updatedAt": _time(silence.updated_ns),
        "matchers": [_matcher_document(matcher) for matcher in silence.matchers.items],
        "startsAt": _time(silence.starts_ns),
        "endsAt": _time(silence.ends_ns),
        "createdBy": silence.created_by,
        "comment": silence.comment,
    }


def silence_documents(silences: Sequence[Silence], wanted: Matchers, now_ns: int) -> list[dict[str, Any]]:
    """Those that have every matcher of ``wanted``: the active, the next to end first; the pending; the ended."""

    def place(silence: Silence) -> tuple[int, int]:
        state = silence.state(now_ns)
        near = {"active": silence.ends_ns, "pending": silence.starts_ns, "expired": -silence.ends_ns}[state]
        return _ORDER.index(state), near

    found = (silence for silence in silences if set(wanted.items) <= set(silence.matchers.items))
    return [silence_document(silence, now_ns) for silence in sorted(found, key=place)]


@dataclass(frozen=True, slots=True)
class Shown:
    """One alert as the API shows it: its document, and what requests filter by."""

    labels: Mapping[str, str]
    destinations: tuple[Destination, ...]
    silenced_by: tuple[str, ...]
    inhibited_by: tuple[str, ...]
    document: dict[str, Any]

    @property
    def active(self) -> bool:
        """Not suppressed."""
        return bool(self.document["status"]["state"] == "active")


def show(alerts: Sequence[Alert], silences: Sequence[Silence], config: AlertingConfig, now_ns: int) -> list[Shown]:
    """The alerts that fire or are suppressed, by fingerprint; pending ones Alertmanager does not know."""
    active = sorted((alert for alert in alerts if alert.state.active), key=lambda alert: alert.fingerprint)
    quieting = Quieting(silences, config.route, now_ns)
    return [_shown(alert, quieting, config) for alert in active]


def group_documents(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """The alerts as ``alertGroups``: those that one route tells together, by receiver."""
    groups: dict[tuple[str, str], tuple[Destination, list[dict[str, Any]]]] = {}
    for alert in shown:
        for destination in alert.destinations:
            key = destination.receiver, destination.key
            groups.setdefault(key, (destination, []))[1].append(alert.document)
    return [
        {"labels": dict(destination.group_labels), "receiver": {"name": destination.receiver}, "alerts": documents}
        for _key, (destination, documents) in sorted(groups.items())
    ]


def _shown(alert: Alert, quieting: Quieting, config: AlertingConfig) -> Shown:
    now_ns = quieting.now_ns
    labels = dict(alert.labels)
    incident = "" if alert.incident is None else f"INC-{alert.incident}"
    found = () if config.route is None else destinations(config.route, labels, incident)
    status = quieting.status(alert, [one.route for one in found])
    document = {
        "annotations": _annotations(alert, incident),
        "endsAt": _time(now_ns + RESOLVE_TIMEOUT_NS),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": name} for name in dict.fromkeys(one.receiver for one in found)],
        "startsAt": _time(alert.onset_ns),
        "status": status.to_json(),
        "updatedAt": _time(now_ns),
        "generatorURL": _generator(alert, config.external_url),
        "labels": labels,
    }
    return Shown(labels, found, status.silenced_by, status.inhibited_by, document)


def _annotations(alert: Alert, incident: str) -> dict[str, str]:
    """What Alertmanager's users read: the poster's own annotations, or ours."""
    posted = alert.evidence.get("annotations")
    if isinstance(posted, Mapping):
        return {str(name): str(value) for name, value in posted.items()}
    diagnosis = alert.diagnosis
    found = {
        "summary": alert.summary, "incident": incident, "runbook": alert.runbook or "",
        "description": diagnosis.summary if diagnosis else "", "cause": diagnosis.cause if diagnosis else "",
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}


def _generator(alert: Alert, external_url: str) -> str:
    own = alert.evidence.get("generator_url")
    slo = alert.labels.get("slo", "")
    if own or not slo:
        return str(own or "")
    return f"{external_url}/slo?slo={quote(slo, safe='')}" if external_url else ""


def _matcher(item: Any) -> Matcher:
    if not isinstance(item, Mapping):
        raise ValueError('a matcher is not an object; write {"name", "value", "isRegex"}')  # noqa: TRY004
    is_regex, is_equal = item.get("isRegex", False), item.get("isEqual", True)
    name, value = _text(item.get("name"), "name"), _text(item.get("value"), "value")
    if not isinstance(is_regex, bool) or not isinstance(is_equal, bool):
        raise ValueError("isRegex and isEqual are true or false")  # noqa: TRY004  (one error for all)
    if not name:
        raise ValueError("invalid label matcher: its name is empty")
    return Matcher(name, _OPERATORS[is_regex, is_equal], value)


def _matcher_document(matcher: Matcher) -> dict[str, Any]:
    is_regex, is_equal = _FLAGS[matcher.op]
    return {"isEqual": is_equal, "isRegex": is_regex, "name": matcher.name, "value": matcher.value}


def _required_time(document: Mapping[str, Any], key: str) -> int:
    time_ns = parse_time(document.get(key))
    if time_ns is None:
        raise ValueError(f"{key} is required; write RFC 3339: 2026-01-31T12:00:00Z")
    return time_ns


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name} is not a list")  # noqa: TRY004  (one error for all)
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is not a text")  # noqa: TRY004  (one error for all)
    return value


def _time(time_ns: int) -> str:
    return format_time(time_ns / NANOS)
