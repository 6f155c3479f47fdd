"""Requests that wait together are prepared together, and nobody can tell from the answers or from what is stored."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from collector.committer import Commit
from collector.intake import Intake
from collector.limits import Limits
from collector.pipeline import Pipeline
from collector.request import Body, Kind, Prepared, Receipt, Request
from collector.waiting import BATCH_BYTES, BATCH_REQUESTS
from storage.database import Database
from storage.feedback import load_feedback
from storage.ingest import PreparedPayload, commit
from storage.rollups import sli_totals
from storage.spans import load_columns
from telemetry.clock import ManualClock
from telemetry.errors import OverloadedError, PayloadError, StorageError
from telemetry.rules import SERIES_RULE_ID
from telemetry.windows import bucket_start
from tests.collector.messages import NOW_NS, SECOND, log, logs, span, traces

MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE


class HeldClock(ManualClock):
    """Workers ask it for the time when they prepare: it holds them until it is let go."""

    def __init__(self) -> None:
        super().__init__(NOW_NS)
        self.asked = threading.Event()
        self.let_go = threading.Event()

    def now_ns(self) -> int:
        self.asked.set()
        assert self.let_go.wait(30)
        return super().now_ns()


@dataclass
class Held:
    """An intake whose only worker is at a first request, so that all that comes waits together."""

    intake: Intake
    clock: HeldClock
    first: Future[Receipt]

    def go(self) -> None:
        self.clock.let_go.set()
        self.first.result(30)


@pytest.fixture
def hold() -> Iterator[Callable[..., Held]]:
    held: list[Held] = []

    def build(store: Commit, pipeline: Pipeline | None = None, **arguments: int) -> Held:
        clock = HeldClock()
        intake = Intake(store, clock, pipeline, workers=1, **{"helpers": 0, **arguments})
        first = intake.submit(Request("log", "protobuf", logs([log(999_999)]).SerializeToString()))
        assert clock.asked.wait(30)
        held.append(Held(intake, clock, first))
        return held[-1]

    yield build
    for one in held:
        one.clock.let_go.set()
        one.intake.close()


def into(db: Database) -> Commit:
    return lambda payloads: commit(db, payloads, NOW_NS)


def request(first: int = 1, count: int = 1, **values: object) -> Request:
    body = traces([span(number, **values) for number in range(first, first + count)]).SerializeToString()
    return Request("span", "protobuf", body)


def total(db: Database) -> int:
    return sum(group.total for group in sli_totals(db, SERIES_RULE_ID, NOW_NS - MINUTE, NOW_NS + MINUTE))


def batches(intake: Intake) -> dict[float, int]:
    """How many batches had at most so many requests, and more than the bound before."""
    histogram = intake.counters().batch_requests
    return {bound: count for bound, count in zip(histogram.bounds, histogram.counts, strict=False) if count}


def test_requests_that_wait_together_are_one_batch(db: Database, hold: Callable[..., Held]) -> None:
    held = hold(into(db))
    answers = [held.intake.submit(request(number, 2)) for number in range(1, 31, 2)]
    held.go()
    assert {answer.result(30) for answer in answers} == {Receipt()}
    assert batches(held.intake) == {1: 1, 16: 1}
    assert total(db) == 30
    assert len(load_columns(db, NOW_NS - MINUTE, NOW_NS + MINUTE)) == 30
    assert held.intake.counters().requests_committed == 16


def test_a_batch_is_bounded_in_requests(db: Database, hold: Callable[..., Held]) -> None:
    held = hold(into(db))
    answers = [held.intake.submit(request(number)) for number in range(1, 2 * BATCH_REQUESTS + 1)]
    held.go()
    for answer in answers:
        answer.result(30)
    assert batches(held.intake) == {1: 1, 16: 2}


def test_a_batch_is_bounded_in_bytes_as_they_are_unpacked(hold: Callable[..., Held]) -> None:
    held = hold(lambda payloads: None)
    padding = "x" * (BATCH_BYTES * 2 // 5)
    packed = [gzip.compress(request(number, custom=padding).body, 1) for number in range(1, 6)]
    assert sum(map(len, packed)) < BATCH_BYTES // 10, "as they are sent, all of them fit into one"
    answers = [held.intake.submit(Request("span", "protobuf", body, "gzip")) for body in packed]
    held.go()
    for answer in answers:
        answer.result(30)
    assert batches(held.intake) == {1: 2, 2: 2}


def test_each_kind_has_its_own_batch_and_its_turn(db: Database, hold: Callable[..., Held]) -> None:
    held = hold(into(db))
    label = logs([log(7, event="tailwatch.feedback", tailwatch__feedback__label="cat")])
    answers = [
        *(held.intake.submit(request(number)) for number in range(1, 41)),
        held.intake.submit(Request("log", "protobuf", label.SerializeToString())),
        held.intake.submit(Request("span", "json", b'{"resourceSpans": []}')),
    ]
    held.go()
    for answer in answers:
        assert answer.result(30) == Receipt()
    assert total(db) == 40
    assert [row.label for row in load_feedback(db, NOW_NS - MINUTE, NOW_NS + MINUTE)] == ["cat"]


def test_companions_have_no_part_in_each_others_faults(db: Database, hold: Callable[..., Held]) -> None:
    held = hold(into(db))
    bad = span(3)
    bad.trace_id = b"short"
    partly = Request("span", "protobuf", traces([span(2), bad]).SerializeToString())
    good = [held.intake.submit(request(10, 4)), held.intake.submit(request(20, 5))]
    broken = held.intake.submit(Request("span", "protobuf", b"\xff\xff"))
    bomb = held.intake.submit(Request("span", "protobuf", b"not gzip", "gzip"))
    rejected = held.intake.submit(partly)
    empty = held.intake.submit(Request("span", "protobuf", b""))
    held.go()
    assert [answer.result(30) for answer in (*good, empty)] == [Receipt()] * 3
    assert rejected.result(30).rejected == 1
    assert "trace_id" in rejected.result().message
    for answer in (broken, bomb):
        error = answer.exception(30)
        assert isinstance(error, PayloadError)
        assert error.status == 400
    assert total(db) == 4 + 5 + 1
    counters = held.intake.counters()
    assert counters.requests_invalid == {400: 2}
    assert counters.rejected == {"bad_trace_id": 1}
    assert counters.spans == 10
    assert counters.held_bytes == counters.unanswered == 0


class Stumbling(Pipeline):
    """A pipeline with a fault of its own: it cannot prepare a body with this word."""

    def prepare(self, kind: Kind, bodies: Sequence[Body], now_ns: int) -> Prepared:
        if any(b"stumble" in body.data for body in bodies):
            raise ZeroDivisionError
        return super().prepare(kind, bodies, now_ns)


def test_a_fault_of_our_own_is_500_for_the_one_request_and_in_the_log(
    db: Database, hold: Callable[..., Held], caplog: pytest.LogCaptureFixture
) -> None:
    held = hold(into(db), Stumbling())
    answers = {name: held.intake.submit(request(n, name=name)) for n, name in enumerate(("a", "stumble", "b"), 1)}
    held.go()
    assert answers["a"].result(30) == answers["b"].result(30) == Receipt()
    error = answers["stumble"].exception(30)
    assert isinstance(error, PayloadError)
    assert error.status == 500
    assert total(db) == 2
    assert "ZeroDivisionError" in caplog.text


def test_bodies_that_are_too_much_together_are_taken_one_by_one(db: Database, hold: Callable[..., Held]) -> None:
    """Three features each, of which a request may have four."""
    held = hold(into(db), Pipeline(limits=Limits(features=4)))

    def features(number: int) -> dict[str, int]:
        return {f"tailwatch.feature.f{number}_{feature}": feature for feature in range(3)}

    answers = [held.intake.submit(request(number, values=features(number))) for number in range(1, 5)]
    held.go()
    for answer in answers:
        assert answer.result(30) == Receipt()
    assert held.intake.counters().ignored_values == 0
    assert total(db) == 4


def test_a_repeat_within_a_batch_is_acknowledged_and_counted_once(db: Database, hold: Callable[..., Held]) -> None:
    held = hold(into(db))
    body = request(1, 3)
    packed = Request("span", "protobuf", gzip.compress(body.body), "gzip")
    answers = [held.intake.submit(one) for one in (body, body, packed, request(10))]
    held.go()
    assert [answer.result(30).repeated for answer in answers] == [False, True, True, False]
    assert total(db) == 4
    counters = held.intake.counters()
    assert (counters.requests_committed, counters.requests_repeated) == (3, 2)


def test_a_repeat_shares_the_fate_of_the_first(hold: Callable[..., Held]) -> None:
    """Also where that is a refusal, or a rejection of records; nothing of it is forgotten to be answered."""

    def fail(payloads: Sequence[PreparedPayload]) -> None:
        raise StorageError("the disk is full")

    held = hold(fail)
    bad = span(1)
    bad.span_id = b""
    rejected = Request("span", "protobuf", traces([bad]).SerializeToString())
    broken = Request("span", "protobuf", b"\xff\xff")
    answers = [held.intake.submit(one) for one in (request(), request(), rejected, rejected, broken, broken)]
    held.clock.let_go.set()
    assert isinstance(held.first.exception(30), OverloadedError)
    assert [type(answer.exception(30)) for answer in answers[:2]] == [OverloadedError] * 2
    assert [answer.result(30).rejected for answer in answers[2:4]] == [1, 1]
    assert [type(answer.exception(30)) for answer in answers[4:]] == [PayloadError] * 2
    assert held.intake.counters().requests_refused == 3
    assert held.intake.counters().requests_invalid == {400: 2}
    assert held.intake.counters().held_bytes == 0


def test_what_another_collector_counted_is_left_out_of_a_batch(db: Database, hold: Callable[..., Held]) -> None:
    with_other = Intake(into(db), ManualClock(NOW_NS))
    for number in (2, 4):
        with_other.submit(request(number * 10, number)).result(30)
    with_other.close()
    held = hold(into(db))
    answers = [held.intake.submit(request(number * 10, number)) for number in range(1, 6)]
    held.go()
    assert [answer.result(30).repeated for answer in answers] == [False, True, False, True, False]
    assert total(db) == 1 + 2 + 3 + 4 + 5
    assert len(load_columns(db, NOW_NS - MINUTE, NOW_NS + MINUTE)) == 15
    counters = held.intake.counters()
    assert (counters.requests_committed, counters.requests_repeated, counters.spans) == (1 + 3, 2, 1 + 3 + 5)
    assert counters.commit_failures == 0


def test_collectors_that_get_the_same_requests_at_once_count_each_once(db: Database) -> None:
    """Exporters that lost an answer may be sent elsewhere by their load balancer."""
    requests = [request(number * 100, number % 7 + 1) for number in range(1, 41)]
    intakes = [Intake(into(db), ManualClock(NOW_NS)) for _ in range(3)]
    orders = [requests, requests[::-1], requests[20:] + requests[:20]]
    with ThreadPoolExecutor(len(intakes)) as senders:
        submitted = senders.map(
            lambda pair: [pair[0].submit(one) for one in pair[1]], zip(intakes, orders, strict=True)
        )
        receipts = [answer.result(60) for answers in submitted for answer in answers]
    for intake in intakes:
        intake.close()
    assert sum(not receipt.repeated for receipt in receipts) == len(requests)
    assert total(db) == sum(number % 7 + 1 for number in range(1, 41))
    assert sum(intake.counters().spans for intake in intakes) == total(db)


def test_closing_answers_what_waits_in_batches(db: Database, hold: Callable[..., Held]) -> None:
    held = hold(into(db))
    answers = [held.intake.submit(request(number)) for number in range(1, 41)]
    closing = threading.Thread(target=held.intake.close)
    closing.start()
    held.clock.let_go.set()
    closing.join(30)
    assert not closing.is_alive()
    assert all(answer.result(0) == Receipt() for answer in answers)
    assert total(db) == 40


def test_a_large_request_does_not_hold_up_the_others(hold: Callable[..., Held]) -> None:
    """The worker is at it; a helper steps in, and is held by the clock only so that it can be seen."""
    held = hold(lambda payloads: None, helpers=1)
    held.clock.asked.clear()
    answer = held.intake.submit(request())
    assert held.clock.asked.wait(30)
    assert not held.first.done()
    held.go()
    assert answer.result(30) == Receipt()


def test_late_records_are_counted_in_the_bucket_of_their_own_time(db: Database, hold: Callable[..., Held]) -> None:
    held = hold(into(db))
    ages = [0, 3 * MINUTE, 2 * DAY]
    for number, age in enumerate(ages, 1):
        held.intake.submit(request(number * 10, number, end_ns=NOW_NS - age))
    held.go()
    held.intake.settle()
    for number, age in enumerate(ages, 1):
        start_ns = bucket_start(NOW_NS - age, 10 * SECOND)
        (group,) = sli_totals(db, SERIES_RULE_ID, start_ns, start_ns + 10 * SECOND)
        assert group.total == number


def test_the_horizon_in_the_future_can_be_set(db: Database, hold: Callable[..., Held]) -> None:
    held = hold(into(db), Pipeline(limits=Limits(future_ns=MINUTE)))
    within, beyond = (held.intake.submit(request(n, end_ns=NOW_NS + n * MINUTE)) for n in (1, 2))
    held.go()
    assert within.result(30) == Receipt()
    assert beyond.result(30).rejected == 1
    assert "future" in beyond.result().message
    assert held.intake.counters().rejected == {"in_future": 1}
