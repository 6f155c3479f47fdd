"""What keeps alerts quiet now, by whom and until when, in the words of Alertmanager's API; it keeps nobody quiet.

An alert is *suppressed* while a silence accepts it, another alert inhibits it (the page of its budget, or by a rule),
or every route that would tell of it is muted. Where only some are muted it is *active*, and they are named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from alerting.incidents import Alert, format_id
from alerting.mute_windows import next_window
from alerting.routing import Route, matching
from alerting.silences import Silence
from alerting.titles import told_apart
from telemetry.windows import NANOS, told_time

Kind = Literal["silenced", "inhibited", "muted"]

_KINDS: Final[Mapping[Kind, int]] = {"silenced": 0, "inhibited": 1, "muted": 2}


@dataclass(frozen=True, slots=True)
class AlertStatus:
    """Alertmanager's ``alertStatus`` of an alert: ids of silences, fingerprints of alerts, names of time intervals."""

    suppressed: bool
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    muted_by: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the API gives it."""
        return {
            "inhibitedBy": list(self.inhibited_by),
            "mutedBy": list(self.muted_by),
            "silencedBy": list(self.silenced_by),
            "state": "suppressed" if self.suppressed else "active",
        }


@dataclass(slots=True)
class _Reason:
    """Something that keeps alerts of an incident quiet."""

    document: dict[str, Any]
    alerts: set[str] = field(default_factory=set)
    receivers: set[str] = field(default_factory=set)


class Quieting:
    """What keeps alerts quiet at one moment, asked about any number of them.

    Args:
        silences: those in force, or all.
        root: the route tree; None when nobody is told anything.
        now_ns: nanoseconds since the epoch.
        inhibitors: the alerts that inhibit others, by fingerprint, as far as they are to be named.
    """

    def __init__(
        self,
        silences: Sequence[Silence],
        root: Route | None,
        now_ns: int,
        inhibitors: Mapping[str, Alert] | None = None,
    ) -> None:
        self.now_ns = now_ns
        self._silences = {one.id: one for one in silences if one.state(now_ns) == "active"}
        self._inhibitors = inhibitors or {}
        self._root = root if root is not None and _has_intervals(root) else None
        self._muted: dict[int, str | None] = {}

    def status(self, alert: Alert, routes: Iterable[Route] | None = None) -> AlertStatus:
        """What keeps an alert quiet; ``routes`` are those that tell of it, where they are known already."""
        labels = alert.labels
        silenced_by = tuple(one.id for one in self._silences.values() if one.matchers.accepts(labels))
        inhibited_by = () if alert.suppressed_by is None else (alert.suppressed_by,)
        asked = self._routes(alert) if routes is None else list(routes)
        muted = [self.mute(route) for route in asked]
        muted_by = tuple(dict.fromkeys(reason for reason in muted if reason))
        suppressed = bool(silenced_by) or alert.state.status == "suppressed" or (bool(muted) and all(muted))
        return AlertStatus(suppressed, silenced_by, inhibited_by, muted_by)

    @property
    def mutes(self) -> bool:
        """Whether any route has intervals."""
        return self._root is not None

    def mute(self, route: Route) -> str | None:
        """Why a route is muted, if it is."""
        if id(route) not in self._muted:
            self._muted[id(route)] = route.mute_reason(self.now_ns)
        return self._muted[id(route)]

    def muted_until_ns(self, route: Route) -> int | None:
        """When a muted route tells again, as far as can be seen."""
        muting = [one for one in route.muted_in if one.contains(self.now_ns)]
        windows = [next_window(one, self.now_ns) for one in muting or route.active_in]
        if muting:
            ends = [None if window is None else window.end_ns for window in windows]
            return None if None in ends else max(end for end in ends if end is not None)
        return min((window.start_ns for window in windows if window is not None), default=None)

    def summary(self, members: Iterable[Alert]) -> dict[str, Any]:
        """``suppressed`` of an incident with these alerts: how many of those that hold, and by what.

        ``of`` counts the alerts that hold. Each entry of ``by`` has ``kind`` (``silenced``, ``inhibited`` or
        ``muted``), ``id`` (of the silence or alert; the name of the interval), ``until`` (seconds since the epoch; null
        where no end is in sight), how many ``alerts``, and what is known of it.
        """
        active = [alert for alert in members if alert.state.active]
        found: dict[tuple[Kind, str], _Reason] = {}
        suppressed = 0
        for alert in active:
            status = self.status(alert)
            suppressed += status.suppressed
            if status.suppressed or status.muted_by:
                self._add(found, alert, status)
        ordered = sorted(found.items(), key=lambda entry: (_KINDS[entry[0][0]], -len(entry[1].alerts), entry[0][1]))
        return {
            "suppressed": {
                "alerts": suppressed,
                "of": len(active),
                "by": [
                    one.document | {"alerts": len(one.alerts)}
                    | ({"receivers": sorted(one.receivers)} if one.receivers else {})
                    for _key, one in ordered
                ],
            }
        }  # fmt: skip

    def _add(self, found: dict[tuple[Kind, str], _Reason], alert: Alert, status: AlertStatus) -> None:
        for silence_id in status.silenced_by:
            one = found.setdefault(("silenced", silence_id), _Reason(of_silence(self._silences[silence_id])))
            one.alerts.add(alert.fingerprint)
        for fingerprint in status.inhibited_by:
            one = found.setdefault(("inhibited", fingerprint), _Reason(self._of_inhibitor(fingerprint)))
            one.alerts.add(alert.fingerprint)
        for route in self._routes(alert) if status.muted_by else ():
            name = self.mute(route)
            if name is not None:
                until = self.muted_until_ns(route)
                document = {"kind": "muted", "id": name, "until": None if until is None else until / NANOS}
                one = found.setdefault(("muted", name), _Reason(document))
                one.alerts.add(alert.fingerprint)
                one.receivers.add(route.receiver)

    def _of_inhibitor(self, fingerprint: str) -> dict[str, Any]:
        source = self._inhibitors.get(fingerprint)
        known = {} if source is None else {"name": told_apart(source)}
        if source is not None and source.incident is not None:
            known["incident"] = format_id(source.incident)
        return {"kind": "inhibited", "id": fingerprint, "until": None, **known}

    def _routes(self, alert: Alert) -> list[Route]:
        """The routes that tell of an alert; none where no route has intervals, since none is muted then."""
        return [] if self._root is None else [route for route, _path in matching(self._root, alert.labels)]


def by_others(incident: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What keeps alerts quiet, from the incident's document, less its own: the page that inhibits a ticket says all."""
    found = (incident.get("suppressed") or {}).get("by", ())
    return [one for one in found if one["kind"] != "inhibited" or one.get("incident") != incident["id"]]


