"""What keeps alerts of an incident quiet, as words; the service has judged, and this decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from dashboard import formats
from dashboard.components.place import Place
from dashboard.documents.incidents import IncidentAlert, IncidentSummary, Suppression


def by_others(incident: IncidentSummary) -> list[Suppression]:
    """What keeps alerts quiet, less the incident's own alerts: a page that inhibits its ticket says it all itself."""
    found = incident.suppressed.by if incident.suppressed else []
    return [one for one in found if one.kind != "inhibited" or one.incident != incident.id]


def mark(incident: IncidentSummary) -> str:
    """A few words for a list: `2 of 5 silenced`; empty where nothing keeps alerts quiet."""
    found = by_others(incident)
    if incident.suppressed is None or not found:
        return ""
    kinds = ", ".join(dict.fromkeys(one.kind for one in found))
    few = found[0].alerts if len(found) == 1 else incident.suppressed.alerts
    return f"{few} of {incident.suppressed.of} {kinds}"


def sentence(one: Suppression, of: int, now: float, tz: tzinfo) -> str:
    """One thing that keeps alerts quiet, by whom and until when."""
    until = f" until {formats.clock(one.until, tz, now)}" if one.until is not None else ""
    count = f"{one.alerts} of {of} alerts" if of != 1 else "The alert is"
    if one.kind == "silenced":
        comment = f": {one.comment}" if one.comment else ""
        return f"{count} silenced{until} by {one.author or 'nobody named'}{comment}"
    if one.kind == "inhibited":
        where = f" of {one.incident}" if one.incident else ""
        return f"{count} inhibited while {one.name or one.id}{where} fires"
    return f"{count} muted for {', '.join(one.receivers)}{until} ({one.id})"


def places(by: Sequence[Suppression]) -> list[tuple[str, Place]]:
    """Where to look into these, each place once: silences, incidents whose alerts inhibit others, the muted times."""
    found: dict[str, tuple[str, Place]] = {}
    for one in by:
        place, label = Place("silences"), "Muted times"
        if one.kind == "silenced":
            place, label = Place("silences", {"silence": one.id}), f"The silence of {one.author or 'nobody named'}"
        elif one.kind == "inhibited":
            if one.incident is None:
                continue
            place, label = Place("incidents", {"incident": one.incident}), one.incident
        found.setdefault(place.href, (label, place))
    return list(found.values())


def of_alert(alert: IncidentAlert, by: Sequence[Suppression], now: float, tz: tzinfo) -> str:
    """What keeps one alert quiet, and until when."""
    if alert.status is None:
        return ""
    ids = {*alert.status.silencedBy, *alert.status.inhibitedBy, *alert.status.mutedBy}
    parts = []
    for one in by:
        if one.id in ids:
            until = f" until {formats.clock(one.until, tz, now)}" if one.until is not None else ""
            whom = {"silenced": one.author, "inhibited": one.name or one.id, "muted": one.id}[one.kind]
            parts.append(f"{one.kind} by {whom or 'nobody named'}{until}")
    return ", ".join(parts)
