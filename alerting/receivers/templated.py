"""Any HTTP service, told with a body of the user's own template: Discord, ntfy, Opsgenie, a chat of one's own.

A template sees what Tailwatch's own webhook format holds (``incident``, ``evidence``, ``alerts``, ``reason``,
``status``, ``runbook``, ``incident_url``, ``receiver``, ``at``), and besides ``headline``, ``facts`` and ``story``. It
runs in a sandbox; in JSON write values as ``{{ headline | tojson }}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jinja2.exceptions import TemplateError

from alerting.notifications import Notification
from alerting.outcomes import Outcome
from alerting.receivers.access import PLAIN, Access
from alerting.receivers.http import DEADLINE_S, IDEMPOTENCY_HEADER, Post, post
from alerting.receivers.protocol import identity
from alerting.receivers.story import facts, headline, story
from alerting.receivers.trust import PUBLIC_ONLY, Trust
from alerting.receivers.webhook import tailwatch
from alerting.sandbox import FAULTS, Environment, compiled, rendered
from alerting.secret_references import SecretReference
from alerting.texts import cut

_ENVIRONMENT: Final = Environment()


@dataclass(frozen=True, slots=True)
class TemplatedReceiver:
    """Posts what a template makes of a notification.

    Attributes:
        url: where to, perhaps a secret.
        body: the template.
        content_type: what it makes; JSON is checked before it is sent.
        headers: further ones, without secrets.
        token: sent as a bearer's.
    """

    name: str
    url: str | SecretReference
    body: str
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    token: SecretReference | None = None
    send_resolved: bool = True
    deadline_s: float = DEADLINE_S
    trust: Trust = PUBLIC_ONLY
    part: str = ""
    access: Access = PLAIN

    @property
    def id(self) -> str:
        """Unique: the name, the kind, and the part where there are several of it."""
        return identity(self.name, "template", self.part)

    def check(self) -> None:
        """Raise unless the secrets are there.

        Raises:
            ConfigError: one is missing.
        """
        for secret in (self.url, self.token):
            if isinstance(secret, SecretReference):
                secret.read()
        self.access.check()

    def send(self, notification: Notification, idempotency_key: str, now_ns: int) -> Outcome:
        """Tell it once."""
        headers = {"Content-Type": self.content_type, IDEMPOTENCY_HEADER: idempotency_key, **self.headers}
        url = self.url.read() if isinstance(self.url, SecretReference) else self.url
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.read()}"
        try:
            body = render(self.body, notification)
            if "json" in self.content_type:
                json.loads(body)
        except FAULTS as error:
            return Outcome("permanent", cut(f"its template failed: {type(error).__name__}: {error}", 300))
        return post(Post(url, body.encode(), headers), now_ns, self.deadline_s, self.trust, self.access)


def check_template(text: str) -> None:
    """Raise unless the text is a template.

    Raises:
        ValueError: where it is none.
    """
    try:
        compiled(_ENVIRONMENT, text)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        place = f" (its line {line})" if line else ""
        raise ValueError(f"this is not a template: {error}{place}; docs/alerting.md says what it may hold") from None


def render(text: str, notification: Notification, more: Mapping[str, Any] | None = None) -> str:
    """What the template makes of the notification, and of what else is given.

    Raises:
        TemplateError: the template asks for what is not there, or makes too much.
    """
    sections = [{"title": title, "lines": lines} for title, lines in story(notification)]
    context = {"headline": headline(notification), "facts": facts(notification), "story": sections, **(more or {})}
    return rendered(compiled(_ENVIRONMENT, text), tailwatch(notification) | context)
