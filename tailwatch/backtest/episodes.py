"""The alerts that an evaluation in virtual time would have sent, from first to last moment; it tells nobody.

Findings go through the state machine of alerting itself, so that pending, resolving, re-opening and the suppression
of tickets by their page are those of the service.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from alerting.incidents import Alert
from alerting.state import AlertTiming
from alerting.steps import Step, advance
from telemetry.findings import Finding, Severity

_ENDS = {"resolved": "resolved", "withdrawn": "withdrawn", "cleared": "resolved", "forgotten": "resolved"}


@dataclass(frozen=True, slots=True)
class Episode:
    """One alert from when it fired until it ended.

    Attributes:
        name: what distinguishes alerts of one budget: the alert's name, with the pair's long window if it has one.
        group: labels of the budget's group.
        onset_ns: when the trouble is estimated to have begun, as of when the alert fired.
        end_ns: None when it still held at the end of the run.
        withdrawn: late data proved it wrong.
        told: it was worth a notification; an alert that came back right after its end is not until it has lasted.
    """

    slo: str
    service: str
    severity: Severity
    name: str
    group: Mapping[str, str]
    onset_ns: int
    start_ns: int
    end_ns: int | None
    withdrawn: bool
    told: bool
    summary: str


class EpisodeLog:
    """Alert states in virtual time, and the episodes that they went through."""

    def __init__(self, timing: AlertTiming) -> None:
        self._timing = timing
        self._alerts: dict[str, Alert] = {}
        self._running: dict[str, Episode] = {}
        self._ended: list[Episode] = []
        self._begun: list[str] = []

    @property
    def begun(self) -> tuple[Episode, ...]:
        """Those that began with what was taken over last."""
        return tuple(self._running[fingerprint] for fingerprint in self._begun if fingerprint in self._running)

    def apply(self, findings: Sequence[Finding], now_ns: int, withdrawn: Collection[str] = ()) -> None:
        """Take over one evaluation: every condition that holds at ``now_ns``."""
        self._begun.clear()
        if not findings and not self._alerts:
            return
        for step in advance(self._alerts.values(), findings, now_ns, self._timing, withdrawn=withdrawn):
            fingerprint = step.after.fingerprint
            if step.after.state.status == "inactive":
                self._alerts.pop(fingerprint, None)
            else:
                self._alerts[fingerprint] = step.after
            self._follow(step, now_ns)

    def episodes(self) -> tuple[Episode, ...]:
        """Every episode so far, by start; those that still run have no end."""
        return tuple(sorted([*self._ended, *self._running.values()], key=_order))

    def _follow(self, step: Step, now_ns: int) -> None:
        fingerprint = step.after.fingerprint
        running = self._running.get(fingerprint)
        if step.fires and running is None:
            self._running[fingerprint] = _begun(step.after, now_ns)
            self._begun.append(fingerprint)
        elif running is not None and step.after.state.loud and not running.told:
            self._running[fingerprint] = replace(running, told=True)
        ends = [_ENDS[event] for event in step.events if event in _ENDS]
        if ends and fingerprint in self._running:
            done = self._running.pop(fingerprint)
            self._ended.append(replace(done, end_ns=now_ns, withdrawn="withdrawn" in ends))


def _begun(alert: Alert, now_ns: int) -> Episode:
    labels = alert.labels
    window = labels.get("window")
    group = alert.evidence.get("group", {})
    return Episode(
        slo=labels["slo"], service=labels["service"], severity=alert.severity,
        name=f"{labels['alertname']} {window}" if window else labels["alertname"],
        group={name: value for name, value in group.items() if value}, onset_ns=alert.onset_ns, start_ns=now_ns,
        end_ns=None, withdrawn=False, told=alert.state.loud, summary=alert.summary,
    )  # fmt: skip


def _order(episode: Episode) -> tuple[int, str, str, str]:
    return episode.start_ns, episode.slo, str(sorted(episode.group.items())), episode.name
