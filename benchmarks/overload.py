"""Ten times what the server can take: does its memory stay flat, and is everything stored that it acknowledged?

First a closed loop finds the rate that the server can take. Then an open loop offers a multiple of it for a bounded
time, on as many connections as that needs and half of the bodies compressed; nobody obeys Retry-After. At the end the
counters and the stored rows must be exactly what was acknowledged. Usage:

    python benchmarks/overload.py [--seconds 30] [--times 10] [--rows off]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.payloads import SPANS
from benchmarks.rig.checking import WrongError, check_all_acknowledged, check_counts
from benchmarks.rig.generator import Generator, Load, Outcome
from benchmarks.rig.measuring import measure
from benchmarks.rig.processes import Memory, MemorySampler
from benchmarks.rig.server import Server, ServerError, end_servers_when_terminated, tailwatch

RESULTS: Final = Path(__file__).resolve().parent / "results" / "overload.json"
ROWS: Final = ("off", "on")
FLAT: Final = 0.2
"""Memory may grow by this share between the first and the last quarter of the overload."""

_GIVE_UP_S: Final = 1.0
_ANSWERS_S: Final = 60.0
"""What was sent by the end of the overload may take this long to be answered."""


@dataclass(frozen=True, slots=True)
class Overload:
    """What happened.

    Attributes:
        rate: requests a second that the server took when asked for no more.
        outcome: of the overload.
        offered_a_second: requests a second that were sent, or due and not sent.
        memory: while requests were offered.
        spans: acknowledged in all, which are the spans stored.
    """

    rate: float
    outcome: Outcome
    offered_a_second: float
    memory: Memory
    spans: int

    @property
    def quarters_mib(self) -> tuple[float, float]:
        """Median resident memory of the first and of the last quarter."""
        quarter = max(1, len(self.memory.mib) // 4)
        return statistics.median(self.memory.mib[:quarter]), statistics.median(self.memory.mib[-quarter:])

    @property
    def growth(self) -> float:
        """From the first to the last quarter, as a share."""
        first, last = self.quarters_mib
        return last / first - 1


def overload(server: Server, options: argparse.Namespace, *, rows: bool) -> Overload:
    """Find the rate, overload the server, and hold its counts against what it acknowledged.

    Raises:
        WrongError: something acknowledged is missing, or something else is stored, or a refusal was no retryable one.
    """
    host, port = server.host_and_port
    spans = 0
    rate = 0.0
    for seed, requests in ((1, options.warmup), (2, options.requests)):
        load = Load(host, port, requests, fresh=False, seed=seed, connections=16)
        before = measure([load], {})
        check_all_acknowledged(before.outcomes)
        spans += before.spans
        rate = requests / before.wall_s
    offered = rate * options.times
    load = Load(
        host, port, round(offered * options.seconds), options.seconds + _ANSWERS_S, options.connections, offered,
        give_up_s=_GIVE_UP_S, fresh=False, gzip_share=options.gzip_share, seed=3,
    )  # fmt: skip
    with Generator(load) as generator:
        generator.wait_ready()
        with MemorySampler(server.pid) as sampler:
            generator.go()
            outcome = generator.outcome()
    spans += outcome.acknowledged * SPANS
    if set(outcome.statuses) - {200, 429, 503} or outcome.partial:
        raise WrongError(f"answers that no exporter could repeat: {outcome.statuses}, {outcome.partial} partial ones")
    refused = outcome.answered - outcome.acknowledged
    if outcome.retry_after != refused:
        raise WrongError(f"{refused - outcome.retry_after} of {refused} refusals had no Retry-After")
    server.settle()
    check_counts(server, spans, rows=rows, unsure=outcome.cut * SPANS)
    sent_a_second = (outcome.answered + outcome.cut + outcome.unsent) / options.seconds
    return Overload(rate, outcome, sent_a_second, sampler.memory.until(options.seconds), spans)


def shown(name: str, found: Overload, console: Console) -> None:
    """Print a table of what happened."""
    outcome = found.outcome
    first, last = found.quarters_mib
    table = Table(name, "", box=None)
    for label, text in (
        ("taken when asked for no more", f"{found.rate:,.0f} requests/s, {found.rate * SPANS:,.0f} spans/s"),
        ("offered", f"{found.offered_a_second:,.0f} requests/s, {found.offered_a_second / found.rate:.1f} times"),
        ("acknowledged", f"{outcome.acknowledged:,} requests"),
        ("refused", f"{outcome.answered - outcome.acknowledged:,}, {outcome.retry_after:,} with Retry-After"),
        ("cut off", f"{outcome.cut:,}"),
        ("never sent, as no connection was free", f"{outcome.unsent:,}"),
        ("acknowledged within", ", ".join(f"{value:,.0f} ms ({q})" for q, value in outcome.latencies_ms.items())),
        ("resident memory", f"{first:.0f} MiB in the first quarter, {last:.0f} in the last ({found.growth:+.0%})"),
        ("peak of resident memory", f"{found.memory.peak_mib:.0f} MiB"),
        ("stored", f"{found.spans:,} spans: exactly what was acknowledged"),
        ("the generator's own cost", f"{outcome.cpu_s / outcome.wall_s:.2f} cores"),
    ):
        table.add_row(label, text)
    console.print(table)


def as_json(found: Overload) -> dict[str, Any]:
    first, last = found.quarters_mib
    return {
        "requests_a_second": found.rate,
        "offered_a_second": found.offered_a_second,
        "statuses": found.outcome.statuses,
        "retry_after": found.outcome.retry_after,
        "cut": found.outcome.cut,
        "unsent": found.outcome.unsent,
        "ack_ms": found.outcome.latencies_ms,
        "first_quarter_mib": first,
        "last_quarter_mib": last,
        "peak_mib": found.memory.peak_mib,
        "memory_mib": [round(mib, 1) for mib in found.memory.mib],
        "spans_stored": found.spans,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=float, default=10, help="how much more is offered than the server takes")
    parser.add_argument("--seconds", type=float, default=30, help="how long the overload lasts")
    parser.add_argument("--connections", type=int, default=2000, help="at most so many at once")
    parser.add_argument("--gzip-share", type=float, default=0.5, help="share of requests whose body is compressed")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS, help="whether raw rows are kept")
    parser.add_argument("--warmup", type=int, default=40, help="requests before the rate is measured")
    parser.add_argument("--requests", type=int, default=300, help="requests that the rate is measured with")
    parser.add_argument("--quick", action="store_true", help="a few requests only, to see that everything works")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the result is written")
    options = parser.parse_args(arguments)
    if options.quick:
        options.warmup, options.requests, options.seconds, options.connections = 2, 8, 0.5, 50
    console = Console(width=120)
    result = {}
    growing = []
    with tempfile.TemporaryDirectory(prefix="tw-bench-") as folder:
        for word in options.rows:
            rows = word == "on"
            try:
                with tailwatch(Path(folder) / word, f"rows {word}", rows=rows) as server:
                    found = overload(server, options, rows=rows)
            except (WrongError, ServerError) as error:
                sys.exit(str(error))
            shown(f"raw rows {word}", found, console)
            result[f"rows {word}"] = as_json(found)
            if found.growth > FLAT and not options.quick:
                growing.append(f"rows {word}: memory grew by {found.growth:.0%}, more than {FLAT:.0%}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if growing:
        sys.exit("\n".join(growing))


if __name__ == "__main__":
    end_servers_when_terminated()
    main()
