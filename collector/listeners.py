"""Tells whoever wants to know what a transaction brought, so that it need not wait for its next tick."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from storage.ingest import PreparedPayload

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CommitSummary:
    """What one transaction brought.

    Attributes:
        rules: ids of the rules whose counters grew.
        oldest_ns, newest_ns: first and last 10 s bucket that changed; None when no counter did.
        feedback: labels that came.
    """

    rules: frozenset[str]
    oldest_ns: int | None
    newest_ns: int | None
    feedback: int


Listener = Callable[[CommitSummary], None]


class Listeners:
    """A list of callables; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> None:
        """Call ``listener`` from now on."""
        with self._lock:
            self._listeners.append(listener)

    def tell(self, payloads: Sequence[PreparedPayload]) -> None:
        """Tell everyone what ``payloads`` brought; one that fails is logged and holds up nobody."""
        with self._lock:
            listeners = tuple(self._listeners)
        if not listeners or not payloads:
            return
        summary = summarise(payloads)
        for listener in listeners:
            try:
                listener(summary)
            except Exception:  # noqa: BLE001  # a stranger's fault must not reach the senders
                _log.exception("a listener failed after a commit")


def summarise(payloads: Sequence[PreparedPayload]) -> CommitSummary:
    """What ``payloads`` brought together."""
    keys = {(delta.rule, delta.bucket_ns) for payload in payloads for delta in payload.sli}
    keys |= {(delta.rule, delta.bucket_ns) for payload in payloads for delta in payload.distributions}
    return CommitSummary(
        rules=frozenset(rule for rule, _ in keys),
        oldest_ns=min((bucket_ns for _, bucket_ns in keys), default=None),
        newest_ns=max((bucket_ns for _, bucket_ns in keys), default=None),
        feedback=sum(len(payload.feedback) for payload in payloads),
    )
