"""One thread that commits what is ready, in groups, and answers only then; it neither decodes nor bounds the queue."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Protocol

from storage.ingest import PreparedPayload, RepeatedError
from telemetry.errors import OverloadedError, TailwatchError

_MAX_GROUP: Final = 64
"""Requests in one transaction: bounds how long others wait for the writer."""

_log = logging.getLogger(__name__)


class Commit(Protocol):
    """Makes payloads durable, all of them or none; RepeatedError for requests that were counted before."""

    def __call__(self, payloads: Sequence[PreparedPayload]) -> None:
        """Commit, or raise and leave nothing behind."""
        ...


@dataclass(frozen=True, slots=True)
class Pending:
    """A payload that waits for its commit, and the future that learns whether it is new."""

    payload: PreparedPayload
    outcome: Future[bool]


class Committer:
    """Group commit: payloads that arrive together share a transaction.

    A group is closed when nothing else is announced, when it is full, or after ``group_wait_s``. So a lone request
    is committed at once, and under load the cost of a transaction is shared.

    Args:
        commit: the storage.
        committed: called after each transaction.
        failed: called when a transaction failed.
        group_wait_s: the longest wait for announced payloads.
        retry_after_s: when to come again after a failure.
    """

    def __init__(
        self,
        commit: Commit,
        *,
        committed: Callable[[], None],
        failed: Callable[[], None],
        group_wait_s: float,
        retry_after_s: float,
    ) -> None:
        self._commit = commit
        self._committed = committed
        self._failed = failed
        self._group_wait_s = group_wait_s
        self._retry_after_s = retry_after_s
        self._changed = threading.Condition()
        self._announced = 0
        self._queue: deque[Pending] = deque()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="tailwatch-committer", daemon=True)
        self._thread.start()

    def announce(self) -> None:
        """A payload is being prepared; ``offer`` or ``withdraw`` must follow."""
        with self._changed:
            self._announced += 1

    def withdraw(self) -> None:
        """The announced payload does not come."""
        with self._changed:
            self._announced -= 1
            self._changed.notify()

    def offer(self, pending: Pending) -> None:
        """The announced payload is ready."""
        with self._changed:
            self._announced -= 1
            self._queue.append(pending)
            self._changed.notify()

    def close(self) -> None:
        """Commit everything announced and offered, then stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next_group():
            self._commit_group(group)

    def _next_group(self) -> list[Pending]:
        """The next payloads to commit together; none when closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or (self._closing and not self._announced))
            self._changed.wait_for(
                lambda: not self._announced or len(self._queue) >= _MAX_GROUP, timeout=self._group_wait_s
            )
            return [self._queue.popleft() for _ in range(min(len(self._queue), _MAX_GROUP))]

    def _commit_group(self, group: list[Pending]) -> None:
        """Commit ``group``; when that fails, one by one, so that a payload at fault takes no other with it."""
        error = self._try(group)
        if error is None:
            return
        alone = group if len(group) > 1 else []
        for place, pending in enumerate(alone):
            error = self._try([pending])
            if error is not None:
                if place == 0:  # two failures in a row: the storage is at fault, and further tries only take time
                    break
                self._refuse([pending], error)
                error = None
        if error is not None:
            self._refuse(group, error)

    def _try(self, group: list[Pending]) -> Exception | None:
        """Commit ``group`` and answer it; what went wrong otherwise, with nobody answered."""
        try:
            new = self._commit_new(group)
        except Exception as error:  # noqa: BLE001  # whatever it is, the senders must learn that nothing was stored
            self._failed()
            return error
        self._committed()
        for pending, is_new in zip(group, new, strict=True):
            pending.outcome.set_result(is_new)
        return None

    def _commit_new(self, group: list[Pending]) -> list[bool]:
        """Commit what of ``group`` is new; True for each that was."""
        digests = [pending.payload.digests for pending in group]
        new = [digests.index(own) == place for place, own in enumerate(digests)]
        while any(new):
            try:
                self._commit([pending.payload for pending, is_new in zip(group, new, strict=True) if is_new])
                break
            except RepeatedError as error:
                new = [
                    is_new and error.digests.isdisjoint(pending.payload.digests)
                    for pending, is_new in zip(group, new, strict=True)
                ]
        return new

    def _refuse(self, group: list[Pending], error: Exception) -> None:
        known = isinstance(error, TailwatchError)
        _log.error("%d requests were not committed: %s", len(group), error, exc_info=None if known else error)
        for pending in group:
            pending.outcome.set_exception(
                OverloadedError("the request could not be stored", retry_after_s=self._retry_after_s)
            )
