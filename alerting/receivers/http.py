"""One HTTP POST to a receiver: bounded in time, following no redirect, telling no secret; it never raises."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from alerting.outcomes import Outcome
from alerting.receivers.access import PLAIN, Access
from alerting.receivers.trust import PUBLIC_ONLY, Trust

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
DEADLINE_S: Final = 10.0
"""For one exchange, from connecting to the end of the answer."""

_sending: ContextVar[bool] = ContextVar("sending a notification", default=False)


@dataclass(frozen=True, slots=True)
class Post:
    """A request to make; the URL may be a secret and is not shown.

    ``judge_success`` reads the body of a 2xx answer, where the status does not say it all; with ``quote`` the outcome's
    reason holds the beginning of it.
    """

    url: str
    body: bytes
    headers: Mapping[str, str]
    judge_success: Callable[[bytes], Outcome] | None = None
    method: str = "POST"
    quote: bool = False

    def __repr__(self) -> str:
        return f"Post({len(self.body)} bytes)"


def _keep_log_record(_record: logging.LogRecord) -> bool:
    return not _sending.get()


# httpx logs every request with its address; those made here are left out of its log, all others stay.
logging.getLogger("httpx").addFilter(_keep_log_record)


def post(
    request: Post, now_ns: int, deadline_s: float = DEADLINE_S, trust: Trust = PUBLIC_ONLY, access: Access = PLAIN
) -> Outcome:
    """Make the request from a thread without a running event loop, and judge the answer.

    Addresses that are not public are called as far as ``trust`` permits them. ``access`` is what is particular to this
    receiver.
    """
    from alerting.receivers.exchange import exchange  # noqa: PLC0415 - httpx takes 0.1 s to import

    token = _sending.set(True)
    try:
        return asyncio.run(exchange(request, now_ns, deadline_s, trust, access))
    finally:
        _sending.reset(token)
