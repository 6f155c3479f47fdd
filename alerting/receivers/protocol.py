"""What every receiver is to the rest of alerting: a name, a wish, and one way to be told."""

from __future__ import annotations

from typing import Protocol

from alerting.notifications import Notification
from alerting.outcomes import Outcome


class Receiver(Protocol):
    """Somebody to tell."""

    @property
    def id(self) -> str:
        """Unique, as :func:`identity` makes it: all that waits or was told is kept by it."""
        ...

    @property
    def name(self) -> str:
        """The name in the configuration, by which routes know it."""
        ...

    @property
    def send_resolved(self) -> bool:
        """Whether it wants to hear that an incident is over."""
        ...

    def check(self) -> None:
        """Raise unless what it needs, such as its secrets, is there.

        Raises:
            ConfigError: what is missing, without any secret in the message.
        """
        ...

    def send(self, notification: Notification, idempotency_key: str, now_ns: int) -> Outcome:
        """Tell it once, within a bounded time; how that went is the answer.

        Raises:
            ConfigError: a secret is missing; once it is there, another attempt succeeds.
        """
        ...


def identity(name: str, kind: str, part: str = "") -> str:
    """``oncall/slack``, and ``oncall/slack/2`` for a further one of its kind, whose part is ``2``."""
    return f"{name}/{kind}/{part}" if part else f"{name}/{kind}"


def name_of(identity: str) -> str:
    """The name in the configuration that an identity begins with; it holds no slash."""
    return identity.partition("/")[0]
