"""Clocks of senders: what a lag proves, what it only bounds, and that no number of senders grows the table."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.skew import SourceClocks
from telemetry.columns import Columns, columns_of, empty_columns
from telemetry.deltas import OVERFLOW_GROUP
from telemetry.windows import NANOS

NOW_NS = 1_700_000_000 * NANOS


def batch(ends_s: list[float], services: list[str | None], instances: list[str | None] | None = None) -> Columns:
    """Records that ended at ``ends_s`` seconds from now."""
    times = np.asarray([NOW_NS + round(end * NANOS) for end in ends_s], dtype=np.int64)
    strings = {"service": services} | ({} if instances is None else {"instance": instances})
    return columns_of("span", times, strings=strings)


def test_an_exporter_that_waits_is_neither_ahead_nor_late():
    clocks = SourceClocks()
    for second, delay_s in enumerate((5.0, 0.2, 4.1, 3.0)):
        clocks.observe(batch([second - delay_s, second - delay_s - 9], ["chat"] * 2), NOW_NS + second * NANOS)
    (found,) = clocks.sources(NOW_NS + 4 * NANOS)
    assert (found.service, found.instance, found.batches) == ("chat", "", 4)
    assert found.last_seen_ns == NOW_NS + 3 * NANOS
    assert found.lag_min_s == pytest.approx(0.2)
    assert found.lag_median_s == pytest.approx(3.55)
    assert (found.ahead_s, found.concern) == (0.0, "")


def test_a_record_from_the_future_proves_that_the_clock_is_ahead_by_at_least_that():
    """Twelve seconds ahead, seen through delays of 5 s and 1 s: 11 s are certain."""
    clocks = SourceClocks()
    for delay_s in (5, 1, 4):
        clocks.observe(batch([12 - delay_s], ["chat"]), NOW_NS)
    (found,) = clocks.sources(NOW_NS)
    assert found.ahead_s == pytest.approx(11)
    assert found.concern == "ahead"


def test_a_clock_that_is_behind_reads_as_late():
    clocks = SourceClocks()
    clocks.observe(batch([-125], ["chat"]), NOW_NS)
    clocks.observe(batch([-121], ["chat"]), NOW_NS)
    (found,) = clocks.sources(NOW_NS)
    assert (found.lag_min_s, found.ahead_s) == (pytest.approx(121), 0)
    assert found.concern == "behind_or_late"


def test_late_batches_among_timely_ones_are_no_concern():
    clocks = SourceClocks()
    for end_s in (-86400, -2, -7200):
        clocks.observe(batch([end_s], ["chat"]), NOW_NS)
    (found,) = clocks.sources(NOW_NS)
    assert (found.lag_min_s, found.concern) == (pytest.approx(2), "")


def test_a_clock_that_was_set_right_is_forgiven_after_the_window():
    clocks = SourceClocks()
    clocks.observe(batch([30], ["chat"]), NOW_NS)
    for second in range(0, 301, 10):
        clocks.observe(batch([second - 1], ["chat"]), NOW_NS + second * NANOS)
        seen = [one.concern for one in clocks.sources(NOW_NS + second * NANOS)]
        assert 270 < second < 300 or seen == ["ahead" if second <= 270 else ""], second


def test_each_service_and_instance_of_a_batch_is_a_source_of_its_own():
    clocks = SourceClocks()
    columns = batch(
        [-1, 3, -5, -2, -90, -70],
        ["chat", "chat", "chat", "chat", None, "rank"],
        ["a", "b", "a", "a", "c", None],
    )
    clocks.observe(columns, NOW_NS)
    found = {(one.service, one.instance): (round(one.lag_min_s, 3), one.concern) for one in clocks.sources(NOW_NS)}
    assert found == {
        ("", "c"): (90, "behind_or_late"),
        ("chat", "a"): (1, ""),
        ("chat", "b"): (-3, "ahead"),
        ("rank", ""): (70, "behind_or_late"),
    }


_names = st.sampled_from(["", "a", "b", "c"])


@given(st.lists(st.tuples(st.integers(-500, 500), _names, _names), min_size=1, max_size=40))
def test_grouping_agrees_with_a_loop(rows: list[tuple[int, str, str]]):
    clocks = SourceClocks()
    ends, services, instances = zip(*rows, strict=True)
    clocks.observe(batch(list(ends), list(services), list(instances)), NOW_NS)
    expected: dict[tuple[str, str], int] = {}
    for end, service, instance in rows:
        expected[service, instance] = max(end, expected.get((service, instance), end))
    found = {(one.service, one.instance): -round(one.lag_min_s) for one in clocks.sources(NOW_NS)}
    assert found == expected


def test_sources_beyond_the_limit_share_one_and_silent_ones_make_room():
    clocks = SourceClocks(max_sources=3)
    for number in range(10):
        clocks.observe(batch([-1], [f"service-{number}"]), NOW_NS)
    names = [one.service for one in clocks.sources(NOW_NS)]
    assert names == [OVERFLOW_GROUP, "service-0", "service-1", "service-2"]
    later_ns = NOW_NS + 2 * 3600 * NANOS
    clocks.observe(batch([7199], ["new"]), later_ns)
    assert [one.service for one in clocks.sources(later_ns)] == ["new"]


def test_an_empty_batch_says_nothing():
    clocks = SourceClocks()
    clocks.observe(empty_columns(), NOW_NS)
    assert clocks.sources(NOW_NS) == []


def test_threads_lose_no_batch():
    clocks = SourceClocks()
    columns = batch([-1, -2], ["a", "b"])

    def send() -> None:
        for _ in range(200):
            clocks.observe(columns, NOW_NS)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.batches for one in clocks.sources(NOW_NS)] == [800, 800]