def sentences(incident: Mapping[str, Any]) -> list[str]:
    """What else than its own alerts keeps alerts quiet, a sentence each, from the incident's document."""
    return [sentence(one, int(incident["suppressed"]["of"])) for one in by_others(incident)]


def sentence(one: Mapping[str, Any], of: int) -> str:
    """An entry of ``by`` in words."""
    count = f"{one['alerts']} of {of} alert{'' if of == 1 else 's'}"
    match one["kind"]:
        case "silenced":
            return f"{count} {silenced(one)}"
        case "inhibited":
            incident = f" of {one['incident']}" if one.get("incident") else ""
            return f"{count} inhibited while {one.get('name', one['id'])}{incident} fires"
        case _:
            return f"{count} muted for {', '.join(one['receivers'])}{until(one)} ({one['id']})"


def silenced(one: Mapping[str, Any]) -> str:
    """What a silence does, from its entry of ``by``."""
    comment = f": {one['comment']}" if one["comment"] else ""
    return f"silenced{until(one)} by {one['author'] or 'nobody named'}{comment} (silence {one['id']})"


def until(one: Mapping[str, Any]) -> str:
    """For how long, from an entry of ``by``; empty where no end is in sight."""
    return "" if one["until"] is None else f" until {told_time(round(one['until'] * NANOS))}"


def of_silence(silence: Silence) -> dict[str, Any]:
    """The entry of ``by`` for a silence."""
    return {
        "kind": "silenced", "id": silence.id, "until": silence.ends_ns / NANOS, "author": silence.created_by,
        "comment": silence.comment, "matchers": str(silence.matchers),
    }  # fmt: skip


def _has_intervals(route: Route) -> bool:
    return bool(route.muted_in or route.active_in) or any(_has_intervals(child) for child in route.routes)
