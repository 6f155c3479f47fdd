"""Deliverers killed by SIGKILL at random instants, while the receiver fails half the time: what is lost or told twice.

The receiver answers half of the requests with 500, 503, a reset connection, garbage, or not at all, partly after it has
taken the notification in. It counts: every change of state must have come, under one idempotency key, which means no
other change, and the end of an incident after its beginning. The trial is that of tests/alerting/test_kill.py, longer.
Ends with status 1 when the receiver misses something. Usage:

    python benchmarks/alerting_kills.py [--kills 1000] [--deliverers 1] [--postgresql] [--seed 1]
"""

from __future__ import annotations

import argparse
import tempfile
import time

from storage.database import Database
from tests.alerting.hook_server import HookServer
from tests.alerting.kill_trial import Verdict, run_trial
from tests.postgres import PrivatePostgres, find_binaries


def trial(url: str, kills: int, deliverers: int, seed: int) -> Verdict:
    """The verdict over one database."""
    with Database(url) as database, HookServer() as hook:
        database.upgrade()
        return run_trial(url, database, hook, kills=kills, couriers=deliverers, seed=seed)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--deliverers", type=int, default=1)
    parser.add_argument("--postgresql", action="store_true", help="on a private server instead of SQLite")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    if given.postgresql:
        binaries = find_binaries()
        if binaries is None:
            raise SystemExit("PostgreSQL is not installed (Debian: apt install postgresql)")
        server = PrivatePostgres(binaries)
        try:
            server.start()
            verdict = trial(server.url(server.create_database()), given.kills, given.deliverers, given.seed)
        finally:
            server.stop()
    else:
        with tempfile.TemporaryDirectory() as folder:
            verdict = trial(f"sqlite:///{folder}/tailwatch.db", given.kills, given.deliverers, given.seed)
    print("| kills | deliverers | changes | requests | lost | second keys | shared keys | out of order | minutes |")
    print("|---|---|---|---|---|---|---|---|---|")
    print(
        f"| {given.kills} | {given.deliverers} | {verdict.changes} | {verdict.requests} | {len(verdict.lost)} |"
        f" {len(verdict.second_keys)} | {len(verdict.shared_keys)} | {len(verdict.disordered)} |"
        f" {(time.monotonic() - began) / 60:.1f} |"
    )
    if not verdict.clean:
        raise SystemExit(str(verdict))


if __name__ == "__main__":
    main()
