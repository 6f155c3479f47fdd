from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from collector.committer import Commit
from collector.intake import Intake
from collector.limits import Limits
from collector.pipeline import Pipeline
from collector.request import Request
from storage.database import Database
from storage.ingest import PreparedPayload, commit
from storage.rollups import sli_totals
from storage.spans import load_columns
from telemetry.clock import ManualClock
from telemetry.errors import ConfigError, OverloadedError, PayloadError, StorageError
from telemetry.matchers import parse_matchers
from telemetry.rules import SERIES_RULE_ID, NoError, RollupRule
from tests.collector.messages import NOW_NS, SECOND, span, traces

MINUTE = 60 * SECOND


@pytest.fixture
def open_intake() -> Iterator[Callable[..., Intake]]:
    opened: list[Intake] = []

    def build(store: Commit, pipeline: Pipeline | None = None, **arguments: int) -> Intake:
        opened.append(Intake(store, ManualClock(NOW_NS), pipeline, **arguments))
        return opened[-1]

    yield build
    for intake in opened:
        intake.close()


def into(db: Database) -> Commit:
    return lambda payloads: commit(db, payloads, NOW_NS)


def request(first: int = 1, count: int = 1) -> Request:
    body = traces([span(number) for number in range(first, first + count)]).SerializeToString()
    return Request("span", "protobuf", body)


def total(db: Database) -> int:
    return sum(group.total for group in sli_totals(db, SERIES_RULE_ID, NOW_NS - MINUTE, NOW_NS + MINUTE))


class Gate:
    """A committer that waits until it is opened, and can be made to fail; ``groups`` counts requests."""

    def __init__(self, then: Commit | None = None) -> None:
        self.then = then or (lambda payloads: None)
        self.opened = threading.Event()
        self.entered = threading.Event()
        self.groups: list[int] = []
        self.failures: list[Exception] = []

    def __call__(self, payloads: Sequence[PreparedPayload]) -> None:
        self.entered.set()
        assert self.opened.wait(30)
        self.groups.append(sum(len(payload.digests) for payload in payloads))
        if self.failures:
            raise self.failures.pop(0)
        self.then(payloads)


def test_a_receipt_means_that_the_request_is_stored(db: Database, open_intake: Callable[..., Intake]) -> None:
    receipt = open_intake(into(db)).submit(request(count=5)).result(30)
    assert (receipt.rejected, receipt.repeated) == (0, False)
    assert total(db) == 5
    assert len(load_columns(db, NOW_NS - MINUTE, NOW_NS + MINUTE)) == 5


def test_a_repeat_is_acknowledged_and_counted_once(db: Database, open_intake: Callable[..., Intake]) -> None:
    intake = open_intake(into(db))
    receipts = [intake.submit(request(count=3)).result(30) for _ in range(3)]
    assert [receipt.repeated for receipt in receipts] == [False, True, True]
    assert total(db) == 3
    counters = intake.counters()
    assert (counters.requests, counters.requests_committed, counters.requests_repeated) == (3, 1, 2)
    assert counters.spans == 3


def test_a_repeat_in_the_same_transaction_is_counted_once(db: Database, open_intake: Callable[..., Intake]) -> None:
    gate = Gate(into(db))
    intake = open_intake(gate)
    first = intake.submit(request(100))
    assert gate.entered.wait(30)
    answers = [intake.submit(request(1, 4)) for _ in range(2)]
    gate.opened.set()
    first.result(30)
    assert sorted(answer.result(30).repeated for answer in answers) == [False, True]
    assert total(db) == 5


def test_requests_that_arrive_together_share_a_transaction(open_intake: Callable[..., Intake]) -> None:
    gate = Gate()
    intake = open_intake(gate)
    answers = [intake.submit(request(1))]
    assert gate.entered.wait(30)
    answers += [intake.submit(request(number)) for number in range(2, 22)]
    gate.opened.set()
    for answer in answers:
        answer.result(30)
    assert sum(gate.groups) == 21
    assert len(gate.groups) <= 4
    assert intake.counters().commits == len(gate.groups)


def test_a_full_intake_refuses_and_keeps_what_it_accepted(db: Database, open_intake: Callable[..., Intake]) -> None:
    gate = Gate(into(db))
    intake = open_intake(gate, Pipeline(limits=Limits(body_bytes=20_000)), capacity_bytes=40_000)
    accepted, refused = [], 0
    for number in range(1, 50):
        try:
            accepted.append(intake.submit(request(number)))
        except OverloadedError:
            refused += 1
    assert accepted
    assert refused
    assert intake.counters().held_bytes <= 40_000
    assert intake.counters().requests_refused == refused
    gate.opened.set()
    for answer in accepted:
        assert not answer.result(30).repeated
    assert total(db) == len(accepted)
    assert intake.counters().held_bytes == 0
    intake.submit(request(1000)).result(30)


