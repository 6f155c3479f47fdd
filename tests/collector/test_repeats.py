from __future__ import annotations

from collector.admission import Admission
from collector.repeats import Repeats
from collector.request import Job, Kind

ADMISSION = Admission(1_000_000, 10_000, 1.0)


def job() -> Job:
    return Job(Kind("span", "protobuf"), None, ADMISSION.lease(), lambda outcome: None)


def test_the_first_is_new_and_those_after_it_follow_it() -> None:
    repeats, jobs = Repeats(), [job() for _ in range(3)]
    assert [repeats.enter(b"d", one) for one in jobs] == ["new", "on the way", "on the way"]
    assert repeats.enter(b"other", job()) == "new"
    assert repeats.leave(b"d", committed=False) == jobs[1:]
    assert repeats.enter(b"d", job()) == "new", "what was refused may come again"


def test_what_was_committed_is_known() -> None:
    repeats = Repeats()
    repeats.enter(b"d", job())
    assert repeats.leave(b"d", committed=True) == []
    assert repeats.enter(b"d", job()) == "committed"


def test_the_oldest_is_forgotten_and_is_the_databases_to_know() -> None:
    repeats = Repeats(remembered=2)
    for digest in (b"a", b"b", b"c"):
        repeats.enter(digest, job())
        repeats.leave(digest, committed=True)
    assert [repeats.enter(digest, job()) for digest in (b"b", b"c", b"a")] == ["committed", "committed", "new"]
