"""What stored spans cost: to encode and insert as blocks, to merge the blocks, and to find a trace among millions.

The payload of ``benchmarks/ingest.py`` is decoded once per request and stored in SQLite, as many hours of it as asked
for, with its raw bytes. Then the blocks are merged as the service does it, and traces are looked up by their ids, some
that are stored and some that are not. CPU seconds of this process for writing, wall time for looking. Usage:

    python benchmarks/lookup.py [--millions 2] [--hours 4] [--requests 4] [--json benchmarks/results/lookup.json]
"""

import argparse
import json
import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from payloads import NOW_NS, SPANS, trace_body

from collector.decode import PROTOBUF
from collector.pipeline import Pipeline
from collector.request import Body, Kind
from storage.block_merge import merge_blocks
from storage.blocks import insert_blocks, prepare
from storage.database import Database
from storage.spans import trace
from storage.stats import block_stats
from telemetry.columns import Columns
from telemetry.windows import NANOS

MIB = 1 << 20


@dataclass
class Writing:
    """CPU seconds of the steps, and some of the trace ids that were stored."""

    encode_s: float = 0.0
    insert_s: float = 0.0
    trace_ids: list[str] = field(default_factory=list)


def received(requests: range, at_ns: int) -> Columns:
    """The records of these requests, as they are handed to the storage, at a time of the run's choice."""
    bodies = [Body(trace_body(number), secrets.token_bytes(16)) for number in requests]
    payload = Pipeline().prepare(Kind("span", "protobuf"), bodies, NOW_NS).payload
    assert payload is not None
    (columns,) = payload.columns
    return replace(columns, time_ns=columns.time_ns + (at_ns - NOW_NS), start_ns=columns.start_ns + (at_ns - NOW_NS))


def write(database: Database, batches: int, requests: int, hours: float) -> Writing:
    """Store batches of so many requests over so many hours before ``NOW_NS``."""
    writing = Writing()
    for batch in range(batches):
        at_ns = NOW_NS - round((1 - batch / batches) * hours * 3600 * NANOS)
        columns = received(range(batch * requests, (batch + 1) * requests), at_ns)
        started = time.process_time()
        blocks = prepare([columns])
        writing.encode_s += time.process_time() - started
        started = time.process_time()
        with database.write() as connection:
            insert_blocks(connection, blocks)
        writing.insert_s += time.process_time() - started
        writing.trace_ids.append(columns.trace_id[len(columns) // 2].tobytes().hex())
    return writing


def lookups(database: Database, trace_ids: Sequence[str], *, stored: bool) -> list[float]:
    """Wall milliseconds of each."""
    took = []
    for trace_id in trace_ids:
        started = time.perf_counter()
        found = trace(database, trace_id)
        took.append((time.perf_counter() - started) * 1e3)
        assert bool(found) == stored
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, default=2, help="spans to store, in millions")
    parser.add_argument("--hours", type=float, default=4, help="the time over which they came")
    parser.add_argument("--requests", type=int, default=4, help=f"requests of {SPANS} spans in a transaction")
    parser.add_argument("--lookups", type=int, default=200)
    parser.add_argument("--json", type=Path, help="also write the result here")
    chosen = parser.parse_args()
    PROTOBUF.warm().join()
    batches = max(round(chosen.millions * 1e6 / (chosen.requests * SPANS)), 1)
    spans = batches * chosen.requests * SPANS
    with tempfile.TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/spans.db") as database:
        database.upgrade()
        writing = write(database, batches, chosen.requests, chosen.hours)
        started = time.process_time()
        merged = merge_blocks(database, NOW_NS + 3600 * NANOS)
        merge_s = time.process_time() - started
        size = sum(blocks.size_bytes for blocks in block_stats(database))
        rng = np.random.default_rng(0)
        chosen_ids = [writing.trace_ids[place] for place in rng.integers(0, batches, chosen.lookups)]
        present = lookups(database, chosen_ids, stored=True)
        absent = lookups(database, [secrets.token_hex(16) for _ in chosen_ids], stored=False)
    result = {
        "spans": spans,
        "encode_us": writing.encode_s / spans * 1e6,
        "insert_us": writing.insert_s / spans * 1e6,
        "merge_us": merge_s / spans * 1e6,
        "blocks_merged": merged,
        "bytes_a_span": size / spans,
        "present_ms": np.percentile(present, [50, 99]).tolist(),
        "absent_ms": np.percentile(absent, [50, 99]).tolist(),
    }
    print(f"{spans:,} spans over {chosen.hours:g} h in {batches} transactions, {size / MIB:,.0f} MiB")
    print(f"encode {result['encode_us']:.2f}, insert {result['insert_us']:.2f}, merge {result['merge_us']:.2f} CPU us")
    print(f"  a span; {merged} blocks merged away; {result['bytes_a_span']:.0f} bytes a span on the disk")
    print("a trace that is stored: {:.1f} ms (p50), {:.1f} ms (p99)".format(*result["present_ms"]))
    print("a trace that is not:    {:.1f} ms (p50), {:.1f} ms (p99)".format(*result["absent_ms"]))
    if chosen.json is not None:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
