"""Every request that has to be answered, its answer, and the collector's numbers; what to answer, others decide."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from collector.counters import Counters
from collector.repeats import Repeats
from collector.request import Body, Job, Outcome, Receipt, Tally
from telemetry.errors import PayloadError

_ALL_GOOD: Final = Receipt()
_REPEATED: Final = Receipt(repeated=True)


class Ledger:
    """Answers jobs, each once, and counts; its methods may be called from any thread."""

    def __init__(self) -> None:
        self._repeats = Repeats()
        self._counters = Counters()
        self._changed = threading.Condition()
        self._unanswered: set[Job] = set()

    def counters(self) -> Counters:
        """A copy of the numbers so far."""
        with self._changed:
            counters = copy.deepcopy(self._counters)
            counters.unanswered = len(self._unanswered)
        return counters

    def enter(self, job: Job) -> None:
        """``job`` has to be answered."""
        with self._changed:
            self._counters.requests += 1
            self._counters.bytes_received += job.size
            self._unanswered.add(job)

    def is_new(self, job: Job, body: Body) -> bool:
        """Whether ``job``, which brings ``body``, has to be prepared; a repeat is answered like the first."""
        sight = self._repeats.enter(body.digest, job)
        job.request, job.body = None, body if sight == "new" else None
        if sight == "committed":
            self.acknowledge_repeats([job])
        return sight == "new"

    def wait(self) -> None:
        """Until everything entered so far is answered."""
        with self._changed:
            entered = frozenset(self._unanswered)
            self._changed.wait_for(lambda: entered.isdisjoint(self._unanswered))

    def acknowledge(self, jobs: Sequence[Job], tallies: Sequence[Tally], unpriced: Mapping[str, int]) -> None:
        """Everything that ``jobs`` brought is stored, or nothing of it had to be."""
        with self._changed:
            for job, tally in zip(jobs, tallies, strict=True):
                self._count(job, tally)
            for model, spans in unpriced.items():
                self._counters.add_unpriced(model, spans)
        committed = any(tally.is_committed for tally in tallies)
        self._answer([(job, _receipt(tally)) for job, tally in zip(jobs, tallies, strict=True)], committed=committed)

    def acknowledge_repeats(self, jobs: Sequence[Job]) -> None:
        """``jobs`` were counted before, and are answered as all good: what was refused of them was told then."""
        with self._changed:
            self._counters.requests_repeated += len(jobs)
        self._answer([(job, _REPEATED) for job in jobs], committed=True)

    def refuse(self, jobs: Sequence[Job], error: Exception, *, counted: bool = False) -> None:
        """Nothing of ``jobs`` is stored; ``counted``: the refusals are among the admission's already."""
        if not counted:
            self._count_refusals(len(jobs), error)
        self._answer([(job, error) for job in jobs], committed=False)

    def count_invalid(self, status: int) -> None:
        """A request was refused for good before it was entered."""
        with self._changed:
            self._counters.requests_invalid[status] += 1

    def count_refused(self) -> None:
        """A request was turned away before it was entered."""
        with self._changed:
            self._counters.requests_refused += 1

    def count_batch(self, requests: int) -> None:
        """So many requests were prepared together."""
        with self._changed:
            self._counters.batch_requests.observe(requests)

    def count_commit(self, seconds: float, *, committed: bool) -> None:
        """A transaction ended."""
        with self._changed:
            self._counters.commit_s.observe(seconds)
            self._counters.commits += committed
            self._counters.commit_failures += not committed

    def _count(self, job: Job, tally: Tally) -> None:
        counters = self._counters
        counters.requests_committed += tally.is_committed
        if job.kind.signal == "span":
            counters.spans += tally.records
        elif job.kind.signal == "metric":
            counters.metric_points += tally.records
        else:
            counters.log_records += tally.records
        counters.feedback += tally.feedback
        counters.passed_over += tally.passed_over
        counters.ignored_values += tally.report.ignored_values
        counters.rejected.update(tally.report.rejections.reasons)

    def _count_refusals(self, requests: int, error: Exception) -> None:
        with self._changed:
            if isinstance(error, PayloadError):
                self._counters.requests_invalid[error.status] += requests
            else:
                self._counters.requests_refused += requests

    def _answer(self, answers: Sequence[tuple[Job, Outcome]], *, committed: bool) -> None:
        """Answer every job, and those that sent the same in the meantime."""
        done: list[Job] = []
        for job, outcome in answers:
            followers = self._repeats.leave(job.body.digest, committed=committed) if job.body is not None else []
            likewise = self._for_followers(outcome, len(followers)) if followers else outcome
            for one, answer in ((job, outcome), *((follower, likewise) for follower in followers)):
                one.lease.release()
                one.reply(answer)
                done.append(one)
        with self._changed:
            self._unanswered.difference_update(done)
            self._changed.notify_all()

    def _for_followers(self, outcome: Outcome, followers: int) -> Outcome:
        if not isinstance(outcome, Receipt):
            self._count_refusals(followers, outcome)
            return outcome
        with self._changed:
            self._counters.requests_repeated += followers
        return replace(outcome, repeated=True)


def _receipt(tally: Tally) -> Receipt:
    rejections = tally.report.rejections
    return Receipt(rejections.total, rejections.message()) if rejections.reasons else _ALL_GOOD
