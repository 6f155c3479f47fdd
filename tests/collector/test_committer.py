from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future

from collector.committer import Committer, Pending
from storage.ingest import PreparedPayload


def payload(number: int) -> PreparedPayload:
    return PreparedPayload(digests=(number.to_bytes(16, "big"),))


def test_closing_waits_for_what_is_announced() -> None:
    stored: list[bytes] = []

    def store(payloads: Sequence[PreparedPayload]) -> None:
        stored.extend(digest for one in payloads for digest in one.digests)

    committer = Committer(store, committed=lambda: None, failed=lambda: None, group_wait_s=0.01, retry_after_s=1)
    outcome: Future[bool] = Future()
    committer.announce()
    closing = threading.Thread(target=committer.close)
    closing.start()
    committer.announce()
    committer.withdraw()
    committer.offer(Pending(payload(1), outcome))
    closing.join(30)
    assert not closing.is_alive()
    assert outcome.result(0) is True
    assert stored == [*payload(1).digests]


def test_a_group_that_stays_announced_does_not_hold_up_the_others() -> None:
    committer = Committer(
        lambda payloads: None,
        committed=lambda: None,
        failed=lambda: None,
        group_wait_s=0.01,
        retry_after_s=1,
    )
    outcome: Future[bool] = Future()
    committer.announce()
    committer.announce()
    committer.offer(Pending(payload(1), outcome))
    assert outcome.result(30) is True
    committer.withdraw()
    committer.close()


def test_after_a_failure_of_all_and_of_the_first_alone_the_rest_is_not_tried() -> None:
    tried: list[int] = []
    gate = threading.Event()

    def store(payloads: Sequence[PreparedPayload]) -> None:
        assert gate.wait(30)
        tried.append(len(payloads))
        raise RuntimeError("no disk")

    failures: list[None] = []
    committer = Committer(
        store,
        committed=lambda: None,
        failed=lambda: failures.append(None),
        group_wait_s=60,
        retry_after_s=1,
    )
    outcomes: list[Future[bool]] = [Future() for _ in range(4)]
    for _ in outcomes:
        committer.announce()
    for number, outcome in enumerate(outcomes):
        committer.offer(Pending(payload(number), outcome))
    gate.set()
    assert all(outcome.exception(30) is not None for outcome in outcomes)
    assert tried == [4, 1]
    assert len(failures) == 2
    committer.close()
