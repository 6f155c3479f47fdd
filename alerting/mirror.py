"""Alerts repeated to Alertmanagers, as Prometheus does it: what holds is sent again and again, what ended for a while.

An Alertmanager keeps its alerts in memory and lets go of what is not sent again, so nothing here is queued: the stored
state is the truth, and each step sends it whole. Who is told, and when, is then the Alertmanager's business.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from alerting import repository
from alerting.incidents import Alert, format_id
from alerting.outbox import ReceiverHealth
from alerting.outcomes import Outcome
from alerting.receivers.access import PLAIN, Access
from alerting.receivers.http import DEADLINE_S, Post, post
from alerting.receivers.trust import PUBLIC_ONLY, Trust
from alerting.rfc3339 import format_time
from alerting.secret_references import SecretReference
from alerting.steps import latest
from alerting.texts import flat
from storage.database import Database
from telemetry.errors import ConfigError
from telemetry.windows import NANOS

EVERY_NS: Final = 30 * NANOS
_HOLDS_NS: Final = 4 * EVERY_NS
"""What is not sent again for this long has ended; Prometheus too allows for three losses in a row."""
_ENDED_NS: Final = 5 * 60 * NANOS
"""How long an end is repeated."""
_BATCH: Final = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AlertmanagerTarget:
    """An Alertmanager at ``url``, without its ``/api/v2``; ``token`` is sent as a bearer's."""

    url: str
    token: SecretReference | None = None
    trust: Trust = PUBLIC_ONLY
    deadline_s: float = DEADLINE_S
    access: Access = PLAIN

    def check(self) -> None:
        """Raise unless its token is there.

        Raises:
            ConfigError: it is missing.
        """
        if self.token is not None:
            self.token.read()
        self.access.check()

    def send(self, alerts: Sequence[Mapping[str, Any]], now_ns: int) -> Outcome:
        """Send alerts once."""
        headers = {"Content-Type": "application/json"}
        try:
            if self.token is not None:
                headers["Authorization"] = f"Bearer {self.token.read()}"
        except ConfigError as error:
            return Outcome("transient", error.what)
        body = json.dumps(alerts, ensure_ascii=False).encode()
        request = Post(f"{self.url.rstrip('/')}/api/v2/alerts", body, headers)
        return post(request, now_ns, self.deadline_s, self.trust, self.access)


class Mirror:
    """Keeps the given Alertmanagers informed."""

    def __init__(self, database: Database, targets: Sequence[AlertmanagerTarget], external_url: str) -> None:
        self._database = database
        self._targets = targets
        self._external_url = external_url
        self._failing: dict[str, tuple[int, str]] = {}

    def use(self, targets: Sequence[AlertmanagerTarget], external_url: str) -> None:
        """Inform these from the next step on; what is not sent again ends at the others by itself."""
        self._targets = targets
        self._external_url = external_url

    def step(self, now_ns: int) -> None:
        """Send everything once; what fails is told in the log, and sent again with the next step.

        Raises:
            StorageError: the database cannot be used.
        """
        targets, external_url = self._targets, self._external_url
        if not targets:
            return
        with self._database.read() as connection:
            alerts = latest(repository.load_alerts_since(connection, now_ns - _ENDED_NS)).values()
        documents = [_document(alert, external_url, now_ns) for alert in alerts if _was_told(alert)]
        for target in targets:
            outcome = next((bad for bad in _sent(target, documents, now_ns) if bad.kind != "delivered"), None)
            self._note(target, outcome, now_ns)

    def health(self) -> tuple[ReceiverHealth, ...]:
        """Since when each Alertmanager could not be informed, and why."""
        return tuple(
            ReceiverHealth(f"alertmanager/{target.url}", 0, *self._failing.get(target.url, (None, None)))
            for target in self._targets
        )

    def _note(self, target: AlertmanagerTarget, failure: Outcome | None, now_ns: int) -> None:
        before = self._failing.pop(target.url, None)
        if failure is not None:
            self._failing[target.url] = (before[0] if before else now_ns, failure.reason)
            if before is None or before[1] != failure.reason:
                _log.warning("the Alertmanager at %s was not informed: %s", target.url, failure.reason)
        elif before is not None:
            _log.warning("the Alertmanager at %s is informed again", target.url)


def _sent(target: AlertmanagerTarget, documents: Sequence[Mapping[str, Any]], now_ns: int) -> Iterator[Outcome]:
    for start in range(0, len(documents), _BATCH):
        yield target.send(documents[start : start + _BATCH], now_ns)


def _was_told(alert: Alert) -> bool:
    """Whether it fires, or did: what was quiet from beginning to end is nobody's business."""
    return alert.state.fired_ns is not None and alert.state.status != "pending"


def _document(alert: Alert, external_url: str, now_ns: int) -> dict[str, Any]:
    holds = alert.state.status == "firing"
    slo = alert.labels.get("slo", "")
    diagnosis = alert.diagnosis
    annotations = {
        "summary": flat(alert.summary),
        "description": flat(diagnosis.summary) if diagnosis else "",
        "cause": diagnosis.cause if diagnosis else "",
        "runbook": alert.runbook or "",
        "incident": "" if alert.incident is None else format_id(alert.incident),
    }
    return {
        "labels": dict(alert.labels),
        "annotations": {name: text for name, text in annotations.items() if text},
        "startsAt": format_time(alert.onset_ns / NANOS),
        "endsAt": format_time((now_ns + _HOLDS_NS if holds else alert.state.since_ns) / NANOS),
        "generatorURL": f"{external_url}/slo?slo={quote(slo, safe='')}" if external_url and slo else external_url,
    }
