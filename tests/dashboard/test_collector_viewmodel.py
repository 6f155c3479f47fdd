"""The collector's page as values: tiles, outcomes, reasons, clocks, collectors."""

from __future__ import annotations

import pytest

from dashboard.documents.collector import Collector, CollectorStatus, Source, Sources
from dashboard.viewmodels import collector
from dashboard.views.page import overflow_sentence
from tests.dashboard import recorded

NOW = recorded.NOW


def test_the_time_that_rates_are_over_is_told_in_whole_seconds() -> None:
    found = recorded.status()
    found["rates"]["over_s"] = 59.93
    assert collector.tiles(CollectorStatus.model_validate(found))[0].note == "last 1 min"


def status(**more) -> CollectorStatus:
    return CollectorStatus.model_validate({**recorded.status(), **more})


def texts(grid) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in grid.rows]


def test_tiles_tell_rates_queue_and_refusals():
    found = {tile.label: tile for tile in collector.tiles(status())}
    assert (found["Records per second"].value, found["Records per second"].note) == ("21.1k", "last 1 min")
    assert len(found["Records per second"].spark) == 60
    assert (found["Requests per second"].value, found["Requests per second"].note) == ("41", "10.1 MB/s")
    assert (found["Queue"].value, found["Queue"].note, found["Queue"].tone) == ("18.4 MB", "6.9 % of 268 MB", None)
    assert (found["Refused for overload"].value, found["Refused for overload"].tone) == ("6,390", "burning")
    assert (found["Rejected records"].value, found["Rejected records"].tone) == ("4,322", "burning")
    assert (found["Database"].value, found["Database"].note) == ("413 MB", "SQLite")
    assert (found["Decoder"].value, found["Decoder"].tone) == ("ready", "ok")


def test_tiles_of_a_service_that_has_just_started_claim_nothing():
    bare = CollectorStatus.model_validate({"now": NOW, "database": "postgresql://db/tailwatch"})
    found = {tile.label: tile for tile in collector.tiles(bare)}
    assert "Decoder" not in found
    assert (found["Records per second"].value, found["Records per second"].note) == ("–", "measuring")
    assert (found["Database"].value, found["Database"].note) == ("–", "PostgreSQL")
    assert {found[name].tone for name in ("Refused for overload", "Rejected records")} == {"ok"}


@pytest.mark.parametrize(("held", "tone"), [(10, None), (50, "burning"), (95, "exhausted")])
def test_a_full_queue_stands_out(held: int, tone: str | None):
    (queue,) = [
        tile
        for tile in collector.tiles(status(queue={"held_bytes": held, "capacity_bytes": 100}))
        if tile.label == "Queue"
    ]
    assert queue.tone == tone


def test_outcomes_are_shares_of_all_requests():
    rows = texts(collector.requests_grid(status()))
    assert [row[0] for row in rows] == ["Committed", "Repeated", "Refused", "Invalid, HTTP 400", "Invalid, HTTP 415"]
    assert rows[1:3] == [["Repeated", "41", "< 0.01 %"], ["Refused", "6,390", "0.53 %"]]
    assert [row[1] for row in texts(collector.requests_grid(status(counters={})))] == ["0", "0", "0"]


def test_senders_with_wrong_clocks_come_first():
    sources = Sources.model_validate({"sources": recorded.sources()}).sources
    rows = texts(collector.sources_grid(sources, NOW))
    assert [row[1] for row in rows] == ["12.4 s ahead", "behind or late, 3 min 4 s", "In step", "In step"]
    assert rows[0][2:] == ["-12.4 s", "-9.8 s", "2 s ago", "1,412"]
    assert collector.worst_clock(sources[:2]).text == "12.4 s ahead"
    assert collector.worst_clock(sources[2:3]).tone == "burning"
    assert collector.worst_clock([]).text == "–"


def test_the_own_clock_is_suspected_only_when_every_one_of_several_senders_is_ahead():
    ahead = Source(service="a", last_seen=NOW, lag_min_s=-5, lag_median_s=-4, ahead_s=5, concern="ahead")
    sound = Source(service="b", last_seen=NOW, lag_min_s=1, lag_median_s=2)
    assert "this machine's clock" in collector.clocks_note([ahead, ahead])
    assert collector.clocks_note([ahead]) == collector.clocks_note([ahead, sound]) == collector.clocks_note([]) == ""


def test_a_collector_that_lacks_slos_stands_out():
    every = [Collector.model_validate(one) for one in recorded.status()["collectors"]]
    lacking = every[1].model_copy(update={"lacks": ["cost", "errors"]})
    rows = collector.collectors_grid([every[0], lacking], NOW).rows
    assert [(row.cells[1].text, row.tone) for row in rows] == [
        ("complete", None),
        ("lacks cost, errors", "exhausted"),
    ]
    assert rows[0].cells[0].sub == "process 812, this one"


def test_overflow_reads_as_one_sentence_however_many_there_are():
    found = status(overflow=[*recorded.overflow(), *recorded.overflow()]).overflow
    sentence = overflow_sentence(found)
    assert sentence.count("service series") == 1
    assert "1 more limits are passed" in sentence
    assert sentence.endswith("What to do: name labels with fewer values under per.")
