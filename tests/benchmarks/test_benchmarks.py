"""The benchmarks of the collector run from end to end, and notice counts that are not what was acknowledged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import ingest, overload
from benchmarks.payloads import SPANS, trace_body
from benchmarks.rig.checking import WrongError, check_counts
from benchmarks.rig.server import tailwatch
from telemetry.clock import SystemClock


@pytest.mark.parametrize(("engine", "rows"), [("SQLite", "off"), ("PostgreSQL", "on")])
def test_ingest_measures_a_configuration(
    engine: str, rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    if engine == "PostgreSQL":
        request.getfixturevalue("postgres")  # skips where none is installed
    ingest.main(["--quick", "--engines", engine, "--rows", rows, "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())
    assert list(found) == [f"{engine}, rows {rows}"]
    numbers = found[f"{engine}, rows {rows}"]
    assert [one["spans"] for one in numbers["rounds"]] == [8 * SPANS]
    assert numbers["rounds"][0]["statuses"] == [{"200": 8}]
    assert numbers["spans_a_cpu_second"] > 0
    assert numbers["peak_mib"] > 0
    assert (numbers["database_us_a_span"] is not None) == (engine == "PostgreSQL")
    assert "equal the 5,120 spans acknowledged" in capsys.readouterr().out


def test_overload_accounts_for_every_request(tmp_path: Path) -> None:
    overload.main(["--quick", "--rows", "on", "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())["rows on"]
    assert found["spans_stored"] >= (2 + 8) * SPANS
    refused = sum(count for status, count in found["statuses"].items() if status != "200")
    assert found["retry_after"] == refused
    assert found["memory_mib"]


def test_a_count_that_was_not_acknowledged_is_noticed(tmp_path: Path) -> None:
    with tailwatch(tmp_path, "here", rows=True) as server:
        assert server.running.send(trace_body(1, 20, SystemClock().now_ns())).status_code == 200
        server.settle()
        check_counts(server, 20, rows=True)
        check_counts(server, 10, rows=True, unsure=10)
        with pytest.raises(WrongError, match="acknowledged 19 spans"):
            check_counts(server, 19, rows=True)
        with pytest.raises(WrongError, match="acknowledged 21 spans"):
            check_counts(server, 21, rows=True, unsure=5)
        with pytest.raises(WrongError, match="'rows': 0"):
            check_counts(server, 20, rows=False)
