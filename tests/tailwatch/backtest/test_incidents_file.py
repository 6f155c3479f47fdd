"""Labelled incidents in every format, and every mistake at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailwatch.backtest.incidents_file import read_incidents
from tailwatch.backtest.scoring import LabelledIncident
from telemetry.errors import FileProblemsError
from telemetry.windows import NANOS

START_NS, END_NS = 1_772_373_600 * NANOS, 1_772_375_400 * NANOS
WHOLE = LabelledIncident("deploy", START_NS, END_NS, slo="errors", service="chat", labels={"input_type": "code"})

YAML = """
- start: 2026-03-01T15:00:00+01:00
  end: 1772375400
  name: deploy
  slo: errors
  service: chat
  labels: {input_type: code}
- {start: 2026-02-01 00:00, end: "2026-02-01T01:00"}
"""
JSON = """{"incidents": [{"start": 1772373600, "end": "2026-03-01T14:30:00Z", "name": "deploy", "slo": "errors",
  "service": "chat", "labels": {"input_type": "code"}}]}"""
CSV = """name, start, end, slo, service, labels
deploy, 2026-03-01T14:00:00Z, 2026-03-01T14:30:00Z, errors, chat, input_type=code
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "text"), [("i.yaml", YAML), ("i.json", JSON), ("i.csv", CSV)])
def test_every_format_says_the_same(tmp_path: Path, name: str, text: str):
    assert read_incidents(written(tmp_path, name, text))[-1] == WHOLE


def test_incidents_come_by_start_and_times_without_a_zone_are_utc(tmp_path: Path):
    first = read_incidents(written(tmp_path, "i.yaml", YAML))[0]
    assert (first.start_ns, first.end_ns) == (1_769_904_000 * NANOS, 1_769_907_600 * NANOS)
    assert first.name == "incidents[1]"


def test_every_mistake_is_reported_at_once_with_its_line_and_remedy(tmp_path: Path):
    text = """
- {start: yesterday, end: 2026-03-01T14:30:00Z}
- {start: 2026-03-01T14:30:00Z, end: 2026-03-01T14:00:00Z, slos: x}
- {end: [1]}
- just text
"""
    with pytest.raises(FileProblemsError) as raised:
        read_incidents(written(tmp_path, "i.yaml", text))
    found = [(problem.line, problem.field) for problem in raised.value.problems]
    assert found == [
        (2, "incidents[0].start"), (3, "incidents[1].slos"), (3, "incidents[1].end"), (4, "incidents[2].start"),
        (4, "incidents[2].end"), (5, "incidents[3]"),
    ]  # fmt: skip
    assert all(problem.remedy for problem in raised.value.problems)
    assert "did you mean slo?" in str(raised.value)


def test_a_csv_file_names_the_line_too(tmp_path: Path):
    text = "start,end,labels\n2026-03-01,nonsense,\n\n2026-03-01,2026-03-02,code\n2026-03-01,2026-03-02,a=b,c=d\n"
    with pytest.raises(FileProblemsError) as raised:
        read_incidents(written(tmp_path, "i.csv", text))
    assert [problem.line for problem in raised.value.problems] == [2, 4, 5]


@pytest.mark.parametrize(
    ("name", "text"), [("a.yaml", ""), ("a.csv", ""), ("a.yaml", "incidents: 7"), ("a.yaml", "- {"), ("a.json", "{}")]
)
def test_a_file_that_is_none_gives_a_sentence(tmp_path: Path, name: str, text: str):
    with pytest.raises(FileProblemsError):
        read_incidents(written(tmp_path, name, text))


def test_a_file_that_is_not_there_gives_a_sentence(tmp_path: Path):
    with pytest.raises(FileProblemsError, match="cannot be read: No such file"):
        read_incidents(tmp_path / "none.yaml")
