"""Files of past requests: every row arrives as one span, and every fault is found before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pyarrow import parquet

from tailwatch.importing.mapping import ColumnMapping, Constants, RowReader
from tailwatch.importing.readers import ImportFileError
from tailwatch.importing.run import ImportResult, check_file, import_file

MAPPING = ColumnMapping(
    time="when", latency="took", tokens_in="in", tokens_out="out", status="status", features={"lang": "language"}
)
CONSTANTS = Constants(service="svc", model="m", operation="chat")
ROWS = [
    {"when": "2023-11-16 18:15:46.6805900", "took": "1.5", "in": "374", "out": "44", "status": "200", "language": "en"},
    {"when": "1700158550.5", "took": "", "in": "10", "out": "", "status": "503", "language": ""},
    {"when": "1700158551000", "took": "0.25", "in": "1", "out": "2", "status": "timeout", "language": "de"},
]


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def write_parquet(path: Path, rows: list[dict[str, str]]) -> Path:
    parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def nothing(_: int) -> None:
    """Report no progress."""


def run(path: Path, shift_ns: int = 0) -> tuple[ImportResult, list[bytes]]:
    bodies: list[bytes] = []

    def submit(body: bytes) -> tuple[int, bool]:
        bodies.append(body)
        return 0, bodies.count(body) > 1

    file = check_file(path, MAPPING, CONSTANTS, nothing)
    return import_file(file, submit, operation="chat", shift_ns=shift_ns, progress=nothing), bodies


@pytest.mark.parametrize(
    ("write", "name"), [(write_csv, "a.csv"), (write_jsonl, "a.jsonl"), (write_parquet, "a.parquet")]
)
def test_every_row_becomes_a_span(tmp_path: Path, write, name: str) -> None:
    result, bodies = run(write(tmp_path / name, ROWS))
    assert (result.rows, result.imported, result.rejected) == (3, 3, 0)
    request = ExportTraceServiceRequest.FromString(bodies[0])
    spans = request.resource_spans[0].scope_spans[0].spans
    attributes = [{one.key: one.value for one in span.attributes} for span in spans]
    assert spans[0].start_time_unix_nano == 1_700_158_546_680_590_000
    assert spans[0].end_time_unix_nano - spans[0].start_time_unix_nano == 1_500_000_000
    assert attributes[0]["gen_ai.usage.input_tokens"].int_value == 374
    assert attributes[0]["tailwatch.feature.lang"].string_value == "en"
    assert "error.type" not in attributes[0]
    assert spans[1].start_time_unix_nano == 1_700_158_550_500_000_000
    assert attributes[1]["error.type"].string_value == "503"
    assert "gen_ai.usage.output_tokens" not in attributes[1]
    assert spans[2].start_time_unix_nano == 1_700_158_551_000_000_000
    assert attributes[2]["error.type"].string_value == "timeout"
    assert len({span.trace_id for span in spans}) == 3


def test_the_same_file_gives_the_same_bytes_and_a_shift_moves_every_time(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", ROWS)
    _, first = run(path)
    _, second = run(path)
    result, shifted = run(path, shift_ns=5)
    assert first == second
    assert shifted != first
    assert result.first_ns == 1_700_158_546_680_590_005


def test_all_faulty_rows_are_counted_the_first_named_and_nothing_is_sent(tmp_path: Path) -> None:
    rows = ROWS + [ROWS[0] | {"in": "many"}] * 7
    with pytest.raises(ImportFileError) as caught:
        check_file(write_csv(tmp_path / "a.csv", rows), MAPPING, CONSTANTS, nothing)
    text = str(caught.value)
    assert f"{tmp_path}/a.csv:5: column in: 'many' is not a number of 0 or more" in text
    assert "and 2 more" in text
    assert "7 of 10 rows cannot be read; nothing was imported" in text


def test_a_wrong_column_names_the_option_and_what_there_is(tmp_path: Path) -> None:
    mapping = ColumnMapping(time="When", features={"lang": "idiom"})
    with pytest.raises(ImportFileError) as caught:
        check_file(write_csv(tmp_path / "a.csv", ROWS), mapping, CONSTANTS, nothing)
    text = str(caught.value)
    assert "--time names column 'When', which the file does not have (did you mean 'when'?)" in text
    assert "--feature lang= names column 'idiom'" in text
    assert "the columns are: when, took" in text


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "", "the file is empty"),
        ("a.csv", "when,took\n", "the file has no rows"),
        ("a.csv", "when,took\n1,2,3\n", "a.csv:2: the row does not have the header's 2 columns"),
        ("a.jsonl", "{'when': 1}\n", "a.jsonl:1: not JSON"),
        ("a.jsonl", "[1]\n", "a.jsonl:1: the line is not a JSON object"),
        ("a.jsonl", "[" * 100_000, "a.jsonl:1: not JSON"),
        ("a.parquet", "no", "not a Parquet file"),
        ("a.xlsx", "no", "files ending in .xlsx are not read"),
    ],
)
def test_an_unreadable_file_is_explained(tmp_path: Path, name: str, content: str, expected: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ImportFileError, match=expected):
        check_file(path, ColumnMapping(time="when"), CONSTANTS, nothing)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_file_in_another_encoding_is_explained(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\xff\xfewhen\n1\n")
    with pytest.raises(ImportFileError, match=f"{name}: the file cannot be read: .*utf-8"):
        check_file(path, ColumnMapping(time="when"), CONSTANTS, nothing)


@pytest.mark.parametrize(
    ("column", "value"),
    [("when", "1e30"), ("when", "1e400000000"), ("when", "1950-01-01"), ("when", "-1"), ("when", "9999-12-31"),
     ("took", "1e300"), ("took", "-1"), ("in", "1e300"), ("in", "nan")],
)  # fmt: skip
def test_values_that_a_span_cannot_hold_are_named(tmp_path: Path, column: str, value: str) -> None:
    with pytest.raises(ImportFileError, match=f"a.csv:2: column {column}: '{value}' is not a"):
        check_file(write_csv(tmp_path / "a.csv", [ROWS[0] | {column: value}]), MAPPING, CONSTANTS, nothing)


@pytest.mark.parametrize(
    ("status", "error"),
    [("", ""), ("0", ""), ("200", ""), ("200.0", ""), ("OK", ""), ("404", "404"), ("503.0", "503"), ("1.0.0", "1.0.0"),
     ("²", "²"), ("overloaded", "overloaded")],
)  # fmt: skip
def test_a_status_is_an_error_or_not(status: str, error: str) -> None:
    reader = RowReader(Path("a.csv"), ColumnMapping(time="t", status="s"), CONSTANTS)
    assert reader.read(1, {"t": "1", "s": status}).error == error


def test_halves_of_surrogate_pairs_are_replaced(tmp_path: Path) -> None:
    _, bodies = run(write_jsonl(tmp_path / "a.jsonl", [ROWS[0] | {"language": "\ud800"}]))
    assert b"tailwatch.feature.lang" in bodies[0]


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="there is no such file"):
        check_file(tmp_path / "no.csv", MAPPING, CONSTANTS, nothing)


@given(st.integers(min_value=10**17, max_value=4 * 10**18))
def test_times_in_ns_us_ms_and_s_are_told_apart(time_ns: int) -> None:
    reader = RowReader(Path("a.csv"), ColumnMapping(time="t"), CONSTANTS)
    for scale in (1, 10**3, 10**6, 10**9):
        assert reader.read(1, {"t": str(time_ns // scale)}).start_ns == time_ns // scale * scale
