"""Would-be alerts against labelled incidents: precision, recall, time to detection and to reset. Pure arithmetic.

Counted are *calls*: all alerts of one budget that overlap, or follow one another so soon that they would be the same
incident, are one call, as on-call people hear of them. A call is a page if any of its alerts is.

An alert belongs to a labelled incident if it fired after the incident began, is estimated to have set in before the
incident ended, and its labels do not contradict the incident's. So the ticket that a long window raises hours after an
outage still belongs to that outage, and an alert that was there before does not.

precision = calls with an alert that belongs to an incident / calls.
recall    = incidents with an alert that belongs to them / incidents.
detection = from the incident's start to the first alert that belongs to it.
reset     = from the incident's end until the last page that belongs to it and fired before that end has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from tailwatch.backtest.episodes import Episode
from telemetry.findings import Severity
from telemetry.windows import NANOS


@dataclass(frozen=True, slots=True)
class LabelledIncident:
    """What people (or a simulation) say has happened from ``start_ns`` to before ``end_ns``.

    Attributes:
        slo, service: the only ones that it concerns; None when it is not said.
        labels: the slice that it concerns; empty for all of the traffic.
    """

    name: str
    start_ns: int
    end_ns: int
    slo: str | None = None
    service: str | None = None
    labels: Mapping[str, str] | None = None

    def concerns(self, episode: Episode) -> bool:
        """Whether nothing that is known of both contradicts that the alert is about this incident."""
        return self.about(episode.slo, episode.service, episode.group)

    def about(self, slo: str, service: str, group: Mapping[str, str]) -> bool:
        """Whether nothing contradicts that it concerns this budget."""
        if self.slo not in (None, slo) or self.service not in (None, service):
            return False
        return all(group.get(name, value) == value for name, value in (self.labels or {}).items())


@dataclass(frozen=True, slots=True)
class Call:
    """Alerts of one budget that are one matter for whoever is called, from the first start to the last end."""

    slo: str
    service: str
    group: Mapping[str, str]
    severity: Severity
    episodes: tuple[Episode, ...]

    @property
    def start_ns(self) -> int:
        """When the first of its alerts fired."""
        return self.episodes[0].start_ns

    @property
    def end_ns(self) -> int | None:
        """When the last of them ended; None when one still holds."""
        ends = [episode.end_ns for episode in self.episodes]
        return None if None in ends else max(end for end in ends if end is not None)


@dataclass(frozen=True, slots=True)
class IncidentCost:
    """What an incident cost the budget that it cost most, as shares of that budget.

    Attributes:
        spent: from its start to its end.
        at_alert: until the first alert that belongs to it; None when there was none.
    """

    slo: str
    group: Mapping[str, str]
    spent: float
    at_alert: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one incident fared; times in seconds, None where there is nothing to measure.

    Attributes:
        severity: the highest of the alerts that belong to it; None when it was missed.
        detection_s: until the first alert; ``page_s`` until the first page.
        reset_s: until the last page has ended; None also while one still holds.
        cost: None where no budget that it concerns had events.
    """

    incident: LabelledIncident
    severity: Severity | None
    detection_s: float | None
    page_s: float | None
    reset_s: float | None
    cost: IncidentCost | None = None

    @property
    def caught(self) -> bool:
        """Whether anything fired."""
        return self.severity is not None


@dataclass(frozen=True, slots=True)
class Score:
    """The sum of it; shares are None where there is nothing to divide by, medians are over what was measured."""

    verdicts: tuple[Verdict, ...]
    right: tuple[bool, ...]
    """Per call, in their order, whether it belongs to an incident."""
    precision: float | None
    page_precision: float | None
    recall: float | None
    page_recall: float | None
    median_detection_s: float | None
    median_page_s: float | None
    median_reset_s: float | None


def calls_of(episodes: Iterable[Episode], reopen_within_ns: int) -> tuple[Call, ...]:
    """The calls that alerts make up, by start; alerts that nobody would have been told of make none."""
    by_budget: dict[tuple[str, str], list[Episode]] = {}
    for episode in sorted(episodes, key=lambda one: one.start_ns):
        by_budget.setdefault((episode.slo, str(sorted(episode.group.items()))), []).append(episode)
    calls: list[Call] = []
    for own in by_budget.values():
        together: list[Episode] = []
        until_ns: float = float("-inf")
        for episode in own:
            if together and episode.start_ns > until_ns:
                calls.extend(_call(together))
                together, until_ns = [], float("-inf")
            together.append(episode)
            ends_ns = float("inf") if episode.end_ns is None else episode.end_ns + reopen_within_ns
            until_ns = max(until_ns, ends_ns)
        calls.extend(_call(together))
    return tuple(sorted(calls, key=lambda call: (call.start_ns, call.slo, str(sorted(call.group.items())))))


def score(
    calls: Sequence[Call],
    incidents: Sequence[LabelledIncident],
    tolerance_ns: int,
    costs: Sequence[IncidentCost | None] | None = None,
) -> Score:
    """How well ``calls`` tell of ``incidents``; labels may be wrong by ``tolerance_ns`` at either end."""
    verdicts = tuple(
        replace(_verdict(incident, calls, tolerance_ns), cost=cost)
        for incident, cost in zip(incidents, costs or [None] * len(incidents), strict=True)
    )
    right = tuple(
        any(belongs(one, incident, tolerance_ns) for one in call.episodes for incident in incidents) for call in calls
    )
    page_right = [verdict for call, verdict in zip(calls, right, strict=True) if call.severity == "page"]
    return Score(
        verdicts, right,
        precision=_share(right), page_precision=_share(page_right),
        recall=_share([one.caught for one in verdicts]),
        page_recall=_share([one.severity == "page" for one in verdicts]),
        median_detection_s=_median(one.detection_s for one in verdicts),
        median_page_s=_median(one.page_s for one in verdicts),
        median_reset_s=_median(one.reset_s for one in verdicts),
    )  # fmt: skip


def _call(together: Sequence[Episode]) -> list[Call]:
    told = [episode for episode in together if episode.told]
    if not told:
        return []
    first = together[0]
    severity: Severity = "page" if any(episode.severity == "page" for episode in told) else "ticket"
    return [Call(first.slo, first.service, first.group, severity, tuple(together))]


def _verdict(incident: LabelledIncident, calls: Sequence[Call], tolerance_ns: int) -> Verdict:
    own = [one for call in calls for one in call.episodes if belongs(one, incident, tolerance_ns)]
    pages = [one for one in own if one.severity == "page"]
    if not own:
        return Verdict(incident, None, None, None, None)
    resets = [one.end_ns for one in pages if one.start_ns < incident.end_ns]
    ended = [end_ns for end_ns in resets if end_ns is not None]
    return Verdict(
        incident, "page" if pages else "ticket",
        detection_s=_seconds(min(one.start_ns for one in own) - incident.start_ns),
        page_s=_seconds(min(one.start_ns for one in pages) - incident.start_ns) if pages else None,
        reset_s=_seconds(max(ended) - incident.end_ns) if ended and len(ended) == len(resets) else None,
    )  # fmt: skip


def belongs(episode: Episode, incident: LabelledIncident, tolerance_ns: int) -> bool:
    """Whether an alert is about an incident, see the module."""
    began = episode.start_ns >= incident.start_ns - tolerance_ns
    return began and episode.onset_ns < incident.end_ns + tolerance_ns and incident.concerns(episode)


def _seconds(duration_ns: int) -> float:
    return duration_ns / NANOS


def _share(verdicts: Sequence[bool]) -> float | None:
    return sum(verdicts) / len(verdicts) if verdicts else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
