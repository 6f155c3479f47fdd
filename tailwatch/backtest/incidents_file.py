"""Labelled incidents read from a YAML, JSON or CSV file, with every problem reported at once. It scores nothing.

YAML and JSON: a list, or a mapping with ``incidents:``, of entries with ``start``, ``end`` and perhaps ``name``,
``slo``, ``service`` and ``labels``. CSV: the same as columns, ``labels`` written ``input_type=code, region=eu``.
Times are ISO 8601 (UTC where no zone is written) or seconds since the epoch.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

import yaml

from detectors.slo.nodes import Reader, compose, kind_of
from detectors.slo.shapes import Key
from tailwatch.backtest.moments import time_of
from tailwatch.backtest.scoring import LabelledIncident
from telemetry.errors import FileProblemsError, Problem

_KEYS: Final = (
    Key("start", {}, required=True), Key("end", {}, required=True), Key("name", {}), Key("slo", {}),
    Key("service", {}), Key("labels", {}),
)  # fmt: skip
_TAG: Final = "tag:yaml.org,2002:"
_TIME_REMEDY: Final = "write a time such as 2026-03-01T14:05:00Z, or seconds since the epoch"


def read_incidents(path: Path) -> tuple[LabelledIncident, ...]:
    """The incidents of a file, by start.

    Raises:
        FileProblemsError: every problem of the file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problem = Problem(str(path), 1, "", f"cannot be read: {reason}", "check the path and the file")
        raise FileProblemsError([problem]) from None
    reader = Reader(str(path))
    entries = _csv_entries(text, reader) if path.suffix.lower() == ".csv" else _yaml_entries(text, reader)
    found = [_incident(reader, field, node) for field, node in entries]
    if reader.problems:
        raise FileProblemsError(sorted(reader.problems, key=lambda problem: problem.line))
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.start_ns))


def _yaml_entries(text: str, reader: Reader) -> list[tuple[str, yaml.Node]]:
    root, problems = compose(text, reader.file)
    reader.problems.extend(problems)
    if isinstance(root, yaml.MappingNode):
        top = reader.mapping(root, "", (Key("incidents", {}, required=True),)) or {}
        return reader.items(top["incidents"], "incidents") or [] if "incidents" in top else []
    if root is None:
        if not problems:
            reader.problems.append(Problem(reader.file, 1, "", "the file is empty", "write a list of incidents"))
        return []
    return reader.items(root, "incidents") or []


def _csv_entries(text: str, reader: Reader) -> list[tuple[str, yaml.Node]]:
    rows = csv.reader(io.StringIO(text), skipinitialspace=True)
    header: list[str] | None = None
    entries: list[tuple[str, yaml.Node]] = []
    for row in rows:
        mark = yaml.Mark(reader.file, 0, rows.line_num - 1, 0, None, 0)
        if not any(cell.strip() for cell in row):
            continue
        if header is None:
            header = [cell.strip() for cell in row]
            continue
        field = f"incidents[{len(entries)}]"
        if len(row) > len(header):
            at = yaml.ScalarNode(f"{_TAG}str", "", mark, mark)
            reader.note(at, field, f"has {len(row)} cells under {len(header)} columns", "quote cells that hold a comma")
        pairs = [
            (yaml.ScalarNode(f"{_TAG}str", name, mark, mark), _csv_cell(name, cell.strip(), mark))
            for name, cell in zip(header, row, strict=False) if cell.strip()
        ]  # fmt: skip
        entries.append((field, yaml.MappingNode(f"{_TAG}map", pairs, mark, mark)))
    if header is None:
        remedy = "begin with a line such as start,end,name,slo,service,labels"
        reader.problems.append(Problem(reader.file, 1, "", "the file is empty", remedy))
    return entries


def _csv_cell(name: str, cell: str, mark: yaml.Mark) -> yaml.Node:
    if name != "labels":
        return yaml.ScalarNode(f"{_TAG}str", cell, mark, mark)
    pairs = [part.partition("=") for part in cell.split(",")]
    if not all(label.strip() and equals for label, equals, _ in pairs):
        return yaml.ScalarNode(f"{_TAG}str", cell, mark, mark)
    nodes = [
        tuple(yaml.ScalarNode(f"{_TAG}str", text.strip(), mark, mark) for text in (label, value))
        for label, _, value in pairs
    ]
    return yaml.MappingNode(f"{_TAG}map", nodes, mark, mark)


def _incident(reader: Reader, field: str, node: yaml.Node) -> LabelledIncident | None:
    values = reader.mapping(node, field, _KEYS)
    if values is None:
        return None
    texts = {
        key: reader.text(values[key], f"{field}.{key}") if key in values else None for key in ("name", "slo", "service")
    }
    start_ns = _time(reader, values.get("start"), f"{field}.start")
    end_ns = _time(reader, values.get("end"), f"{field}.end")
    labels = _labels(reader, values.get("labels"), f"{field}.labels")
    if start_ns is None or end_ns is None:
        return None
    if end_ns <= start_ns:
        reader.note(values["end"], f"{field}.end", "is not after the start", "swap them, or correct one")
    return LabelledIncident(
        texts["name"] or field, start_ns, end_ns, slo=texts["slo"], service=texts["service"], labels=labels
    )


def _time(reader: Reader, node: yaml.Node | None, field: str) -> int | None:
    if node is None:
        return None
    time_ns = time_of(str(node.value)) if isinstance(node, yaml.ScalarNode) and kind_of(node) != "null" else None
    if time_ns is None:
        shown = repr(node.value) if isinstance(node, yaml.ScalarNode) else "this"
        reader.note(node, field, f"{shown} is not a time", _TIME_REMEDY)
    return time_ns


def _labels(reader: Reader, node: yaml.Node | None, field: str) -> dict[str, str]:
    if node is None:
        return {}
    if isinstance(node, yaml.ScalarNode) and kind_of(node) == "str":
        reader.note(node, field, f"{node.value!r} is not a list of labels", "write input_type=code, region=eu")
        return {}
    read = {name: reader.text(value, f"{field}.{name}") for name, _, value in reader.pairs(node, field) or []}
    return {name: text for name, text in read.items() if text is not None}
