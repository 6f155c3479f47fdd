"""The benchmark of alerting's latency runs from end to end, and fails when the limit is passed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import alerting_latency


def test_every_change_of_an_incident_is_measured_and_held_to_the_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerting_latency, "LIMIT_S", -1.0)
    with pytest.raises(SystemExit, match="more than -1 s"):
        alerting_latency.main(["--incidents", "2", "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())
    assert {change: len(seconds) for change, seconds in found.items()} == {
        "opened": 2, "acknowledged": 2, "resolved": 4, "reopened": 2,
    }  # fmt: skip
    assert all(0 < one < alerting_latency.PATIENCE_S for seconds in found.values() for one in seconds)
    assert len(capsys.readouterr().out.splitlines()) == 6
