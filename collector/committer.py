"""One thread that commits what is prepared, in groups, and says only then that it is stored; it prepares nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from collector.outages import OutageLog
from storage.ingest import PreparedPayload, RepeatedError
from telemetry.errors import StorageError

GROUP: Final = 2
"""Payloads in one transaction, and as many may wait for the next: beyond that, whoever prepares has to wait."""

_log = logging.getLogger(__name__)


class Commit(Protocol):
    """Makes payloads durable, all of them or none; RepeatedError for requests that were counted before."""

    def __call__(self, payloads: Sequence[PreparedPayload]) -> None:
        """Commit, or raise and leave nothing behind."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A payload that waits for its commit, and whom to tell.

    ``decided`` is called once, by the committer's thread: with None when the payload is stored, with RepeatedError
    when requests in it were counted before, with StorageError when the storage is at fault, and with anything else
    when it was tried alone and cannot be stored.
    """

    payload: PreparedPayload
    decided: Callable[[Exception | None], None]


class Tried(Protocol):
    """Hears of each transaction the seconds it took, and whether it was committed."""

    def __call__(self, seconds: float, *, committed: bool) -> None:
        """Take note."""
        ...


class Committer:
    """Group commit: payloads that are ready together share a transaction.

    A group is closed when nothing else is being prepared or waits to be, when it is full, or after ``group_wait_s``.
    So a lone request is committed at once, and under load the cost of a transaction is shared.

    Args:
        commit: the storage.
        tried: called after each transaction.
        group_wait_s: the longest wait for what is being prepared.
    """

    def __init__(self, commit: Commit, *, tried: Tried, group_wait_s: float) -> None:
        self._commit = commit
        self._tried = tried
        self._outages = OutageLog()
        self._group_wait_s = group_wait_s
        self._changed = threading.Condition()
        self._preparing = 0
        self._queue: deque[Pending] = deque()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="tailwatch-committer", daemon=True)
        self._thread.start()

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Payloads are going to be offered before the block ends: a group waits for them a little."""
        with self._changed:
            self._preparing += 1
        try:
            yield
        finally:
            with self._changed:
                self._preparing -= 1
                self._changed.notify_all()

    def offer(self, pending: Pending) -> None:
        """Commit this with the next group; waits while too much is waiting already."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) < GROUP)
            self._queue.append(pending)
            self._changed.notify_all()

    def close(self) -> None:
        """Commit everything offered, then stop; nothing may be offered after it."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while self._commit_next():
            pass

    def _commit_next(self) -> bool:
        """One group, of which nothing is held afterwards; False when there is none any more."""
        group = self._next_group()
        self._commit_group(group)
        return bool(group)

    def _next_group(self) -> list[Pending]:
        """The next payloads to commit together; none when closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            self._changed.wait_for(
                lambda: not self._preparing or len(self._queue) >= GROUP or self._closing, timeout=self._group_wait_s
            )
            group = list(self._queue)
            self._queue.clear()
            self._changed.notify_all()
            return group

    def _commit_group(self, group: list[Pending]) -> None:
        """Commit ``group`` but for the payloads that cannot be: a payload at fault takes no other with it."""
        while group:
            error = self._try(group)
            if isinstance(error, RepeatedError) and (repeated := _with_any(group, error.digests)):
                _decide(repeated, error)
                group = [pending for pending in group if pending not in repeated]
            elif error is None or isinstance(error, StorageError) or len(group) == 1:
                _decide(group, error)
                return
            else:
                for pending in group:
                    self._commit_group([pending])
                return

    def _try(self, group: list[Pending]) -> Exception | None:
        """Commit ``group``; what went wrong otherwise, with nobody told."""
        started_s = time.perf_counter()
        try:
            self._commit([pending.payload for pending in group])
        except RepeatedError as error:
            return error
        except Exception as error:  # noqa: BLE001  # whatever it is, the senders must learn that nothing was stored
            self._tried(time.perf_counter() - started_s, committed=False)
            requests = sum(len(pending.payload.digests) for pending in group)
            if isinstance(error, StorageError):
                self._outages.failed(requests, error)
            else:
                _log.error("%d requests were not committed: %s", requests, error, exc_info=error)
            return error
        self._tried(time.perf_counter() - started_s, committed=True)
        self._outages.over()
        return None


def _decide(group: list[Pending], error: Exception | None) -> None:
    for pending in group:
        pending.decided(error)


def _with_any(group: list[Pending], digests: frozenset[bytes]) -> list[Pending]:
    return [pending for pending in group if not digests.isdisjoint(pending.payload.digests)]
