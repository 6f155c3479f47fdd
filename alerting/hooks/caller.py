"""Sends a hook's request out of the outbox, once everything that could forbid it has been asked again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Final

from alerting import repository
from alerting.hooks import runs
from alerting.hooks.hook import Hook, HookRules
from alerting.hooks.runs import Run, State
from alerting.notifications import Notification
from alerting.outcomes import Outcome
from alerting.receivers.http import IDEMPOTENCY_HEADER, Post, post
from alerting.receivers.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from alerting.receivers.templated import render
from alerting.receivers.trust import Trust
from alerting.sandbox import FAULTS
from alerting.secret_references import SecretReference
from alerting.texts import cut, flat
from storage.database import Database
from telemetry.errors import ConfigError
from telemetry.windows import NANOS, format_duration

MAX_QUOTE: Final = 200
"""Characters of an answer that are kept."""
_HIDDEN: Final = "***"
_LEAST_SECRET: Final = 4
_SECRETIVE: Final = re.compile(
    r"""(?ix)( (?:token|secret|passw(?:or)?d|api[-_ ]?key|authorization|signature) ["']? \s* [:=] \s* ["']? )
        (?: bearer \s+ )? [^\s"',;&}]+""",
)
_KEY: Final = "hook/"


def group_key(run: int) -> str:
    """By which the outbox names a run."""
    return f"{_KEY}{run}"


@dataclass(frozen=True, slots=True)
class HookCaller:
    """A hook as a receiver of the outbox: leased, tried again, and in order, as notifications are."""

    hook: Hook
    rules: HookRules
    database: Database
    trust: Trust
    send_resolved: bool = True

    @property
    def id(self) -> str:
        """Its name in the outbox."""
        return self.hook.receiver

    @property
    def name(self) -> str:
        """The hook's name."""
        return self.hook.name

    def check(self) -> None:
        """Raise unless its secrets are there and its address is allowed.

        Raises:
            ConfigError: what is missing.
        """
        for secret in self.hook.secrets():
            secret.read()
        _address(self.hook, self.rules)

    def send(self, notification: Notification, idempotency_key: str, now_ns: int) -> Outcome:
        """Make the request, unless it has become wrong since it was queued; how that went is written down.

        Raises:
            StorageError: the database cannot be used; nothing was sent, or it is sent again with the same key.
        """
        number = int(notification.group_key.removeprefix(_KEY))
        with self.database.read() as connection:
            run = runs.load_run(connection, number)
            why_not = "its record is gone" if run is None else self._why_not(connection, run, now_ns)
        if run is None:
            return Outcome("permanent", why_not)
        if run.state == "sent":
            # Who made the request was killed before the outbox heard of it.
            return self._told(run, Outcome("delivered", run.note))
        if why_not:
            return self._conclude(run, Outcome("permanent", why_not), "refused", now_ns)
        try:
            outcome = self._call(notification, run, idempotency_key, now_ns)
        except ConfigError as error:
            outcome = Outcome("transient", error.what)
        state: State = "sent" if outcome.kind == "delivered" else "failed" if outcome.kind == "permanent" else "queued"
        return self._conclude(run, outcome, state, now_ns)

    def _why_not(self, connection: Any, run: Run, now_ns: int) -> str:
        stopped = runs.stopped(
            self.rules, self.hook, runs.counted(connection, self.hook, now_ns), runs.load_switches(connection), now_ns
        )
        if stopped:
            return stopped
        if now_ns - run.asked_ns > self.hook.expires_ns:
            return f"it could not be sent within {format_duration(self.hook.expires_ns)}"
        incident = repository.load_incident(connection, run.incident)
        if run.event != "resolve" and (incident is None or incident.status == "resolved"):
            return "the incident was resolved before it could be sent"
        return ""

    def _call(self, notification: Notification, run: Run, idempotency_key: str, now_ns: int) -> Outcome:
        hook = self.hook
        url = _address(hook, self.rules)
        secrets = {secret: secret.read() for secret in hook.secrets()}
        try:
            body = body_of(hook, notification, run.event, run.author).encode()
        except FAULTS as error:
            return Outcome("permanent", cut(f"its template failed: {type(error).__name__}: {flat(error)}", 300))
        headers = {IDEMPOTENCY_HEADER: idempotency_key, "X-Tailwatch-Hook": hook.name}
        headers |= {
            name: secrets[value] if isinstance(value, SecretReference) else value
            for name, value in hook.headers.items()
        }
        if hook.body is not None:
            headers["Content-Type"] = hook.content_type
        if hook.bearer is not None:
            headers["Authorization"] = f"Bearer {secrets[hook.bearer]}"
        if hook.secret is not None:
            headers[TIMESTAMP_HEADER] = str(now_ns // NANOS)
            headers[SIGNATURE_HEADER] = sign(secrets[hook.secret], headers[TIMESTAMP_HEADER], body)
        request = Post(url, body, headers, method=hook.method, quote=True)
        outcome = post(request, now_ns, hook.timeout_s, self.trust)
        quoted = without_secrets(outcome.reason, secrets.values())
        return Outcome(outcome.kind, cut(quoted, MAX_QUOTE + 40), outcome.retry_after_s)

    def _conclude(self, run: Run, outcome: Outcome, state: State, now_ns: int) -> Outcome:
        attempts = run.attempts + (state != "refused")
        sent_ns = now_ns if state == "sent" else None
        tried = replace(run, state=state, attempts=attempts, note=outcome.reason, sent_ns=sent_ns)
        with self.database.write() as connection:
            runs.change(connection, run.id, state=state, attempts=attempts, note=tried.note, sent_ns=sent_ns)
            runs.record(connection, tried, self.hook.target, now_ns)
        return self._told(tried, outcome)

    def _told(self, run: Run, outcome: Outcome) -> Outcome:
        verb = {"sent": "ran", "failed": "failed", "refused": "did not run"}.get(run.state, "waits")
        said = f"Hook {self.hook.name} {verb} ({run.event}, {self.hook.target}): {outcome.reason}"
        return Outcome(outcome.kind, outcome.reason, outcome.retry_after_s, timeline=said)


def body_of(hook: Hook, notification: Notification, event: str, author: str) -> str:
    """What is sent.

    Raises:
        FAULTS: the template asks for what is not there, or does not make JSON where it should.
    """
    if hook.body is None:
        return ""
    made = render(hook.body, notification, {"event": event, "hook": hook.name, "author": author})
    if "json" in hook.content_type:
        json.loads(made)
    return made


def without_secrets(text: str, secrets: Any) -> str:
    """The text without these secrets, and without what looks like one."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _LEAST_SECRET:
            text = text.replace(secret, _HIDDEN)
    return _SECRETIVE.sub(rf"\1{_HIDDEN}", text)


def _address(hook: Hook, rules: HookRules) -> str:
    url = hook.url.read() if isinstance(hook.url, SecretReference) else hook.url
    if not rules.allows(url):
        raise ConfigError(
            f"hook {hook.name} may not call the host of its URL", remedy="list its HOST:PORT under hooks: allow:"
        )
    return url
