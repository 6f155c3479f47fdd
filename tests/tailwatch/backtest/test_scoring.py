"""Scores against cases that were worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tailwatch.backtest.episodes import Episode
from tailwatch.backtest.scoring import LabelledIncident, calls_of, score
from telemetry.windows import NANOS

MINUTE_NS = 60 * NANOS
REOPEN_NS = 30 * MINUTE_NS


def episode(
    start: float, end: float | None, severity: str = "page", slo: str = "a", *,
    group: Mapping[str, str] | None = None, onset: float | None = None, told: bool = True, name: str = "x",
) -> Episode:  # fmt: skip
    """An episode whose times are minutes."""
    return Episode(
        slo, "chat", severity, name, group or {}, _ns(start if onset is None else onset), _ns(start),
        None if end is None else _ns(end), withdrawn=False, told=told, summary="something",
    )  # fmt: skip


def incident(start: float, end: float, **more: object) -> LabelledIncident:
    return LabelledIncident("i", _ns(start), _ns(end), **more)


def _ns(minutes: float) -> int:
    return round(minutes * MINUTE_NS)


def test_one_incident_caught_by_a_page_and_one_missed():
    calls = calls_of([episode(103, 125, onset=101), episode(104, 130, "ticket", name="y")], REOPEN_NS)
    found = score(calls, [incident(100, 120), incident(500, 510)], 0)
    assert len(calls) == 1
    assert calls[0].severity == "page"
    assert (found.precision, found.page_precision, found.recall, found.page_recall) == (1.0, 1.0, 0.5, 0.5)
    caught, missed = found.verdicts
    assert (caught.severity, caught.detection_s, caught.page_s, caught.reset_s) == ("page", 180.0, 180.0, 300.0)
    assert not missed.caught
    assert (missed.detection_s, missed.page_s, missed.reset_s) == (None, None, None)
    assert (found.median_detection_s, found.median_reset_s) == (180.0, 300.0)


def test_a_false_page_costs_precision_and_not_recall():
    calls = calls_of([episode(10, 15), episode(103, 125)], REOPEN_NS)
    found = score(calls, [incident(100, 120)], 0)
    assert found.right == (False, True)
    assert (found.precision, found.recall) == (0.5, 1.0)


def test_tickets_count_apart_from_pages():
    calls = calls_of([episode(10, 15), episode(140, 400, "ticket", onset=105)], REOPEN_NS)
    found = score(calls, [incident(100, 120)], 0)
    assert (found.precision, found.page_precision) == (0.5, 0.0)
    assert (found.recall, found.page_recall) == (1.0, 0.0)
    assert found.verdicts[0].severity == "ticket"
    assert (found.verdicts[0].detection_s, found.verdicts[0].page_s) == (2400.0, None)


def test_an_alert_belongs_to_what_it_began_in_and_not_to_what_it_was_there_before():
    late = episode(130, 140, onset=119)
    too_late = episode(130, 140, onset=121)
    before = episode(99, 140)
    for one, belongs in ((late, True), (too_late, False), (before, False)):
        assert score(calls_of([one], REOPEN_NS), [incident(100, 120)], 0).right == (belongs,)
    assert score(calls_of([too_late], REOPEN_NS), [incident(100, 120)], _ns(2)).right == (True,)
    found = score(calls_of([before], REOPEN_NS), [incident(100, 120)], _ns(2))
    assert found.verdicts[0].detection_s == -60.0


@pytest.mark.parametrize(
    ("about", "concerns"),
    [
        ({}, True),
        ({"slo": "a"}, True),
        ({"slo": "b"}, False),
        ({"service": "chat"}, True),
        ({"service": "search"}, False),
        ({"labels": {"input_type": "code"}}, True),
        ({"labels": {"input_type": "chat"}}, False),
        ({"labels": {"region": "eu"}}, True),
    ],
)
def test_labels_that_contradict_keep_them_apart(about: dict[str, object], concerns: bool):
    calls = calls_of([episode(105, 110, group={"input_type": "code"})], REOPEN_NS)
    assert score(calls, [incident(100, 120, **about)], 0).right == (concerns,)


def test_alerts_of_one_budget_that_follow_soon_are_one_call():
    soon = [episode(0, 10), episode(39, 45), episode(76, 80)]
    assert [len(call.episodes) for call in calls_of(soon, REOPEN_NS)] == [2, 1]
    assert len(calls_of([episode(0, 10), episode(5, 12, slo="b")], REOPEN_NS)) == 2
    assert len(calls_of([episode(0, 10), episode(5, 12, group={"model": "m"})], REOPEN_NS)) == 2
    assert len(calls_of([episode(0, None), episode(900, 910)], REOPEN_NS)) == 1


def test_what_nobody_is_told_of_is_no_call_and_does_not_make_a_page():
    assert calls_of([episode(0, 10, told=False)], REOPEN_NS) == ()
    quiet_page = [episode(0, 10, "ticket"), episode(5, 12, told=False)]
    assert calls_of(quiet_page, REOPEN_NS)[0].severity == "ticket"


def test_a_page_that_still_holds_has_no_reset_time():
    calls = calls_of([episode(103, None), episode(104, 125, name="y")], REOPEN_NS)
    found = score(calls, [incident(100, 120)], 0)
    assert calls[0].end_ns is None
    assert found.verdicts[0].reset_s is None
    assert found.median_reset_s is None


def test_nothing_to_divide_by_is_no_share():
    found = score((), [], 0)
    assert (found.precision, found.recall, found.median_detection_s) == (None, None, None)
