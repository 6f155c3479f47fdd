"""What goes in comes back: spans and logs round-trip through either engine, whatever they hold."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import logs, spans
from storage.database import Database
from storage.ingest import commit
from storage.retention import RetentionPolicy, apply
from telemetry.columns import Columns, StringColumn, columns_of
from telemetry.matchers import parse_matchers
from telemetry.schema import FIELDS
from telemetry.windows import NANOS
from tests.storage.build import NOW_NS, log_columns, payload, span_columns

DERIVED = {field.name for field in FIELDS if not field.stored}
ALL = (NOW_NS - 10_000 * NANOS, NOW_NS + 1)


def assert_same(left: Columns, right: Columns) -> None:
    """The same records, whatever the codes of their strings; missing columns equal columns of missing values.

    What is not stored is derived from the rest, when it is read.
    """
    for name in ("time_ns", "start_ns", "trace_id", "span_id", "parent_span_id", "is_inference"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
    assert left.name.tolist() == right.name.tolist()
    for name in left.strings.keys() | right.strings.keys():
        assert left.string(name).tolist() == right.string(name).tolist(), name
    for name in (left.numbers.keys() | right.numbers.keys()) - DERIVED:
        np.testing.assert_array_equal(left.number(name), right.number(name), err_msg=name)


def test_spans_come_back(database: Database):
    columns = span_columns(7)
    commit(database, [payload("a", columns=(columns,))], NOW_NS)
    read = spans.load_columns(database, *ALL)
    given_total = np.nan_to_num(columns.number("tokens_in"), nan=math.nan)
    expected = replace(
        columns,
        numbers={
            **columns.numbers,
            "tokens_total": given_total,
            "cost_per_1k_tokens": np.where(given_total > 0, 1000 * 0.001 / given_total, math.nan),
        },
    )
    for name in ("tokens_total", "cost_per_1k_tokens"):
        np.testing.assert_allclose(read.number(name), expected.number(name))
    np.testing.assert_allclose(read.number("doubt"), 1 - columns.number("confidence"))
    assert_same(read, columns)


def test_logs_come_back_with_their_embeddings(database: Database):
    columns = log_columns(6)
    commit(database, [payload("a", columns=(columns,))], NOW_NS)
    read = logs.load_columns(database, *ALL)
    assert read.embeddings is not None
    assert read.embeddings.dtype == np.float32
    np.testing.assert_array_equal(read.embeddings, columns.embeddings)
    np.testing.assert_allclose(
        read.number("embedding_norm")[1:], np.linalg.norm(columns.embeddings[1:].astype(float), axis=1)
    )
    assert math.isnan(read.number("embedding_norm")[0])
    assert_same(replace(read, numbers={k: v for k, v in read.numbers.items() if k != "embedding_norm"}), columns)


def test_embeddings_of_another_length_are_another_models(database: Database):
    commit(
        database, [payload("a", columns=(log_columns(5, dimensions=4), log_columns(2, dimensions=3, seed=9)))], NOW_NS
    )
    read = logs.load_columns(database, *ALL)
    assert read.embeddings is not None
    assert read.embeddings.shape == (7, 4)
    assert int(np.isnan(read.embeddings).all(axis=1).sum()) == 3


STORED_STRINGS = [field.name for field in FIELDS if field.stored and field.kind == "string"]
STORED_NUMBERS = [field.name for field in FIELDS if field.stored and field.kind == "number"]
TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NUMBER = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def batches(draw: st.DrawFn) -> Columns:
    n = draw(st.integers(1, 6))
    rows = {"min_size": n, "max_size": n}
    names = draw(st.lists(st.sampled_from([*STORED_STRINGS, "feature.word", 'odd "name"\\']), unique=True))
    numbers = draw(st.lists(st.sampled_from([*STORED_NUMBERS, "feature.size", "a:b,c"]), unique=True))
    time_ns = NOW_NS - np.sort(draw(st.lists(st.integers(0, 1000), **rows)))[::-1].astype(np.int64)
    columns = columns_of(
        "span",
        time_ns,
        start_ns=time_ns - draw(st.integers(0, 10**9)),
        strings={name: draw(st.lists(TEXT, **rows)) for name in names},
        numbers={name: draw(st.lists(NUMBER, **rows)) for name in numbers},
    )
    return replace(
        columns,
        trace_id=np.asarray(draw(st.lists(st.binary(min_size=16, max_size=16), **rows)), dtype="V16")
        .view(np.uint8)
        .reshape(n, 16),
        name=StringColumn.of(draw(st.lists(TEXT, **rows))),
        is_inference=np.asarray(draw(st.lists(st.booleans(), **rows))),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns=batches())
def test_any_batch_comes_back(database: Database, columns: Columns):
    apply(database, NOW_NS * 2, RetentionPolicy(0, 0, 0, 0, 0))
    commit(database, [payload("a", columns=(columns,))], NOW_NS)
    read = spans.load_columns(database, *ALL, inference_only=False)
    kept = {name: values for name, values in read.numbers.items() if name not in ("tokens_total", "cost_per_1k_tokens")}
    assert_same(replace(read, numbers=kept), columns)


def test_only_the_asked_fields_are_read_and_those_that_they_derive_from(database: Database):
    commit(database, [payload("a", columns=(span_columns(4),))], NOW_NS)
    read = spans.load_columns(database, *ALL, fields=frozenset({"service", "tokens_total"}))
    assert read.string("service").tolist() == ["chat"] * 4
    assert set(read.strings) == {"service"}
    assert set(read.numbers) == {"tokens_in", "cost", "tokens_total", "cost_per_1k_tokens"}
    assert "http.route" in spans.load_columns(database, *ALL, fields=frozenset({"http.route"})).strings


@pytest.mark.parametrize(
    "where", [['model_version="v2"'], ['error_type=""', "duration>=0.2"], ["feature.length>=5"], ['http.route=~"/.*"']]
)
def test_filters_mean_what_they_mean_at_intake(database: Database, where: list[str]):
    columns = span_columns(20)
    commit(database, [payload("a", columns=(columns,))], NOW_NS)
    matchers = parse_matchers(where)
    expected = columns.take(matchers.mask(columns))
    read = spans.load_columns(database, *ALL, where=matchers, fields=frozenset({"user"}))
    assert 0 < len(read) < len(columns)
    assert read.string("user").tolist() == expected.string("user").tolist()


def test_ranges_are_half_open_and_services_apart(database: Database):
    batches = (span_columns(5), span_columns(5, service="other", seed=3))
    commit(database, [payload("a", columns=batches)], NOW_NS)
    assert len(spans.load_columns(database, NOW_NS - 2 * NANOS, NOW_NS)) == 4
    assert len(spans.load_columns(database, NOW_NS - 2 * NANOS, NOW_NS, service="other")) == 2
    assert len(spans.load_columns(database, NOW_NS, NOW_NS + 1, service="third")) == 0


def test_a_limit_keeps_the_newest_in_order(database: Database):
    columns = span_columns(10)
    commit(database, [payload("a", columns=(columns,))], NOW_NS)
    read = spans.load_columns(database, *ALL, limit=3)
    assert read.time_ns.tolist() == columns.time_ns[-3:].tolist()


@pytest.mark.parametrize("chunk_rows", [1, 3, 10, 11])
def test_a_long_range_comes_in_batches_without_gap_or_overlap(database: Database, chunk_rows: int):
    columns = span_columns(10)
    same_time = replace(columns, time_ns=columns.time_ns - columns.time_ns % (4 * NANOS))
    commit(database, [payload("a", columns=(same_time,))], NOW_NS)
    batches = list(spans.iterate_columns(database, *ALL, chunk_rows=chunk_rows))
    assert max(len(batch) for batch in batches) <= chunk_rows
    assert [user for batch in batches for user in batch.string("user").tolist()] == columns.string("user").tolist()
    assert len(list(logs.iterate_columns(database, *ALL, chunk_rows=chunk_rows))) == 0


def test_the_raw_bytes_and_resource_of_a_trace_come_back(database: Database):
    columns = span_columns(3)
    trace_id = columns.trace_id.copy()
    trace_id[:2] = trace_id[0]
    parents = columns.parent_span_id.copy()
    parents[0] = columns.span_id[1]
    commit(database, [payload("a", columns=(replace(columns, trace_id=trace_id, parent_span_id=parents),))], NOW_NS)
    found = spans.trace(database, trace_id[0].tobytes().hex().upper())
    assert [(span.raw, span.resource) for span in found] == [(b"raw 0", b"resource a"), (b"raw 1", b"resource b")]
    assert (found[0].parent_span_id, found[1].parent_span_id) == (found[1].span_id, "")
    assert found[0].strings["http.route"] == "/chat"
    assert found[0].numbers["feature.length"] == 0.0
    assert "feature.length" not in found[1].numbers
    assert found[1].duration_s == pytest.approx(0.2)
    assert spans.trace(database, "00") == spans.trace(database, "no hex") == []


def test_search_is_newest_first_and_filters(database: Database):
    columns = span_columns(12)
    commit(
        database,
        [payload("a", columns=(columns, replace(span_columns(2, seed=5), is_inference=np.zeros(2, bool))))],
        NOW_NS,
    )

    def users(**filters: object) -> list[str]:
        return [span.strings["user"].removeprefix("user-") for span in spans.search(database, *ALL, **filters)]

    assert users() == [str(number) for number in range(11, -1, -1)]
    assert users(limit=2) == ["11", "10"]
    assert users(error=True) == ["9", "6", "3", "0"]
    assert users(error=False, operation="chat") == ["11", "7", "5", "1"]
    assert users(min_duration_s=1.1) == ["11", "10"]
    assert users(where={"model_version": "v1"}, service="chat", limit=1) == ["10"]
    assert users(service="other") == []
    assert len(users(inference_only=False)) == 14


def test_a_batch_without_records_or_strings(database: Database):
    bare = columns_of("log", np.asarray([NOW_NS], dtype=np.int64))
    commit(database, [payload("a", columns=(span_columns(0), bare))], NOW_NS)
    read = logs.load_columns(database, *ALL)
    assert len(read) == 1
    assert read.embeddings is None
    assert len(spans.load_columns(database, *ALL)) == 0