def test_what_grows_by_decompression_is_held_to_the_same_capacity(open_intake: Callable[..., Intake]) -> None:
    gate = Gate()
    intake = open_intake(gate, Pipeline(limits=Limits(body_bytes=100_000)), capacity_bytes=150_000)
    body = traces([span(number, custom="x" * 500) for number in range(1, 151)]).SerializeToString()
    packed = Request("span", "protobuf", gzip.compress(body), "gzip")
    assert len(body) > 75_000, "two of them do not fit once unpacked"
    first = intake.submit(packed)
    assert gate.entered.wait(30)
    with pytest.raises(OverloadedError):
        intake.submit(packed).result(30)
    gate.opened.set()
    first.result(30)
    assert intake.counters().held_bytes == 0
    assert intake.counters().requests_refused == 1


def test_a_failed_transaction_acknowledges_nothing_and_the_intake_goes_on(
    db: Database, open_intake: Callable[..., Intake]
) -> None:
    gate = Gate(into(db))
    gate.failures = [StorageError("the disk is full")]
    gate.opened.set()
    intake = open_intake(gate)
    with pytest.raises(OverloadedError):
        intake.submit(request(1, 2)).result(30)
    assert total(db) == 0
    assert not intake.submit(request(1, 2)).result(30).repeated
    assert total(db) == 2
    counters = intake.counters()
    assert (counters.commit_failures, counters.requests_refused, counters.spans) == (1, 1, 2)


def test_one_payload_that_cannot_be_stored_takes_no_other_with_it(open_intake: Callable[..., Intake]) -> None:
    """They share a batch, which is taken apart until the one at fault is alone."""
    poison = request(20, 2)
    digest = Pipeline().unpack(poison).digest
    stored: list[bytes] = []

    def store(payloads: Sequence[PreparedPayload]) -> None:
        if any(digest in payload.digests for payload in payloads):
            raise ValueError("cannot store two")
        stored.extend(digest for payload in payloads for digest in payload.digests)

    gate = Gate(store)
    intake = open_intake(gate, workers=1)
    first = intake.submit(request(1))
    assert gate.entered.wait(30)
    numbers = [10, 20, 30, 40, 50, 60, 70]
    answers = {number: intake.submit(poison if number == 20 else request(number)) for number in numbers}
    gate.opened.set()
    first.result(30)
    assert [number for number, answer in answers.items() if answer.exception(30) is not None] == [20]
    assert isinstance(answers[20].exception(), OverloadedError)
    assert len(stored) == len(set(stored)) == len(numbers)
    assert intake.counters().requests_refused == 1
    assert intake.counters().requests_committed == len(numbers)


def test_a_request_without_usable_records_is_answered_without_a_transaction(open_intake: Callable[..., Intake]) -> None:
    gate = Gate()
    intake = open_intake(gate)
    bad = span()
    bad.trace_id = b""
    assert intake.submit(Request("span", "protobuf", b"")).result(30).rejected == 0
    receipt = intake.submit(Request("span", "json", b'{"resourceSpans": []}')).result(30)
    assert receipt.rejected == 0
    receipt = intake.submit(Request("span", "protobuf", traces([bad]).SerializeToString())).result(30)
    assert receipt.rejected == 1
    assert "trace_id" in receipt.message
    assert gate.groups == []
    assert intake.counters().rejected == {"bad_trace_id": 1}


def test_an_undecodable_request_is_refused_for_good_and_counted(open_intake: Callable[..., Intake]) -> None:
    intake = open_intake(Gate())
    with pytest.raises(PayloadError):
        intake.submit(Request("span", "protobuf", b"\xff\xff")).result(30)
    assert intake.counters().requests_invalid == {400: 1}
    assert intake.counters().held_bytes == 0


def test_close_commits_what_was_accepted_and_refuses_what_comes(
    db: Database, open_intake: Callable[..., Intake]
) -> None:
    gate = Gate(into(db))
    intake = open_intake(gate)
    answers = [intake.submit(request(number)) for number in range(1, 11)]
    closing = threading.Thread(target=intake.close)
    closing.start()
    gate.opened.set()
    closing.join(30)
    assert not closing.is_alive()
    assert all(answer.done() and not answer.result().repeated for answer in answers)
    assert total(db) == 10
    with pytest.raises(OverloadedError, match="shutting down"):
        intake.submit(request(99))
    intake.close()


def test_rules_can_be_changed_while_requests_come(db: Database, open_intake: Callable[..., Intake]) -> None:
    intake = open_intake(into(db))
    intake.submit(request(1)).result(30)
    rule = RollupRule("new", parse_matchers([]), (), NoError())
    intake.use(Pipeline(rules=(rule,), guard=intake.pipeline.guard))
    intake.submit(request(2))
    intake.settle()
    assert total(db) == 1
    assert [group.total for group in sli_totals(db, "new", NOW_NS - MINUTE, NOW_NS + MINUTE)] == [1]


def test_many_threads_lose_nothing(db: Database, open_intake: Callable[..., Intake]) -> None:
    intake = open_intake(into(db))

    def send(sender: int) -> None:
        for number in range(10):
            intake.submit(request(1 + sender * 1000 + number * 10, 3)).result(30)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert total(db) == 4 * 10 * 3
    assert intake.counters().spans == 120


def test_a_capacity_below_one_body_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="raise the capacity"):
        Intake(Gate(), ManualClock(NOW_NS), Pipeline(limits=Limits(body_bytes=10_000)), capacity_bytes=10_000)
