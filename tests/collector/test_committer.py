from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from collector.committer import GROUP, Commit, Committer, Pending
from storage.ingest import PreparedPayload, RepeatedError
from telemetry.errors import StorageError

Open = Callable[[Commit], Committer]


def digest(number: int) -> bytes:
    return number.to_bytes(16, "big")


def numbers(payloads: Sequence[PreparedPayload]) -> list[int]:
    return [int.from_bytes(digest) for payload in payloads for digest in payload.digests]


class Verdicts:
    """What was decided of each payload, named by its first number, in the order of the decisions."""

    def __init__(self) -> None:
        self.found: list[tuple[int, Exception | None]] = []
        self.all_in = threading.Event()
        self.expected = 0

    def pending(self, *wanted: int) -> Pending:
        self.expected += 1
        payload = PreparedPayload(digests=tuple(digest(number) for number in wanted))
        return Pending(payload, lambda error: self.decide(wanted[0], error))

    def decide(self, number: int, error: Exception | None) -> None:
        self.found.append((number, error))
        if len(self.found) == self.expected:
            self.all_in.set()

    def kinds(self) -> dict[int, type | None]:
        assert self.all_in.wait(30)
        return {number: None if error is None else type(error) for number, error in self.found}


class Tries:
    def __init__(self) -> None:
        self.committed: list[bool] = []

    def __call__(self, seconds: float, *, committed: bool) -> None:
        assert seconds >= 0
        self.committed.append(committed)


@pytest.fixture
def tries() -> Tries:
    return Tries()


@pytest.fixture
def opened(tries: Tries) -> Iterator[Open]:
    built: list[Committer] = []

    def build(commit: Commit) -> Committer:
        built.append(Committer(commit, tried=tries, group_wait_s=60))
        return built[-1]

    yield build
    for committer in built:
        committer.close()


def test_payloads_that_are_ready_together_share_a_transaction(opened: Open, tries: Tries) -> None:
    groups: list[list[int]] = []
    committer, verdicts = opened(lambda payloads: groups.append(numbers(payloads))), Verdicts()
    with committer.preparing():
        for number in range(GROUP):
            committer.offer(verdicts.pending(number))
    assert verdicts.kinds() == dict.fromkeys(range(GROUP))
    assert groups == [list(range(GROUP))]
    assert tries.committed == [True]


def test_a_payload_waits_for_nobody_when_nothing_else_is_being_prepared(opened: Open) -> None:
    committer, verdicts = opened(lambda payloads: None), Verdicts()
    committer.offer(verdicts.pending(1))
    assert verdicts.kinds() == {1: None}


def test_a_full_group_does_not_wait_for_what_is_being_prepared(opened: Open) -> None:
    committer, verdicts = opened(lambda payloads: None), Verdicts()
    with committer.preparing():
        for number in range(GROUP):
            committer.offer(verdicts.pending(number))
        assert set(verdicts.kinds().values()) == {None}


def test_preparing_that_takes_long_does_not_hold_up_the_others(tries: Tries) -> None:
    committer, verdicts = Committer(lambda payloads: None, tried=tries, group_wait_s=0.01), Verdicts()
    with committer.preparing():
        committer.offer(verdicts.pending(1))
        assert verdicts.kinds() == {1: None}
    committer.close()


def test_who_prepares_has_to_wait_while_too_much_is_waiting(opened: Open) -> None:
    gate, entered = threading.Event(), threading.Event()

    def store(payloads: Sequence[PreparedPayload]) -> None:
        entered.set()
        assert gate.wait(30)

    committer, verdicts = opened(store), Verdicts()
    committer.offer(verdicts.pending(0))
    assert entered.wait(30)
    for number in range(1, GROUP + 1):
        committer.offer(verdicts.pending(number))
    late = threading.Thread(target=committer.offer, args=[verdicts.pending(99)])
    late.start()
    late.join(0.05)
    assert late.is_alive(), "there is no room for it yet"
    gate.set()
    late.join(30)
    assert set(verdicts.kinds()) == {*range(GROUP + 1), 99}


def test_closing_commits_what_was_offered(tries: Tries) -> None:
    stored: list[int] = []
    committer, verdicts = Committer(lambda some: stored.extend(numbers(some)), tried=tries, group_wait_s=60), Verdicts()
    with committer.preparing():
        committer.offer(verdicts.pending(1))
        committer.close()
    assert verdicts.kinds() == {1: None}
    assert stored == [1]


def test_when_the_storage_is_at_fault_nothing_is_tried_again(opened: Open, tries: Tries) -> None:
    tried: list[list[int]] = []

    def store(payloads: Sequence[PreparedPayload]) -> None:
        tried.append(numbers(payloads))
        raise StorageError("the disk is full")

    committer, verdicts = opened(store), Verdicts()
    with committer.preparing():
        for number in range(GROUP):
            committer.offer(verdicts.pending(number))
    assert set(verdicts.kinds().values()) == {StorageError}
    assert tried == [list(range(GROUP))]
    assert tries.committed == [False]


def test_a_payload_at_fault_takes_no_other_with_it(opened: Open, tries: Tries) -> None:
    def store(payloads: Sequence[PreparedPayload]) -> None:
        if 1 in numbers(payloads):
            raise ValueError("cannot store that")

    committer, verdicts = opened(store), Verdicts()
    with committer.preparing():
        for number in range(3):
            committer.offer(verdicts.pending(number))
    assert verdicts.kinds() == {0: None, 1: ValueError, 2: None}
    assert tries.committed == [False, True, False, True]


def test_repeats_are_named_and_the_payloads_without_any_are_committed(opened: Open, tries: Tries) -> None:
    stored: list[int] = []

    def store(payloads: Sequence[PreparedPayload]) -> None:
        repeated = {digest(11), digest(30)} & {digest for payload in payloads for digest in payload.digests}
        if repeated:
            raise RepeatedError(frozenset(repeated))
        stored.extend(numbers(payloads))

    committer, verdicts = opened(store), Verdicts()
    with committer.preparing():
        for group in ([10, 11], [20, 21], [30]):
            committer.offer(verdicts.pending(*group))
    assert verdicts.kinds() == {10: RepeatedError, 30: RepeatedError, 20: None}
    assert stored == [20, 21]
    assert tries.committed == [True], "a repeat is no failure"


def test_a_repeat_that_nobody_sent_is_a_fault(opened: Open) -> None:
    def store(payloads: Sequence[PreparedPayload]) -> None:
        raise RepeatedError(frozenset({b"unknown"}))

    committer, verdicts = opened(store), Verdicts()
    committer.offer(verdicts.pending(1))
    assert verdicts.kinds() == {1: RepeatedError}
