"""Every fault that Tailwatch must survive, one after the other against a real `tailwatch serve`, as a table.

Each fault has a server of its own, exporters that keep sending, and a judge: nothing acknowledged is missing, nothing
is counted twice, memory stays flat, the log says what happened, and a good request is taken in afterwards without a
new start. The scenarios are those of tests/faults/, longer. Ends with status 1 when a fault was not survived.

    python benchmarks/faults.py [--kills 100] [--only "gzip bomb" ...] [--list] [--json benchmarks/results/faults.json]
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tests.faults import disks, hostile, kills, sockets
from tests.faults.trial import Outcome, trial
from tests.postgres import PrivatePostgres, find_binaries

MILLION = 1_000_000
Scenario = Callable[[Path], Outcome]


def tried(fault: str, scenario: Callable[..., Outcome], **sizes: object) -> Scenario:
    """A scenario that needs a fresh server and nothing else."""

    def run(folder: Path) -> Outcome:
        with trial(fault, folder) as on:
            return scenario(on, **sizes)

    return run


def on_postgres(scenario: Callable[[Path, PrivatePostgres], Outcome]) -> Scenario:
    """A scenario on a PostgreSQL server of its own."""

    def run(folder: Path) -> Outcome:
        binaries = find_binaries()
        if binaries is None:
            raise LookupError("PostgreSQL is not installed (Debian: apt install postgresql)")
        server = PrivatePostgres(binaries)
        try:
            server.start()
            return scenario(folder, server)
        finally:
            server.stop()

    return run


def kill_on_postgres(folder: Path, server: PrivatePostgres, *, count: int) -> Outcome:
    return kills.kill_collector(folder, kills=count, seed=2, database_url=server.url(server.create_database()))


def full_disk(folder: Path) -> Outcome:
    if not disks.private_mounts():
        raise LookupError("this kernel permits no mounts (unshare --mount)")
    return disks.disk_full(folder, disk_mib=64, full_s=10)


def scenarios(count: int) -> dict[str, Scenario]:
    """By name; ``count`` is the number of kills on SQLite."""
    some = max(1, count // 5)
    return {
        "kill -9 the collector (SQLite)": lambda folder: kills.kill_collector(folder, kills=count),
        "kill -9 the collector (PostgreSQL)": on_postgres(partial(kill_on_postgres, count=some)),
        "kill PostgreSQL": on_postgres(partial(kills.kill_database, kills=some)),
        "restart PostgreSQL": on_postgres(partial(kills.restart_database, down_s=15)),
        "disk full": full_disk,
        "file size limit": lambda folder: disks.file_limit(folder, limit_mib=16, full_s=10),
        "read-only files": lambda folder: disks.files_immutable(folder, seconds=10),
        "database locked": lambda folder: disks.locked(folder, seconds=25, refused=True),
        "connection cut": tried("connection cut", sockets.cut, times=2000),
        "slow senders": tried("slow senders", sockets.slow, senders=900, patience_s=120),
        "huge Content-Length": tried("huge Content-Length", sockets.announced, size=2**31, times=200),
        "endless body": tried("endless body", sockets.endless, limit_mib=64, times=10),
        **{name: tried(name, hostile.attack, times=20, long=True) for name in hostile.ATTACKS},
        "gzip bomb over gRPC": tried("gzip bomb over gRPC", hostile.grpc_bomb, size_mib=256, times=5),
        "crowd of attributes": tried("crowd of attributes", hostile.crowd_of_attributes, attributes=100_000, times=20),
        "crowd of tenants": tried("crowd of tenants", hostile.crowd_of_tenants, tenants=MILLION, groups=2000),
    }


def row(outcome: Outcome, seconds: float) -> str:
    """One fault as lines of text."""
    answers = ", ".join(f"{times} {answer}" for answer, times in sorted(outcome.answers.items())) or "none refused"
    verdict = "survived" if not outcome.problems else "FAILED: " + "; ".join(outcome.problems)
    spans = f"{outcome.sent:,} sent, {outcome.acknowledged:,} acknowledged, {outcome.stored:,} stored"
    memory = f"{outcome.before_mib:.0f} MiB before, {outcome.peak_mib:.0f} at most, {outcome.after_mib:.0f} after"
    lines = [
        f"{outcome.fault}: {verdict}",
        f"  done        {outcome.done}, in {seconds:.0f} s",
        f"  answers     {answers}",
        f"  spans       {spans}, {outcome.counted:,} counted",
        f"  memory      {memory}",
        f"  log         {textwrap.shorten(outcome.log, 150) or '-'}",
        f"  recovered   after {outcome.recovered_s:.2f} s",
    ]
    return "\n".join(lines)


def markdown(outcomes: list[Outcome]) -> str:
    """The table of docs/reliability.md."""
    head = ["fault", "done", "acknowledged", "stored", "counted", "MiB before, most, after", "recovered in", "verdict"]
    rows = [
        [
            one.fault, one.done, f"{one.acknowledged:,}", f"{one.stored:,}", f"{one.counted:,}",
            f"{one.before_mib:.0f}, {one.peak_mib:.0f}, {one.after_mib:.0f}", f"{one.recovered_s:.2f} s",
            "failed" if one.problems else "survived",
        ]
        for one in outcomes
    ]  # fmt: skip
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="of the collector on SQLite; a fifth on PostgreSQL")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these faults")
    parser.add_argument("--list", action="store_true", help="name the faults and end")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/faults.json"))
    chosen = parser.parse_args()
    every = scenarios(chosen.kills)
    if chosen.list:
        print("\n".join(every))
        return
    unknown = set(chosen.only or ()) - every.keys()
    if unknown:
        sys.exit(f"there is no fault {', '.join(sorted(unknown))}; --list names them")
    logging.disable(logging.CRITICAL)  # the stock exporter reports every refusal, of which there are thousands
    outcomes, skipped = [], {}
    for name in chosen.only or every:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="tailwatch-faults-") as folder:
            try:
                outcome = every[name](Path(folder))
            except (LookupError, PermissionError) as error:
                skipped[name] = str(error)
                print(f"{name}: not possible here: {error}", flush=True)
                continue
        print(row(outcome, time.monotonic() - began), flush=True)
        outcomes.append(outcome)
    print(f"\n{markdown(outcomes)}")
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    document = {"outcomes": [asdict(one) for one in outcomes], "skipped": skipped}
    chosen.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if any(one.problems for one in outcomes):
        sys.exit(1)


if __name__ == "__main__":
    main()
