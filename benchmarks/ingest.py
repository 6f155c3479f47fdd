"""What ingest costs: OTLP/HTTP protobuf, 512 spans a request, from the socket to committed SLIs, sketches and rows.

Servers are real processes. CPU seconds are of the server's processes (the database's beside it), evaluation included.
Every run ends by holding the counters and the stored rows against what was acknowledged. Usage:

    python benchmarks/ingest.py                       # raw rows off and on, SQLite and PostgreSQL
    python benchmarks/ingest.py --against rotel       # beside a collector in Rust that stores nothing
    python benchmarks/ingest.py --against phoenix     # beside an observability server that stores spans in SQLite
    python benchmarks/ingest.py --half-load           # latency of acknowledgement at half of the highest rate
    python benchmarks/ingest.py --collectors 2        # on one PostgreSQL
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.payloads import SPANS
from benchmarks.rig.bench import Bench, Result
from benchmarks.rig.checking import WrongError, check_all_acknowledged, check_counts
from benchmarks.rig.measuring import Round, as_json, measure
from benchmarks.rig.peers import PEERS, Peer, PeerError
from benchmarks.rig.processes import cpu_seconds
from benchmarks.rig.server import (
    Server,
    ServerError,
    end_servers_when_terminated,
    postgres,
    postgres_cpu_seconds,
    tailwatch,
)
from tests.postgres import PrivatePostgres

RESULTS: Final = Path(__file__).resolve().parent / "results" / "ingest.json"
ENGINES: Final = ("SQLite", "PostgreSQL")
ROWS: Final = ("off", "on")

_PHOENIX_SPANS: Final = 2048
_STALLED_S: Final = 60.0


def configurations(bench: Bench) -> Result:
    """Raw rows off and on, each on SQLite and on PostgreSQL, a fresh server and database for each."""
    found: Result = {}
    options = bench.options
    if "SQLite" in options.engines:
        for rows in options.rows:
            found |= configuration(bench, f"SQLite, rows {rows}", rows == "on", None)
    if "PostgreSQL" in options.engines:
        with postgres() as database:
            if database is None:
                print("PostgreSQL is not installed: its lines are left out (Debian: apt install postgresql)")
                return found
            for rows in options.rows:
                found |= configuration(bench, f"PostgreSQL, rows {rows}", rows == "on", database)
    return found


def configuration(bench: Bench, name: str, rows: bool, database: PrivatePostgres | None) -> Result:
    """One of them: warm up, measured rounds, counts held against what was acknowledged, a line of the table."""
    url, others = None, {}
    if database is not None:
        url = database.url(database.create_database())
        others = {"database": lambda: postgres_cpu_seconds(database)}
    rounds = []
    with tailwatch(bench.folder / name.replace(" ", "-"), name, rows=rows, database_url=url) as server:
        bench.warm_up(server)
        for _ in range(bench.options.repeats):
            load = bench.load(server.host_and_port, bench.options.requests)
            rounds.append(bench.count(server, measure([load], {name: server.pid}, others)))
        bench.check(server, rows=rows)
    return bench.table({name: rounds}, "database")


def against_rotel(bench: Bench, peer: Peer) -> Result:
    """Both servers up, rounds in turn: what the machine does to one it does to the other."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(tailwatch(bench.folder / f"rows-{rows}", f"tailwatch, rows {rows}", rows=rows == "on"))
            for rows in bench.options.rows
        ]
        for server in servers:
            bench.warm_up(server)
        check_all_acknowledged(measure([bench.load(peer.host_and_port, bench.options.warmup)], {}).outcomes)
        theirs = f"{peer.name} {peer.version}"
        rounds: dict[str, list[Round]] = {name: [] for name in (*(server.name for server in servers), theirs)}
        for _ in range(bench.options.repeats):
            for server in servers:
                load = bench.load(server.host_and_port, bench.options.requests)
                rounds[server.name].append(bench.count(server, measure([load], {server.name: server.pid})))
            load = bench.load(peer.host_and_port, bench.options.requests)
            rounds[theirs].append(measure([load], {theirs: peer.pid}))
            check_all_acknowledged(rounds[theirs][-1].outcomes)
        for server in servers:
            bench.check(server, rows=server.name.endswith("on"))
    found = bench.table(rounds)
    for server in servers:
        ratios = [
            mine.spans_a_cpu_second(server.name) / other.spans_a_cpu_second(theirs)
            for mine, other in zip(rounds[server.name], rounds[theirs], strict=True)
        ]
        ratio = statistics.median(ratios)
        found[server.name]["ratio"] = ratio
        print(f"{server.name}: {ratio:.2f}x {theirs} per CPU second ({min(ratios):.2f} to {max(ratios):.2f})")
    return found


