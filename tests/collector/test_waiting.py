from __future__ import annotations

import threading

from collector.admission import Admission
from collector.request import Job, Request
from collector.waiting import BATCH_BYTES, BATCH_REQUESTS, WaitingRoom

ADMISSION = Admission(1_000_000, 10_000, 1.0)


def job(name: bytes, signal: str = "span", padding: int = 0) -> Job:
    request = Request(signal, "protobuf", name + bytes(padding))  # type: ignore[arg-type]
    return Job(request.kind, request, ADMISSION.lease(), lambda outcome: None)


def names(jobs: list[Job]) -> list[bytes]:
    return [one.request.body.rstrip(b"\0") for one in jobs if one.request is not None]


def test_a_lone_request_is_taken_at_once_and_many_as_a_batch_in_order() -> None:
    room = WaitingRoom()
    room.enter(job(b"0"))
    assert names(room.take()) == [b"0"]
    for number in range(BATCH_REQUESTS + 3):
        room.enter(job(b"%d" % number))
    assert names(room.take()) == [b"%d" % number for number in range(BATCH_REQUESTS)]
    assert names(room.take_if_any()) == [b"16", b"17", b"18"]
    assert room.take_if_any() == []


def test_kinds_take_turns() -> None:
    room = WaitingRoom()
    for number in range(2 * BATCH_REQUESTS):
        room.enter(job(b"s%d" % number))
    room.enter(job(b"l0", "log"))
    assert [room.take()[0].kind.signal for _ in range(3)] == ["span", "log", "span"]


def test_bytes_bound_a_batch_and_a_large_body_comes_alone() -> None:
    room = WaitingRoom()
    for name, size in ((b"a", BATCH_BYTES // 2), (b"b", BATCH_BYTES // 3), (b"c", BATCH_BYTES * 2), (b"d", 0)):
        room.enter(job(name, padding=size))
    assert [names(room.take()) for _ in range(3)] == [[b"a", b"b"], [b"c"], [b"d"]]


def test_what_has_to_be_done_again_comes_first_and_as_it_was() -> None:
    room = WaitingRoom()
    again = [job(b"x"), job(b"y")]
    room.enter(job(b"new"))
    room.enter_again(again)
    assert room.take() == again
    assert names(room.take()) == [b"new"]


def test_a_helper_takes_only_what_nobody_took_for_a_while() -> None:
    room = WaitingRoom()
    taken: list[list[bytes]] = []
    helper = threading.Thread(target=lambda: taken.append(names(room.take_overdue(3600.0))))
    helper.start()
    room.enter(job(b"0"))
    assert names(room.take()) == [b"0"]
    room.close()
    helper.join(30)
    assert taken == [[]]
    room = WaitingRoom()
    room.enter(job(b"1"))
    assert names(room.take_overdue(0.01)) == [b"1"]


def test_a_closed_room_is_emptied_first() -> None:
    room = WaitingRoom()
    room.enter(job(b"0"))
    room.close()
    assert names(room.take()) == [b"0"]
    assert room.take() == []


def test_closing_lets_every_waiting_worker_go() -> None:
    room = WaitingRoom()
    taken: list[list[Job]] = []
    workers = [threading.Thread(target=lambda: taken.append(room.take())) for _ in range(3)]
    for worker in workers:
        worker.start()
    room.close()
    for worker in workers:
        worker.join(30)
    assert taken == [[], [], []]


def test_while_batches_are_on_their_way_only_full_ones_follow() -> None:
    room = WaitingRoom()
    room.depart()
    room.enter(job(b"l", "log"))
    for number in range(BATCH_REQUESTS - 1):
        room.enter(job(b"%d" % number))
    assert room.take_if_any() == []
    room.enter(job(b"last"))
    assert len(room.take_if_any()) == BATCH_REQUESTS
    assert room.take_if_any() == []
    room.arrive()
    assert names(room.take_if_any()) == [b"l"]


def test_a_worker_that_waits_goes_on_when_a_batch_arrives() -> None:
    room = WaitingRoom()
    room.depart()
    room.enter(job(b"0"))
    taken: list[list[bytes]] = []
    worker = threading.Thread(target=lambda: taken.append(names(room.take())))
    worker.start()
    room.arrive()
    worker.join(10)
    assert taken == [[b"0"]]
