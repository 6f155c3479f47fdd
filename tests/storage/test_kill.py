"""A process killed at any moment: what it acknowledged is there, whole and once, and what is there is whole."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select, text

from storage.block_format import decode_raw, decode_table
from storage.database import Database
from storage.ingest import RepeatedError, commit
from storage.rollups import load
from storage.tables import payloads, record_blocks
from telemetry.sketches import DDSketch
from tests.storage.build import NOW_NS, digest
from tests.storage.committer import numbered

RUNS = 3


def _run_until_killed(url: str, name: str, first: int, lines: int) -> list[bytes]:
    """The digests that a committer acknowledged before it was killed, which is after about ``lines`` of them."""
    command = [sys.executable, "-m", "tests.storage.committer", url, name, str(first)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged: list[str] = []
    for line in process.stdout:
        acknowledged.append(line)
        if len(acknowledged) == lines:
            process.kill()  # it is somewhere in a later commit by now
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    whole = [line for line in acknowledged if line.endswith("\n")]
    return [bytes.fromhex(line) for line in whole]


def test_killed_processes_lose_nothing_acknowledged_and_count_nothing_twice(database: Database):
    chance = random.Random(20)
    with database.read() as connection:
        url = connection.engine.url.render_as_string(hide_password=False)
    acknowledged: set[bytes] = set()
    for run in range(RUNS):
        acknowledged.update(_run_until_killed(url, "killed", run * 100_000, chance.randint(1, 200)))
    assert len(acknowledged) >= RUNS
    _wait_for_commits_underway(database)

    with database.read() as connection:
        stored = set(connection.execute(select(payloads.c.digest)).scalars())
    rows = Counter(_stored_raw(database))
    assert acknowledged <= stored
    assert {digest(raw.decode()) for raw in rows} == stored
    assert set(rows.values()) == {3}
    _assert_counted(database, len(stored))

    # The sender of an unanswered payload sends it again: whether it had been committed must not matter.
    numbers = sorted(int(raw.decode().split("-")[1]) for raw in rows)
    again = [numbered("killed", number) for number in (*numbers[-4:], numbers[-1] + 1)]
    with pytest.raises(RepeatedError) as caught:
        commit(database, again, NOW_NS)
    assert caught.value.digests == {digest for one in again[:4] for digest in one.digests}
    commit(database, again[4:], NOW_NS)
    _assert_counted(database, len(stored) + 1)


def _stored_raw(database: Database) -> list[bytes]:
    """The raw bytes of every stored record."""
    with database.read() as connection:
        blocks = connection.execute(select(record_blocks.c.columns, record_blocks.c.raw)).all()
    return [raw for block in blocks for raw in decode_raw(block.raw, decode_table(block.columns)).tolist()]


def _wait_for_commits_underway(database: Database) -> None:
    """A PostgreSQL server may still be at a commit whose sender is dead."""
    if database.dialect == "postgresql":
        with database.write() as connection:
            connection.execute(text("LOCK TABLE payloads"))


def _assert_counted(database: Database, count: int) -> None:
    """Counters, digests and rows were committed together."""
    loaded = load(database, ["killed"], NOW_NS, NOW_NS + 1)
    (series,) = loaded.sli
    assert (series.good.tolist(), series.total.tolist()) == ([count], [2 * count])
    (sketch,) = loaded.distributions[0].distributions
    assert isinstance(sketch, DDSketch)
    assert sketch.count == count