def against_phoenix(bench: Bench, peer: Peer) -> Result:
    """Spans stored a CPU second: it answers long before, so its CPU is counted until the last span is in its file."""
    assert peer.stored is not None
    spans = min(_PHOENIX_SPANS, bench.options.requests * SPANS)
    wanted, cpu = peer.stored() + spans, cpu_seconds(peer.pid)
    # each span is a trace of its own, as from a service without a framework around its calls
    load = bench.load(peer.host_and_port, spans // SPANS, spans_a_trace=1, connections=1)
    check_all_acknowledged(measure([load], {}).outcomes)
    stored, progress = peer.stored(), time.monotonic()
    while stored < wanted:
        time.sleep(0.2)
        before, stored = stored, peer.stored()
        if stored > before:
            progress = time.monotonic()
        elif time.monotonic() > progress + _STALLED_S:
            raise WrongError(f"{peer.name} stored {stored} of {wanted} spans, and no more for {_STALLED_S:.0f} s")
    theirs = spans / (cpu_seconds(peer.pid) - cpu)
    with tailwatch(bench.folder / "rows-on", "tailwatch, rows on", rows=True) as server:
        bench.warm_up(server)
        rounds = []
        for _ in range(bench.options.repeats):
            load = bench.load(server.host_and_port, bench.options.requests, spans_a_trace=1)
            rounds.append(bench.count(server, measure([load], {server.name: server.pid})))
        bench.check(server, rows=True)
    found = bench.table({server.name: rounds})
    ours = found[server.name]["spans_a_cpu_second"]
    print(f"{peer.name} {peer.version}: {theirs:,.0f} spans stored a CPU second ({spans:,} spans)")
    print(f"{server.name}: {ours / theirs:,.0f}x {peer.name} in spans stored a CPU second")
    return found | {f"{peer.name} {peer.version}": {"spans_a_cpu_second": theirs}, "ratio": ours / theirs}


def half_load(bench: Bench) -> Result:
    """The highest rate by a closed loop, then half of it by an open one; latency counts from when a request was due."""
    found: Result = {}
    for word in bench.options.rows:
        name, rows = f"SQLite, rows {word}", word == "on"
        with tailwatch(bench.folder / f"half-{word}", name, rows=rows) as server:
            bench.warm_up(server)
            load = bench.load(server.host_and_port, bench.options.requests, connections=16)
            full = bench.count(server, measure([load], {}))
            rate = full.spans_a_second / SPANS / 2
            requests = max(1, round(rate * bench.options.seconds))
            load = bench.load(server.host_and_port, requests, rate=rate, connections=64)
            half = bench.count(server, measure([load], {name: server.pid}))
            bench.check(server, rows=rows)
        latencies = half.outcomes[0].latencies_ms
        found[name] = {"full": as_json(full), "half": as_json(half)}
        print(
            f"{name}: at {rate * SPANS:,.0f} spans/s, half of {full.spans_a_second:,.0f}, acknowledged within"
            f" {latencies['p50']:.0f} ms (p50), {latencies['p99']:.0f} ms (p99), {latencies['max']:.0f} ms (all)"
        )
    return found


def collectors(bench: Bench) -> Result:
    """One collector, then several, on one PostgreSQL, each under a load of its own: who uses the CPU?"""
    found: Result = {}
    with postgres() as database, ExitStack() as stack:
        if database is None:
            print("PostgreSQL is not installed: nothing to measure (Debian: apt install postgresql)")
            return found
        url = database.url(database.create_database())
        servers: list[Server] = []
        total = 0
        for number in range(1, bench.options.collectors + 1):
            folder = bench.folder / f"collector-{number}"
            servers.append(stack.enter_context(tailwatch(folder, f"collector {number}", rows=True, database_url=url)))
            total += measure([bench.load(servers[-1].host_and_port, bench.options.warmup)], {}).spans
            loads = [bench.load(server.host_and_port, bench.options.requests) for server in servers]
            one = measure(
                loads, {server.name: server.pid for server in servers},
                {"PostgreSQL": lambda: postgres_cpu_seconds(database)},
            )  # fmt: skip
            check_all_acknowledged(one.outcomes)
            total += one.spans
            own = {
                server.name: outcome.acknowledged * SPANS for server, outcome in zip(servers, one.outcomes, strict=True)
            }
            print(f"{number} collector(s): {one.spans_a_second:,.0f} spans/s")
            for name, cpu in one.cpu_s.items():
                a_span = cpu / own.get(name, one.spans) * 1e6
                print(f"  {name}: {a_span:.2f} CPU us a span that passed it, {cpu / one.wall_s:.2f} cores busy")
            found[str(number)] = as_json(one)
        check_counts(servers[0], total, rows=True)
        print(f"counters, sketches and rows equal the {total:,} spans acknowledged, over all collectors")
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=400, help=f"requests of {SPANS} spans a round")
    parser.add_argument("--warmup", type=int, default=40, help="requests before the first round")
    parser.add_argument("--repeats", type=int, default=5, help="rounds; the table shows medians")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS, help="whether raw rows are kept")
    parser.add_argument("--against", choices=sorted(PEERS), help="a peer to install and measure beside it")
    parser.add_argument("--half-load", action="store_true", help="latency at half of the highest rate")
    parser.add_argument("--seconds", type=float, default=20, help="how long the half load lasts")
    parser.add_argument("--collectors", type=int, help="so many collectors on one PostgreSQL")
    parser.add_argument("--quick", action="store_true", help="a few requests only, to see that everything works")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the result is written")
    options = parser.parse_args(arguments)
    if options.quick:
        options.requests, options.warmup, options.repeats, options.seconds = 8, 2, 1, 1.0
    with tempfile.TemporaryDirectory(prefix="tw-bench-") as folder:
        bench = Bench(options, Path(folder))
        try:
            if options.against is not None:
                with PEERS[options.against](bench.folder) as peer:
                    result = against_rotel(bench, peer) if peer.stored is None else against_phoenix(bench, peer)
            elif options.half_load:
                result = half_load(bench)
            elif options.collectors:
                result = collectors(bench)
            else:
                result = configurations(bench)
        except (WrongError, PeerError, ServerError) as error:
            sys.exit(str(error))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    end_servers_when_terminated()
    main()
