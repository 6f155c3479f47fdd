"""Drift reports: spans joined with their logs, written by the real process, and given up when the service ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.database import Database
from tailwatch.report_process import join_logs
from telemetry.columns import Columns, columns_of
from telemetry.windows import NANOS
from tests.tailwatch.declared import DRIFT, MINUTE_NS, START_NS, store
from tests.tailwatch.inprocess import InProcess, service_on
from tests.tailwatch.running import traces


def with_ids(columns: Columns, ids: list[int]) -> Columns:
    def raw(size: int) -> Any:
        return np.asarray([list(one.to_bytes(size, "big")) for one in ids], dtype=np.uint8).reshape(len(ids), size)

    return replace(columns, trace_id=raw(16), span_id=raw(8))


def times(n: int) -> Any:
    return np.arange(n, dtype=np.int64)


@given(st.lists(st.integers(1, 30), unique=True), st.lists(st.integers(1, 30), unique=True))
def test_each_span_gets_the_fields_of_its_own_log(span_ids: list[int], log_ids: list[int]) -> None:
    own = with_ids(columns_of("span", times(len(span_ids)), numbers={"tokens_in": [-i for i in span_ids]}), span_ids)
    told = columns_of(
        "log", times(len(log_ids)),
        strings={"feature.name": [f"n{i}" for i in log_ids]},
        numbers={"confidence": [i / 2 for i in log_ids], "tokens_in": [99.0] * len(log_ids)},
    )  # fmt: skip
    joined = join_logs(own, with_ids(told, log_ids))
    if not span_ids or not log_ids:
        assert len(joined) == len(span_ids) + len(log_ids)
        return
    known = set(log_ids)
    assert joined.number("tokens_in").tolist() == [-i for i in span_ids]
    confidence = joined.number("confidence").tolist()
    assert [None if np.isnan(one) else one for one in confidence] == [i / 2 if i in known else None for i in span_ids]
    names = joined.string("feature.name").optional()
    assert list(names) == [f"n{i}" if i in known else None for i in span_ids]


def task_of(url: str, path: Path) -> bytes:
    task = {
        "url": url, "service": "chat", "where": ['operation="chat"'], "fields": ["tokens_in"], "onset_ns": START_NS,
        "now_ns": START_NS + 2 * MINUTE_NS, "path": str(path),
    }  # fmt: skip
    return json.dumps(task).encode()


def write_report(task: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tailwatch.report_process"]
    return subprocess.run(command, input=task, capture_output=True, timeout=240, check=False)


def test_a_report_is_written_by_a_process_of_its_own(migrated_sqlite_url: str, tmp_path: Path) -> None:
    with Database(migrated_sqlite_url) as database:
        for i, tokens in enumerate((100, 110, 120, 900, 950, 1000)):
            at_ns = START_NS + (i - 3) * 20 * NANOS
            store(database, (), 20, at_ns=at_ns, attributes={"gen_ai.usage.input_tokens": tokens})
    path = tmp_path / "INC-1.html"
    done = write_report(task_of(migrated_sqlite_url, path))
    assert (done.returncode, done.stderr) == (0, b"")
    assert "tokens_in" in path.read_text(encoding="utf-8")
    assert sorted(one.suffix for one in tmp_path.iterdir() if one.name.startswith("INC-1")) == [".html"]


def test_a_report_that_cannot_be_written_is_explained(migrated_sqlite_url: str, tmp_path: Path) -> None:
    done = write_report(task_of(migrated_sqlite_url, tmp_path / "INC-1.html"))
    assert done.returncode == 1
    assert b"tokens_in has values in both windows" in done.stderr
    assert b"Traceback" not in done.stderr
    assert not (tmp_path / "INC-1.html").exists()


@pytest.fixture
def drifted(tmp_path: Path, migrated_sqlite_url: str) -> Iterator[InProcess]:
    """A service with an open drift incident."""
    with service_on(tmp_path, migrated_sqlite_url, DRIFT.replace("ticket-only", "page-and-ticket")) as running:
        for i in range(20):
            tokens = {"gen_ai.usage.input_tokens": (100 if i < 8 else 5000) + i % 3}
            running.take(traces(60, end_ns=running.clock.now_ns(), first_id=1 + 100 * i, attributes=tokens))
            running.clock.advance(60)
            running.evaluate()
        yield running


def test_a_closed_writer_writes_no_report(drifted: InProcess) -> None:
    (incident,) = drifted.service.alerting.incidents("open")
    assert incident["slo"] == "inputs"
    drifted.service.reports.close()
    drifted.service.reports.step(drifted.clock.now_ns())
    assert not drifted.service.reports.path(incident["id"]).exists()


def test_a_folder_that_cannot_be_made_is_a_warning(drifted: InProcess, caplog: pytest.LogCaptureFixture) -> None:
    (incident,) = drifted.service.alerting.incidents("open")
    folder = drifted.service.reports.path(incident["id"]).parent
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("")
    drifted.service.reports.step(drifted.clock.now_ns())
    assert f"no drift report for {incident['id']}" in caplog.text
    assert "Traceback" not in caplog.text
