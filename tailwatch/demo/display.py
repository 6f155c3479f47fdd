"""What the demo shows while it runs: a live panel on a terminal, plain lines elsewhere. It measures nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_STATE_STYLES: Mapping[str, str] = {
    "ok": "green", "burning": "bold red", "exhausted": "bold red", "outage": "bold red", "late": "yellow",
    "misconfigured": "yellow",
}  # fmt: skip


class Display:
    """Steps that were taken, links, figures, and the state of every SLO."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._lines: list[Text] = []
        self._links: dict[str, str] = {}
        self._figures: dict[str, str] = {}
        self._slos: dict[str, tuple[str, str]] = {}
        self._live = Live(console=console, refresh_per_second=4, transient=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self.refresh()
            self._live.stop()

    def step(self, text: str, style: str = "") -> None:
        """Say that something happened."""
        stamp = f"{time.monotonic() - self._started:6.1f} s  "
        self._lines.append(Text.assemble((stamp, "dim"), (text, style)))
        if self._live:
            self.refresh()
        else:
            self._console.print(self._lines[-1], soft_wrap=True)

    def links(self, links: Mapping[str, str]) -> None:
        """Where things can be looked at."""
        self._links = dict(links)
        if not self._live:
            for name, url in links.items():
                self._console.print(f"          {name:<16} {url}", soft_wrap=True, highlight=False)

    def figures(self, figures: Mapping[str, str]) -> None:
        """Numbers that change."""
        self._figures = dict(figures)

    def slos(self, states: Mapping[str, tuple[str, str]]) -> None:
        """State and budget by SLO."""
        self._slos = dict(states)

    def refresh(self) -> None:
        """Draw anew."""
        if self._live:
            self._live.update(self._render(), refresh=True)

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = [*self._lines[-18:]]
        if self._slos:
            table = Table("SLO", "state", "budget left", box=None, padding=(0, 3, 0, 0), header_style="dim")
            for name, (state, budget) in self._slos.items():
                table.add_row(name, Text(state, _STATE_STYLES.get(state, "dim")), budget)
            parts += [Text(), table]
        if self._figures:
            parts += [Text(), Text("   ".join(f"{name} {value}" for name, value in self._figures.items()), "cyan")]
        if self._links:
            links = Table.grid(padding=(0, 2))
            for name, url in self._links.items():
                links.add_row(Text(name, "dim"), Text(url, "underline"))
            parts += [Text(), links, Text("Ctrl-C ends everything", "dim")]
        return Panel(Group(*parts), title="Tailwatch demo", title_align="left", border_style="blue")
