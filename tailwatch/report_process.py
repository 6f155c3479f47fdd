"""``python -m tailwatch.report_process``: one drift report, from a task on standard input to an HTML file."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from storage import logs, spans
from storage.database import Database
from tailwatch.diagnoser import BEFORE_NS
from telemetry.columns import Columns, StringColumn
from telemetry.errors import TailwatchError
from telemetry.matchers import parse_matchers

_MAX_ROWS = 20_000
"""More adds nothing to a picture, and Evidently's time grows with it."""


def main() -> None:
    """Read the task, write the report; exit status 1 with a sentence when that cannot be done."""
    os.nice(19)
    task = json.load(sys.stdin)
    try:
        from detectors.drift_report import write_html  # noqa: PLC0415 - Evidently takes 6 s to import

        onset_ns = task["onset_ns"]
        database = Database(task["url"])
        try:
            reference = _records(database, task, onset_ns - BEFORE_NS, onset_ns)
            current = _records(database, task, onset_ns, task["now_ns"])
        finally:
            database.close()
        draft = Path(task["path"]).with_suffix(".draft")
        write_html(reference, current, task["fields"], draft)
        draft.replace(task["path"])
    except (TailwatchError, ImportError) as error:
        sys.exit(f"{error}")


def _records(database: Database, task: dict[str, Any], start_ns: int, end_ns: int) -> Columns:
    """The SLO's spans, with what their inference logs add."""
    where = parse_matchers(task["where"])
    own = spans.load_columns(database, start_ns, end_ns, service=task["service"], where=where, limit=_MAX_ROWS)
    told = logs.load_columns(database, start_ns, end_ns, service=task["service"], where=where, limit=_MAX_ROWS)
    return join_logs(own, told)


def join_logs(own: Columns, told: Columns) -> Columns:
    """Spans with the fields that only the inference logs of the same spans carry; logs alone without spans."""
    if not len(own) or not len(told):
        return own if len(own) else told
    place_of = {bytes(span): place for place, span in enumerate(np.hstack([told.trace_id, told.span_id]))}
    places = np.asarray([place_of.get(bytes(span), -1) for span in np.hstack([own.trace_id, own.span_id])])
    found = places >= 0
    numbers = dict(own.numbers)
    for name in told.numbers.keys() - own.numbers.keys():
        numbers[name] = np.where(found, told.numbers[name][places], np.nan)
    strings = dict(own.strings)
    for name in told.strings.keys() - own.strings.keys():
        column = told.strings[name]
        codes = np.where(found, column.codes[places], -1).astype(np.int32)
        strings[name] = StringColumn(codes, column.values)
    return replace(own, numbers=numbers, strings=strings)


if __name__ == "__main__":
    main()
