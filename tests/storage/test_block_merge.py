"""Merging makes few blocks of many, and neither a record nor a reader notices."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from storage import block_merge, logs, spans
from storage.block_merge import merge_blocks
from storage.blocks import FULL, level_of
from storage.database import Database
from storage.ingest import commit
from storage.retention import RetentionPolicy, apply
from storage.tables import record_blocks
from telemetry.columns import ByteColumn, Columns
from telemetry.windows import NANOS
from tests.storage.build import NOW_NS, log_columns, payload, span_columns

HOUR_NS = 3600 * NANOS
ALL = (NOW_NS - 100 * HOUR_NS, NOW_NS + 1)
LATER_NS = NOW_NS + 3 * HOUR_NS
NOTHING_KEPT = RetentionPolicy(0, 0, 0, 0, 0)


def _sizes(database: Database) -> list[int]:
    with database.read() as connection:
        return sorted(connection.execute(select(record_blocks.c.records)).scalars())


def _commit(database: Database, *batches: Columns) -> None:
    for place, columns in enumerate(batches):
        commit(database, [payload(f"{place} {len(batches)} {len(columns)} {_sizes(database)}", columns=(columns,))], 0)


def _told(columns: Columns) -> list[tuple[object, ...]]:
    """What every record says, in no order."""
    values = [columns.string(name).tolist() for name in sorted(columns.strings)]
    numbers = [columns.number(name).tolist() for name in sorted(columns.numbers)]
    ids = [row.tobytes() for row in np.hstack([columns.trace_id, columns.span_id, columns.parent_span_id])]
    names = columns.name.tolist()
    return sorted(map(str, zip(columns.time_ns.tolist(), columns.start_ns.tolist(), ids, names, *values, *numbers)))  # noqa: B905


def test_levels_are_powers_of_eight():
    assert [level_of(records) for records in (1, 7, 8, 63, 64, 511, 512, 4095, 4096, 16_384)] == [
        0, 0, 1, 1, 2, 2, 3, 3, FULL, FULL,
    ]  # fmt: skip


def test_eight_blocks_of_a_level_become_one_of_the_next(database: Database):
    _commit(database, *(span_columns(1, seed=seed) for seed in range(7)))
    assert merge_blocks(database, NOW_NS) == 0
    _commit(database, span_columns(1, seed=8))
    assert merge_blocks(database, NOW_NS) == 8
    assert _sizes(database) == [8]
    assert merge_blocks(database, NOW_NS) == 0


def test_an_hour_that_is_over_becomes_one_block_and_stays_apart_from_others(database: Database):
    aligned_ns = NOW_NS - NOW_NS % HOUR_NS
    batches = [span_columns(n, end_ns=aligned_ns + n * NANOS, seed=n) for n in (1, 5, 20)]
    earlier = span_columns(2, end_ns=aligned_ns - 600 * NANOS, seed=40)
    _commit(database, *batches, earlier, log_columns(3, end_ns=aligned_ns + 9 * NANOS))
    assert merge_blocks(database, aligned_ns + HOUR_NS) == 0
    assert merge_blocks(database, aligned_ns + 2 * HOUR_NS) == 3
    assert _sizes(database) == [2, 3, 26]


def test_full_blocks_are_left_alone(database: Database):
    times = NOW_NS - np.arange(4096)
    _commit(database, *(replace(span_columns(4096, seed=seed), time_ns=times, start_ns=times) for seed in (1, 2)))
    sizes = _sizes(database)
    assert merge_blocks(database, LATER_NS) == 0
    assert _sizes(database) == sizes == [4096, 4096]


def test_raw_bytes_and_resources_survive_beside_records_without(database: Database):
    whole = span_columns(6)
    trace_id = np.broadcast_to(whole.trace_id[0], whole.trace_id.shape).copy()
    whole = replace(whole, trace_id=trace_id, time_ns=np.full(6, NOW_NS), start_ns=NOW_NS - np.arange(6)[::-1])
    bare = replace(whole.take(np.asarray([1, 4])), raw=ByteColumn(), resource=np.zeros(0, np.int32), resources=())
    turned = whole.take(np.asarray([5, 0, 3]))  # not in the order of the buffer
    _commit(database, turned, bare, whole.take(np.asarray([2])))
    assert merge_blocks(database, LATER_NS) == 3
    found = spans.trace(database, trace_id[0].tobytes().hex())
    assert [span.raw for span in found] == [b"raw 0", b"", b"raw 2", b"raw 3", b"", b"raw 5"]
    assert [span.resource[-1:] for span in found] == [b"a", b"", b"a", b"b", b"", b"b"]


def test_embeddings_of_two_lengths_survive(database: Database):
    _commit(database, log_columns(4, dimensions=4), log_columns(2, dimensions=3, seed=9))
    before = logs.load_columns(database, *ALL)
    assert merge_blocks(database, LATER_NS) == 2
    after = logs.load_columns(database, *ALL)
    assert before.embeddings is not None
    assert after.embeddings is not None
    np.testing.assert_array_equal(np.sort(before.embeddings, axis=0), np.sort(after.embeddings, axis=0))


BATCHES = st.lists(
    st.tuples(st.integers(1, 12), st.integers(0, 7200), st.integers(0, 3), st.sampled_from(["chat", "other"])),
    min_size=2,
    max_size=12,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES, wait_s=st.sampled_from([0, 3 * 3600]))
def test_merging_changes_no_record(database: Database, batches: list[tuple[int, int, int, str]], wait_s: int):
    apply(database, NOW_NS * 2, NOTHING_KEPT)
    _commit(
        database,
        *(
            span_columns(n, end_ns=NOW_NS - ago * NANOS, seed=seed, service=service)
            for n, ago, seed, service in batches
        ),
    )
    before, sizes = spans.load_columns(database, *ALL), _sizes(database)
    merge_blocks(database, NOW_NS + wait_s * NANOS)
    after = spans.load_columns(database, *ALL)
    assert _told(after) == _told(before)
    assert sum(_sizes(database)) == sum(sizes)
    again = list(spans.iterate_columns(database, *ALL, chunk_rows=7))
    assert [time for columns in again for time in columns.time_ns.tolist()] == after.time_ns.tolist()


def test_a_reader_between_two_slices_neither_misses_nor_repeats(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("storage.selection._SLICE_ROWS", 10)
    _commit(database, *(span_columns(5, end_ns=NOW_NS - 3 * number * NANOS, seed=number) for number in range(20)))
    expected = spans.load_columns(database, *ALL).time_ns.tolist()
    read: list[int] = []
    for columns in spans.iterate_columns(database, *ALL):
        read += columns.time_ns.tolist()
        merge_blocks(database, LATER_NS)
    assert read == expected
    assert len(_sizes(database)) == 1


def test_a_block_that_went_meanwhile_is_not_brought_back(database: Database, monkeypatch: pytest.MonkeyPatch):
    _commit(database, span_columns(3), span_columns(4, seed=1))
    encode = block_merge.encode_block

    def and_meanwhile(*arguments: object) -> object:
        apply(database, NOW_NS * 2, NOTHING_KEPT)
        return encode(*arguments)

    monkeypatch.setattr(block_merge, "encode_block", and_meanwhile)
    assert merge_blocks(database, LATER_NS) == 0
    assert _sizes(database) == []


def test_collectors_that_merge_at_once_merge_each_block_once(database: Database):
    _commit(database, *(span_columns(3, end_ns=NOW_NS - number * HOUR_NS, seed=number) for number in range(6)))
    _commit(database, *(span_columns(2, end_ns=NOW_NS - number * HOUR_NS, seed=99 + number) for number in range(6)))
    merged: list[int] = []
    barrier = threading.Barrier(3)

    def merge() -> None:
        barrier.wait()
        merged.append(merge_blocks(database, LATER_NS))

    threads = [threading.Thread(target=merge) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(merged) == 12
    assert _sizes(database) == [5] * 6


def test_frames_of_raw_bytes_follow_each_other_or_are_joined(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(block_merge, "_FRAME_BYTES", 100)
    chance = np.random.default_rng(1)
    raw = [[chance.bytes(size) for _ in range(3)] for size in (200, 10, 12, 150, 9)]
    trace_id = np.full((3, 16), 7, dtype=np.uint8)
    for place, own in enumerate(raw):
        times = NOW_NS + np.arange(3) + 10 * place
        columns = replace(span_columns(3), trace_id=trace_id, time_ns=times, start_ns=times, raw=ByteColumn.of(own))
        _commit(database, columns)
    assert merge_blocks(database, LATER_NS) == 5
    assert [span.raw for span in spans.trace(database, "07" * 16)] == [one for own in raw for one in own]
