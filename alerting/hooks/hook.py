"""A response hook as a value: what it calls, on what, for which incidents and how often; it calls nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

from alerting.incidents import Alert, Incident
from alerting.secret_references import SecretReference
from telemetry.findings import CAUSES
from telemetry.matchers import Matchers
from telemetry.windows import NANOS

Event = Literal["open", "acknowledge", "verdict", "resolve"]
"""What a hook can wait for. A verdict is a diagnosed cause with a slice; a better one is another verdict."""
Method = Literal["POST", "PUT", "PATCH", "DELETE", "GET"]

EVERY: Final = Matchers()
BY_HAND: Final = "by hand"
"""The event of a run that a person asked for."""
_NO_VERDICT: Final = "unknown"
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Hook:
    """One named action.

    Attributes:
        url: the whole address, perhaps a secret; nothing of an incident can become part of it.
        on: the events that it waits for; empty for one that only people run.
        match: of the incident's labels.
        min_confidence: of a verdict, 0..1; a verdict without one is none.
        body: a template; None sends no body.
        headers: values, or where they are kept.
        secret: signs the request.
        approval: whether a person must agree to each run.
        dry_run: whether runs are only written down.
        per_incident: runs for one incident; ``per_hour``: for all together.
        expires_ns: a run that could not be sent for so long is given up.
        pause_after: runs in a row that did not help before it pauses itself.
        better_within_ns: an incident that is resolved so soon after a run is better.
    """

    name: str
    url: str | SecretReference
    on: tuple[Event, ...]
    match: Matchers = EVERY
    min_confidence: float = 0.8
    method: Method = "POST"
    body: str | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str | SecretReference] = field(default_factory=dict)
    bearer: SecretReference | None = None
    secret: SecretReference | None = None
    approval: bool = False
    dry_run: bool = False
    per_incident: int = 1
    per_hour: int = 3
    timeout_s: float = 10.0
    expires_ns: int = 600 * NANOS
    pause_after: int = 3
    better_within_ns: int = 900 * NANOS

    @property
    def receiver(self) -> str:
        """Its name in the outbox."""
        return f"{self.name}/hook"

    @property
    def target(self) -> str:
        """Method and address for people, without what may be secret."""
        if isinstance(self.url, SecretReference):
            return f"{self.method} the URL in {self.url}"
        return f"{self.method} {self.url.partition('?')[0]}"

    def accepts(self, incident: Incident, members: Sequence[Alert]) -> bool:
        """Whether it is for this incident: by the incident's labels, its slice's and those of the alert that speaks."""
        speaking = next((one.labels for one in members if one.fingerprint == incident.primary), {})
        return self.match.accepts(labels_of(incident, speaking))

    def secrets(self) -> tuple[SecretReference, ...]:
        """Everything that it reads from the environment or files."""
        named = (self.url, self.bearer, self.secret, *self.headers.values())
        return tuple(one for one in named if isinstance(one, SecretReference))


@dataclass(frozen=True, slots=True)
class HookRules:
    """The hooks, which addresses they may call (``host`` or ``host:port``), and whether they run at all."""

    hooks: tuple[Hook, ...] = ()
    allow: tuple[str, ...] = ()
    enabled: bool = True

    def named(self, name: str) -> Hook | None:
        """The hook of that name."""
        return next((hook for hook in self.hooks if hook.name == name), None)

    def allows(self, url: str) -> bool:
        """Whether the address is one that hooks may call."""
        return is_allowed(url, self.allow)


NO_HOOKS: Final = HookRules()


def is_allowed(url: str, allow: tuple[str, ...]) -> bool:
    """Whether a URL's host is listed, with its port or for the scheme's usual one."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    if parts.scheme not in _PORTS or not host or parts.username is not None:
        return False
    host = f"[{host}]" if ":" in host else host
    usual = _PORTS[parts.scheme]
    listed = {entry.lower() for entry in allow}
    return f"{host}:{port or usual}" in listed or (port in (None, usual) and host in listed)


def labels_of(incident: Incident, primary: Mapping[str, str]) -> dict[str, str]:
    """What ``match`` is held against: of the alert that speaks for it, its guilty slice, and the incident's own."""
    own = {"service": incident.service, "slo": incident.slo, "severity": incident.severity, "cause": incident.cause}
    return {**primary, **incident.slice, **own}


def events(before: Incident | None, after: Incident, min_confidence: float) -> tuple[Event, ...]:
    """What has happened to an incident between two states of it; ``before`` is None when it is new."""
    ended_before = before is None or before.status == "resolved"
    found: list[Event] = []
    if after.status == "resolved":
        return () if ended_before else ("resolve",)
    if ended_before:
        found.append("open")
    verdict = _verdict(after, min_confidence)
    if verdict is not None and (before is None or ended_before or verdict != _verdict(before, min_confidence)):
        found.append("verdict")
    if after.status == "acknowledged" and (before is None or before.status != "acknowledged"):
        found.append("acknowledge")
    return tuple(found)


def _verdict(incident: Incident, min_confidence: float) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    if incident.cause == _NO_VERDICT or incident.cause not in CAUSES:
        return None
    if incident.confidence is None or incident.confidence < min_confidence:
        return None
    return incident.cause, tuple(sorted(incident.slice.items()))
