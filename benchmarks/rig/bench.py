"""What the modes of `ingest.py` share: options, seeds, what each server acknowledged, and the table."""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any, Final, TypeAlias

from rich.console import Console
from rich.table import Table

from benchmarks.rig.checking import check_all_acknowledged, check_counts
from benchmarks.rig.generator import Load
from benchmarks.rig.measuring import Round, as_json, measure, median_and_spread
from benchmarks.rig.server import Server

COLUMNS: Final = (
    "", "spans/s", "spans/CPU s", "spread", "us/span", "database us/span", "peak MiB", "p50 ms", "p99 ms"
)  # fmt: skip

Result: TypeAlias = dict[str, Any]
"""What is written as JSON."""


class Bench:
    """One run of the benchmark; ``folder`` takes the data of its servers."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.console = Console(width=150)
        self._seed = 0
        self._spans: dict[str, int] = {}

    def load(self, host_and_port: tuple[str, int], requests: int, **more: Any) -> Load:
        """A load whose bodies no other has."""
        self._seed += 1
        host, port = host_and_port
        return Load(host, port, requests, seed=self._seed, **{"connections": self.options.connections, **more})

    def warm_up(self, server: Server) -> None:
        """Let the server compile, fill its caches and meet every group, unmeasured."""
        self.count(server, measure([self.load(server.host_and_port, self.options.warmup)], {}))

    def count(self, server: Server, one: Round) -> Round:
        """Remember what ``server`` acknowledged.

        Raises:
            WrongError: it did not acknowledge everything.
        """
        check_all_acknowledged(one.outcomes)
        self._spans[server.name] = self._spans.get(server.name, 0) + one.spans
        return one

    def check(self, server: Server, *, rows: bool) -> None:
        """Hold the server's counts against what it acknowledged so far."""
        check_counts(server, self._spans[server.name], rows=rows)
        kept = "counters, sketches and rows" if rows else "counters and sketches"
        print(f"{server.name}: {kept} equal the {self._spans[server.name]:,} spans acknowledged")

    def table(self, rounds: dict[str, list[Round]], database: str = "") -> Result:
        """Print a line a server and return its numbers; ``rounds`` by server."""
        table = Table(*COLUMNS, box=None)
        for column in table.columns[1:]:
            column.justify = "right"
        found = {}
        for name, measured in rounds.items():
            rate, spread = median_and_spread([one.spans_a_cpu_second(name) for one in measured])
            wall = statistics.median(one.spans_a_second for one in measured)
            peak = max(one.peak_mib[name] for one in measured)
            extra = [one.cpu_s[database] / one.spans * 1e6 for one in measured if database in one.cpu_s]
            p50, p99 = (statistics.median(one.outcomes[0].latencies_ms[q] for one in measured) for q in ("p50", "p99"))
            table.add_row(
                name, f"{wall:,.0f}", f"{rate:,.0f}", f"± {spread:.0%}", f"{1e6 / rate:.2f}",
                f"{statistics.median(extra):.2f}" if extra else "", f"{peak:.0f}", f"{p50:.0f}", f"{p99:.0f}",
            )  # fmt: skip
            found[name] = {
                "spans_a_second": wall, "spans_a_cpu_second": rate, "spread": spread, "peak_mib": peak,
                "ack_p50_ms": p50, "ack_p99_ms": p99, "database_us_a_span": statistics.median(extra) if extra else None,
                "rounds": [as_json(one) for one in measured],
            }  # fmt: skip
        self.console.print(table)
        return found
