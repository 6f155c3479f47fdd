"""Where every request goes, whatever protocol it came by: bounded, prepared in batches, committed in groups, answered.

    lease (bytes) -> take -> waiting room -> workshop: unpack, decode, normalise, roll up -> committer -> reply

An answer of success means that the request is on the disk. It evaluates nothing.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Final

from collector.admission import Admission, Lease
from collector.committer import Commit, Committer
from collector.counters import Counters
from collector.ledger import Ledger
from collector.limits import MIB
from collector.pipeline import Pipeline
from collector.refusals import RefusalLog
from collector.request import Job, Outcome, Receipt, Reply, Request
from collector.waiting import WaitingRoom
from collector.workshop import Workshop
from telemetry.clock import Clock
from telemetry.errors import OverloadedError

DEFAULT_CAPACITY: Final = 96 * MIB
_WORKERS: Final = 1
"""More only take turns at the interpreter: two cost 9 % more CPU time a span, and were no faster."""

_HELPERS: Final = 1
_RETRY_AFTER_S: Final = 2.0
_GROUP_WAIT_S: Final = 0.1


class Intake:
    """Takes requests in; all methods may be called from any thread.

    Args:
        commit: makes payloads durable.
        clock: when requests arrive.
        pipeline: what requests turn into.
        capacity_bytes: bodies held at once, from the first byte to the answer; beyond it requests are refused.
        workers: threads that prepare requests.
        helpers: threads that do so only while the workers are at something large.

    Raises:
        ConfigError: one body at its limit would not fit into the capacity.
    """

    def __init__(
        self,
        commit: Commit,
        clock: Clock,
        pipeline: Pipeline | None = None,
        *,
        capacity_bytes: int = DEFAULT_CAPACITY,
        workers: int = _WORKERS,
        helpers: int = _HELPERS,
    ) -> None:
        self.refusals = RefusalLog(clock)
        """What senders did wrong, for the log; told by those who know the sender."""
        self._pipeline = pipeline or Pipeline()
        self._admission = Admission(capacity_bytes, self._pipeline.limits.body_bytes, _RETRY_AFTER_S)
        self._lock = threading.Lock()
        self._closing = False
        self._ledger = Ledger()
        self._room = WaitingRoom()
        self._committer = Committer(commit, tried=self._ledger.count_commit, group_wait_s=_GROUP_WAIT_S)
        self._workshop = Workshop(
            self._room,
            self._committer,
            self._ledger,
            pipeline=lambda: self._pipeline,
            clock=clock,
            workers=workers,
            helpers=helpers,
            retry_after_s=_RETRY_AFTER_S,
        )

    @property
    def pipeline(self) -> Pipeline:
        """What requests turn into now."""
        return self._pipeline

    @property
    def retry_after_s(self) -> float:
        """When those who are refused should come again, in seconds."""
        return _RETRY_AFTER_S

    def use(self, pipeline: Pipeline) -> None:
        """Prepare requests by ``pipeline`` from now on; those on their way may still go by the old one."""
        self._pipeline = pipeline

    def counters(self) -> Counters:
        """A copy of the numbers so far."""
        counters = self._ledger.counters()
        counters.requests_refused += self._admission.refused
        counters.held_bytes = self._admission.held_bytes
        return counters

    def lease(self) -> Lease:
        """Room for one request, to grow as its body is read; give it to ``take``, or release it.

        Raises:
            OverloadedError: the intake is full, or closing.
        """
        if self._closing:
            raise self._closed()
        return self._admission.lease()

    def take(self, request: Request, lease: Lease, reply: Reply) -> None:
        """Take a whole request, whose body ``lease`` covers; ``reply`` is told once it is committed, or refused.

        Raises:
            OverloadedError: the intake is closing; the lease was released.
        """
        job = Job(request.kind, request, lease, reply)
        with self._lock:
            if self._closing:
                lease.release()
                raise self._closed()
            self._ledger.enter(job)
        self._room.enter(job)

    def submit(self, request: Request) -> Future[Receipt]:
        """Take a whole request, for callers who can wait; the future cannot be cancelled.

        It raises PayloadError (refused for good) or OverloadedError (not stored, come again).

        Raises:
            OverloadedError: the intake is full, or closing.
        """
        lease = self.lease()
        try:
            lease.grow(len(request.body))
        except OverloadedError:
            lease.release()
            raise
        answer: Future[Receipt] = Future()
        answer.set_running_or_notify_cancel()

        def reply(outcome: Outcome) -> None:
            if isinstance(outcome, Receipt):
                answer.set_result(outcome)
            else:
                answer.set_exception(outcome)

        self.take(request, lease, reply)
        return answer

    def settle(self) -> None:
        """Wait until everything taken so far is answered."""
        self._ledger.wait()

    def close(self) -> None:
        """Refuse what comes, commit what was accepted, and stop; a second time does nothing."""
        with self._lock:
            self._closing = True
        self._ledger.wait()
        self._room.close()
        self._workshop.join()
        self._committer.close()

    def count_invalid(self, status: int) -> None:
        """Count a request refused for good before it was taken."""
        self._ledger.count_invalid(status)

    def count_refused(self) -> None:
        """Count a request turned away before it was taken."""
        self._ledger.count_refused()

    def _closed(self) -> OverloadedError:
        self._ledger.count_refused()
        return OverloadedError("the collector is shutting down", retry_after_s=_RETRY_AFTER_S)
