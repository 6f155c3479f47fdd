"""An outcome printed for a person at a terminal, or for a file or program that reads what is printed."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table

from tailwatch.backtest.outcome import Outcome
from tailwatch.backtest.tables import headline, tables

_FILE_WIDTH: Final = 200
"""Columns of a table that goes to a file or another program, where nothing says how wide it may be."""


def show(outcome: Outcome) -> None:
    """Print the tables and the notes."""
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=_FILE_WIDTH)
    console.print(headline(outcome), highlight=False, markup=False)
    for table in tables(outcome):
        drawn = Table(*table.columns, title=table.title, title_justify="left", box=None, pad_edge=False)
        for row in table.rows:
            drawn.add_row(*row)
        console.print()
        console.print(drawn, markup=False)
    if outcome.notes:
        console.print()
    for note in outcome.notes:
        console.print(f"note: {note}", highlight=False, markup=False)
