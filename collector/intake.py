"""Where every request goes, whatever protocol it came by: bounded, prepared, committed in groups, and then answered.

    lease (bytes) -> submit -> worker: unpack, decode, normalise, roll up -> committer: one transaction -> receipt

A receipt means that the request is on the disk. It evaluates nothing.
"""

from __future__ import annotations

import copy
import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from collector.admission import Admission, Lease
from collector.committer import Commit, Committer, Pending
from collector.counters import Counters
from collector.limits import MIB
from collector.pipeline import Pipeline, Prepared, Request
from telemetry.clock import Clock
from telemetry.errors import OverloadedError, PayloadError, TailwatchError

DEFAULT_CAPACITY: Final = 96 * MIB
_RETRY_AFTER_S: Final = 2.0
_GROUP_WAIT_S: Final = 0.1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a request that is on the disk.

    Attributes:
        rejected: records refused.
        message: why, for the sender; empty when none was.
        repeated: whether the request had been counted before, and was not counted again.
    """

    rejected: int = 0
    message: str = ""
    repeated: bool = False


class Intake:
    """Takes requests in; all methods may be called from any thread.

    Args:
        commit: makes payloads durable.
        clock: when requests arrive.
        pipeline: what a request turns into.
        capacity_bytes: bodies held at once, from the first byte to the answer; beyond it requests are refused.
        workers: threads that prepare requests.

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
        workers: int = 2,
    ) -> None:
        self._clock = clock
        self._pipeline = pipeline or Pipeline()
        self._admission = Admission(capacity_bytes, self._pipeline.limits.body_bytes, _RETRY_AFTER_S)
        self._lock = threading.Lock()
        self._counters = Counters()
        self._unanswered: set[Future[Receipt]] = set()
        self._closing = False
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="tailwatch-intake")
        self._committer = Committer(
            commit,
            committed=self._count_commit,
            failed=self._count_failure,
            group_wait_s=_GROUP_WAIT_S,
            retry_after_s=_RETRY_AFTER_S,
        )

    @property
    def pipeline(self) -> Pipeline:
        """What requests turn into now."""
        return self._pipeline

    def use(self, pipeline: Pipeline) -> None:
        """Prepare requests by ``pipeline`` from now on; those on their way may still go by the old one."""
        self._pipeline = pipeline

    def counters(self) -> Counters:
        """A copy of the numbers so far."""
        with self._lock:
            counters = copy.deepcopy(self._counters)
        counters.requests_refused += self._admission.refused
        counters.held_bytes = self._admission.held_bytes
        return counters

    def lease(self) -> Lease:
        """Room for one request, to grow as its body is read; give it to ``submit``, or release it.

        Raises:
            OverloadedError: the intake is full, or closing.
        """
        with self._lock:
            if self._closing:
                raise self._closed()
        return self._admission.lease()

    def submit(self, request: Request, lease: Lease | None = None) -> Future[Receipt]:
        """Take a whole request; the future resolves once it is committed, and cannot be cancelled.

        ``lease`` covers its body; without one, room is made here. The future raises PayloadError (refused for
        good) or OverloadedError (not stored, come again).

        Raises:
            OverloadedError: the intake is full, or closing.
        """
        share = lease or self._room_for(request)
        answer: Future[Receipt] = Future()
        answer.set_running_or_notify_cancel()
        with self._lock:
            if self._closing:
                share.release()
                raise self._closed()
            self._counters.requests += 1
            self._counters.bytes_received += len(request.body)
            self._unanswered.add(answer)
            self._committer.announce()
            self._workers.submit(self._work, request, share, answer)
        return answer

    def settle(self) -> None:
        """Wait until everything submitted so far is answered."""
        with self._lock:
            unanswered = list(self._unanswered)
        wait(unanswered)

    def close(self) -> None:
        """Refuse what comes, commit what was accepted, and stop; a second time does nothing."""
        with self._lock:
            self._closing = True
        self._workers.shutdown(wait=True)
        self._committer.close()

    def count_invalid(self, status: int) -> None:
        """Count a request refused for good before it was submitted."""
        with self._lock:
            self._counters.requests_invalid[status] += 1

    def _room_for(self, request: Request) -> Lease:
        share = self.lease()
        try:
            share.grow(len(request.body))
        except OverloadedError:
            share.release()
            raise
        return share

    def _closed(self) -> OverloadedError:
        self._counters.requests_refused += 1
        return OverloadedError("the collector is shutting down", retry_after_s=_RETRY_AFTER_S)

    def _work(self, request: Request, share: Lease, answer: Future[Receipt]) -> None:
        """Prepare one request and hand it to the committer; runs in a worker."""
        try:
            prepared = self._prepare(request, share)
        except TailwatchError as error:
            self._committer.withdraw()
            self._refuse(answer, share, error)
            return
        if prepared.payload is None:
            self._committer.withdraw()
            self._acknowledge(answer, share, prepared, is_new=True)
            return
        outcome: Future[bool] = Future()
        outcome.add_done_callback(lambda done: self._decided(answer, share, prepared, done))
        self._committer.offer(Pending(prepared.payload, outcome))

    def _prepare(self, request: Request, share: Lease) -> Prepared:
        pipeline = self._pipeline
        try:
            unpacked = pipeline.unpack(request)
            share.grow(max(0, len(unpacked.body) - len(request.body)))
            return pipeline.prepare(unpacked, self._clock.now_ns())
        except TailwatchError:
            raise
        except Exception as error:
            _log.exception("a request could not be prepared")
            raise PayloadError(
                "the request could not be processed", status=500, remedy="see the collector's log"
            ) from error

    def _decided(self, answer: Future[Receipt], share: Lease, prepared: Prepared, outcome: Future[bool]) -> None:
        error = outcome.exception()
        if error is None:
            self._acknowledge(answer, share, prepared, is_new=outcome.result())
        else:
            with self._lock:
                self._counters.requests_refused += 1
            self._refuse(answer, share, error)

    def _acknowledge(self, answer: Future[Receipt], share: Lease, prepared: Prepared, *, is_new: bool) -> None:
        with self._lock:
            if is_new:
                self._count(prepared)
            else:
                self._counters.requests_repeated += 1
            self._unanswered.discard(answer)
        share.release()
        answer.set_result(Receipt(prepared.rejections.total, prepared.rejections.message(), repeated=not is_new))

    def _refuse(self, answer: Future[Receipt], share: Lease, error: BaseException) -> None:
        with self._lock:
            if isinstance(error, PayloadError):
                self._counters.requests_invalid[error.status] += 1
            self._unanswered.discard(answer)
        share.release()
        answer.set_exception(error)

    def _count(self, prepared: Prepared) -> None:
        counters = self._counters
        counters.requests_committed += prepared.payload is not None
        counters.spans += prepared.spans
        counters.log_records += prepared.log_records
        counters.feedback += prepared.feedback
        counters.passed_over += prepared.passed_over
        counters.ignored_values += prepared.ignored_values
        counters.rejected.update(prepared.rejections.reasons)
        for model, spans in prepared.unpriced.items():
            counters.add_unpriced(model, spans)

    def _count_failure(self) -> None:
        with self._lock:
            self._counters.commit_failures += 1

    def _count_commit(self) -> None:
        with self._lock:
            self._counters.commits += 1
