"""The threads that turn waiting requests into payloads, batch by batch; they say what is answered, and store nothing.

    take a batch -> unpack each -> leave repeats out -> decode, normalise, roll up once -> committer -> answers

Whatever goes wrong with a batch goes wrong for the request at fault alone: the batch is taken apart and prepared anew.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from collector.committer import Committer, Pending
from collector.ledger import Ledger
from collector.pipeline import Pipeline
from collector.request import Job, Tally
from collector.waiting import BATCH_BYTES, WaitingRoom
from storage.ingest import RepeatedError
from telemetry.clock import Clock
from telemetry.errors import OverloadedError, PayloadError, StorageError, TailwatchError

_PATIENCE_S: Final = 0.25
"""Many times what an ordinary batch takes."""

_log = logging.getLogger(__name__)


class Workshop:
    """Threads between a waiting room and a committer, until the room is closed and empty.

    Args:
        workers: threads that prepare whatever comes.
        helpers: threads that step in when no worker took a batch for a while, since all are at something large.
        pipeline: gives the one in force.
        retry_after_s: when to come again after a failure of the storage.
    """

    def __init__(
        self,
        room: WaitingRoom,
        committer: Committer,
        ledger: Ledger,
        *,
        pipeline: Callable[[], Pipeline],
        clock: Clock,
        workers: int,
        helpers: int,
        retry_after_s: float,
    ) -> None:
        self._room = room
        self._committer = committer
        self._ledger = ledger
        self._pipeline = pipeline
        self._clock = clock
        self._retry_after_s = retry_after_s
        turns = [room.take] * workers + [partial(room.take_overdue, _PATIENCE_S)] * helpers
        self._threads = [
            threading.Thread(target=self._run, args=[take], name=f"tailwatch-intake-{number}", daemon=True)
            for number, take in enumerate(turns)
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for the threads to end."""
        for thread in self._threads:
            thread.join()

    def _run(self, take: Callable[[], list[Job]]) -> None:
        while self._take_and_work(take):
            pass

    def _take_and_work(self, take: Callable[[], list[Job]]) -> bool:
        """Batch after batch while there are any, as one run for the committer; False when there will be none any more.

        Nothing of a batch is held here once it is prepared, least of all while waiting for the next.
        """
        jobs = take()
        if not jobs:
            return False
        with self._committer.preparing():
            while jobs:
                self._work(jobs)
                jobs = self._room.take_if_any()
        return True

    def _work(self, jobs: Sequence[Job]) -> None:
        """Unpack and prepare ``jobs``, together as far as their unpacked size allows."""
        batch: list[Job] = []
        size = 0
        for job in jobs:
            if job.body is None and not self._unpack(job):
                continue
            if batch and size + job.size > BATCH_BYTES:
                self._prepare(batch)
                batch, size = [], 0
            batch.append(job)
            size += job.size
        if batch:
            self._prepare(batch)

    def _unpack(self, job: Job) -> bool:
        """Whether ``job`` goes on; it is answered otherwise, or will be with another one."""
        request = job.request
        assert request is not None
        try:
            body = self._pipeline().unpack(request)
            job.lease.grow(max(0, len(body.data) - len(request.body)))
        except Exception as error:  # noqa: BLE001  # whatever it is, the sender must learn it, and the thread go on
            self._ledger.refuse([job], _explained(error), counted=isinstance(error, OverloadedError))
            return False
        return self._ledger.is_new(job, body)

    def _prepare(self, batch: Sequence[Job]) -> None:
        """Prepare ``batch`` and hand it to the committer."""
        try:
            prepared = self._pipeline().prepare(batch[0].kind, [job.unpacked for job in batch], self._clock.now_ns())
        except Exception as error:  # noqa: BLE001  # see above; which request is at fault, only one alone can tell
            if len(batch) == 1:
                self._ledger.refuse(batch, _explained(error))
            for job in batch if len(batch) > 1 else ():
                self._prepare([job])
            return
        self._ledger.count_batch(len(batch))
        waiting = _Batch()
        for job, tally in zip(batch, prepared.tallies, strict=True):
            if tally.report.error is not None:
                self._ledger.refuse([job], tally.report.error)
            elif tally.is_committed:
                waiting.jobs.append(job)
                waiting.tallies.append(tally)
            else:
                self._ledger.acknowledge([job], [tally], {})
        if prepared.payload is not None:
            waiting.unpriced = prepared.unpriced
            self._room.depart()
            self._committer.offer(Pending(prepared.payload, partial(self._decided, waiting)))

    def _decided(self, batch: _Batch, error: Exception | None) -> None:
        """What became of a payload; runs in the committer's thread."""
        self._room.arrive()
        jobs = batch.jobs
        if error is None:
            self._ledger.acknowledge(jobs, batch.tallies, batch.unpriced)
        elif isinstance(error, RepeatedError):
            self._ledger.acknowledge_repeats([job for job in jobs if job.unpacked.digest in error.digests])
            self._again([job for job in jobs if job.unpacked.digest not in error.digests])
        elif isinstance(error, StorageError) or len(jobs) == 1:
            refusal = OverloadedError("the request could not be stored", retry_after_s=self._retry_after_s)
            self._ledger.refuse(jobs, refusal)
        else:
            half = len(jobs) // 2
            self._again(jobs[:half])
            self._again(jobs[half:])

    def _again(self, jobs: list[Job]) -> None:
        if jobs:
            self._room.enter_again(jobs)


@dataclass(slots=True)
class _Batch:
    """The requests whose payload is being committed, and what to say about them then."""

    jobs: list[Job] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    unpriced: Mapping[str, int] = field(default_factory=dict)


def _explained(error: Exception) -> Exception:
    """The error as a sender may see it."""
    if isinstance(error, TailwatchError):
        return error.with_traceback(None)  # its frames hold the body, for as long as the sender's answer lives
    _log.error("a request could not be prepared", exc_info=error)
    return PayloadError("the request could not be processed", status=500, remedy="see the collector's log")
