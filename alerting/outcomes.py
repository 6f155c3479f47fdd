"""How a delivery went and when to try again, as data: transient or permanent is never an exception to guess at."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, Literal

from telemetry.windows import NANOS

MAX_RETRY_AFTER_S: Final = 3600.0
"""A receiver may ask for this much patience, and no more."""

_TRANSIENT_STATUSES: Final = frozenset({408, 425, 429})
_MAX_REASON: Final = 300


class NotTellableError(Exception):
    """There is nothing to send any more; the text says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt went.

    Attributes:
        kind: ``delivered``; ``transient``, worth another attempt; ``permanent``, never to succeed as it is.
        reason: for people, without secrets.
        retry_after_s: how long the receiver asks to be left alone, all of it.
        handle: what the receiver calls the message; later ones of the group are told it.
        timeline: what the incident's timeline says, where that is not that somebody was told.
    """

    kind: Literal["delivered", "transient", "permanent"]
    reason: str = ""
    retry_after_s: float | None = None
    handle: str | None = None
    timeline: str | None = None


def judge(status: int, retry_after: str | None, answer: str, now_ns: int) -> Outcome:
    """The outcome that an HTTP answer means.

    2xx is delivered. 408, 425, 429 and 5xx pass with time. Redirects are not followed, since a notification with a
    signature or a secret address must not go where its sender did not mean it to; they and other 4xx are permanent.

    Args:
        status: the HTTP status.
        retry_after: the header of that name.
        answer: the beginning of the answer's body.
        now_ns: nanoseconds since the epoch, to which a ``Retry-After`` date is compared.
    """
    if 200 <= status < 300:
        return Outcome("delivered")
    reason = quoted(status, answer)
    if status in _TRANSIENT_STATUSES or status >= 500:
        return Outcome("transient", reason, parse_retry_after(retry_after, now_ns))
    if 300 <= status < 400:
        reason = f"answered {status}: redirects are not followed, configure the address that it leads to"
    return Outcome("permanent", reason)


def quoted(status: int, answer: str) -> str:
    """An answer in words, cut."""
    said = " ".join(answer.split())
    return f"answered {status}{f': {said}' if said else ''}"[:_MAX_REASON]


def parse_retry_after(text: str | None, now_ns: int) -> float | None:
    """Seconds in a ``Retry-After`` header (RFC 9110, 10.2.3: a number or a date); None when it says nothing usable."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
        seconds = moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp() - now_ns / NANOS
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after a transient failure: doubling from ``base_s`` up to ``cap_s``, with jitter.

    "Equal jitter" (M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015): half of the delay is
    certain, half is random, so that many notifications do not return to a receiver at the same moment.
    """

    base_s: float = 1.0
    cap_s: float = 60.0
    seed: int = 0

    def delay_s(self, attempt: int, key: str, retry_after_s: float | None = None) -> float:
        """Seconds to wait after the ``attempt``-th failure (from 1) of the notification with this key.

        The same seed, key and attempt give the same delay. A receiver that names a time is given at least that.
        """
        ceiling = min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 32))
        # Jitter needs no cryptographic randomness; seeding by text is stable across processes.
        share = random.Random(f"{self.seed}:{key}:{attempt}").random()  # noqa: S311
        return max(ceiling * (0.5 + 0.5 * share), retry_after_s or 0.0)
