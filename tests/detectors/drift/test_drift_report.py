"""A report is really written, by the real Evidently."""

import sys

import numpy as np
import pytest

from detectors.drift_report import write_html
from telemetry.columns import columns_of
from telemetry.errors import TailwatchError


def window(seed, n, shift):
    rng = np.random.default_rng(seed)
    return columns_of(
        "log",
        np.arange(n, dtype=np.int64),
        strings={"input_type": rng.choice(["chat", "code"], n).tolist(), "user": [f"u{i}" for i in range(n)]},
        numbers={"tokens_in": [*rng.lognormal(3 + shift, 1, n - 1), np.nan], "nothing": [np.nan] * n},
    )


def test_the_report_shows_the_fields_and_leaves_no_other_file(tmp_path):
    path = tmp_path / "drift.html"
    written = write_html(window(1, 400, 0), window(2, 300, 1), ["tokens_in", "input_type", "user", "nothing"], path)
    text = written.read_text(encoding="utf-8")
    assert "<html" in text
    assert "tokens_in" in text
    assert "input_type" in text
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_to_report_is_said(tmp_path):
    with pytest.raises(TailwatchError, match="nothing has values"):
        write_html(window(1, 50, 0), window(2, 50, 0), ["nothing"], tmp_path / "x.html")
    assert list(tmp_path.iterdir()) == []


def test_without_evidently_the_remedy_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "evidently", None)
    with pytest.raises(TailwatchError, match=r"tailwatch\[drift\]"):
        write_html(window(1, 50, 0), window(2, 50, 0), ["tokens_in"], tmp_path / "x.html")
