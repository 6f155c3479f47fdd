"""The report of a simulation as JSON, Markdown or a web page, by the file's ending; it computes nothing.

It depends on the scenario and the seed alone: the same ones give the same file, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from tailwatch.backtest.plot import check_libraries, svg
from tailwatch.backtest.tables import TextTable, headline, tables
from tailwatch.simulation.run import Simulated
from telemetry.errors import ConfigError

_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1b1f24}"
    "table{border-collapse:collapse;margin:.5rem 0 2rem;font-size:13px}"
    "th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #d8dee4;vertical-align:top}"
    "svg{max-width:100%;height:auto}"
)


@dataclass(frozen=True, slots=True)
class Run:
    """A simulation by its scenario's name and its seed."""

    scenario: str
    seed: int
    simulated: Simulated

    @property
    def sentence(self) -> str:
        """What was run, in words."""
        return f"{self.scenario}, seed {self.seed}: {self.simulated.events:,} requests"


def check_report(path: Path) -> None:
    """Make sure, before a long run, that its report can be written.

    Raises:
        ConfigError: no such format, no such folder, or a library is not installed.
    """
    if path.suffix.lower() not in _WRITERS:
        remedy = f"name a file that ends in {', '.join(_WRITERS)}"
        raise ConfigError(f"{path.suffix or 'no ending'} is no format of a report", where=str(path), remedy=remedy)
    if not path.parent.is_dir():
        raise ConfigError("there is no such folder", where=str(path.parent), remedy="make it first")
    if path.suffix.lower() == ".html":
        check_libraries(path)


def write_report(run: Run, path: Path) -> None:
    """Write the report in the format that the ending of ``path`` says.

    Raises:
        ConfigError: the file cannot be written.
    """
    text = _WRITERS[path.suffix.lower()](run)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path), remedy="choose another") from None


def _json(run: Run) -> str:
    document = {
        "scenario": run.scenario, "seed": run.seed, "events": run.simulated.events,
        **run.simulated.outcome.to_json(),
    }  # fmt: skip
    return json.dumps(document, indent=2) + "\n"


def _markdown(run: Run) -> str:
    parts = [f"# Simulation of {run.scenario}", run.sentence + ".", headline(run.simulated.outcome) + "."]
    for table in tables(run.simulated.outcome):
        rows = [table.columns, ("---",) * len(table.columns), *table.rows]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        parts += [f"## {table.title}", "\n".join(lines)]
    parts += [f"Note: {note}." for note in run.simulated.outcome.notes]
    return "\n\n".join(parts) + "\n"


def _html(run: Run) -> str:
    title = escape(f"Simulation of {run.scenario}")
    body = "".join(map(_html_table, tables(run.simulated.outcome)))
    body += "".join(f"<p>Note: {escape(note)}.</p>" for note in run.simulated.outcome.notes)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"</head><body><h1>{title}</h1><p>{escape(run.sentence)}.</p>"
        f"<p>{escape(headline(run.simulated.outcome))}.</p>{svg(run.simulated.outcome)}{body}</body></html>\n"
    )


def _html_table(table: TextTable) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    return f"<h2>{escape(table.title)}</h2><table><tr>{head}</tr>{rows}</table>"


_WRITERS: Final[Mapping[str, Callable[[Run], str]]] = {".json": _json, ".md": _markdown, ".html": _html}
