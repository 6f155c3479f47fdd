"""Two servers on one PostgreSQL: what the command line does to a token counts for both within seconds."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.tailwatch.access.house import wait_for
from tests.tailwatch.running import Running, command, serving, traces, write_config


@pytest.fixture
def servers(tmp_path: Path, migrated_postgres_url: str) -> Iterator[list[Running]]:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    first, second = (write_config(folder, {"database_url": migrated_postgres_url}) for folder in folders)
    with serving(first) as one, serving(second) as two:
        yield [one, two]


def test_tokens_of_the_command_line_count_for_both(servers: list[Running], tmp_path: Path) -> None:
    environment = {**os.environ, "TAILWATCH_CONFIG": str(tmp_path / "one" / "tailwatch.yaml")}

    def token(*arguments: str) -> str:
        done = subprocess.run(
            command("token", *arguments), capture_output=True, text=True, check=True, timeout=120, env=environment
        )
        return done.stdout.strip()

    def answers(secret: str = "") -> list[tuple[int, int]]:
        """What each server says to who reads and to who sends."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        sending = {**headers, "Content-Type": "application/x-protobuf"}
        return [
            (
                httpx.get(f"{one.url}/api/v1/slos", headers=headers, timeout=30).status_code,
                httpx.post(f"{one.url}/v1/traces", headers=sending, content=body, timeout=30).status_code,
            )
            for one in servers
        ]

    body = traces(1, end_ns=time.time_ns())
    assert answers() == [(200, 200)] * 2, "open while there is no token"
    reader, sender = token("create", "reader", "--scope", "read"), token("create", "sender", "--scope", "ingest")
    wait_for(answers, [(401, 401)] * 2)
    wait_for(lambda: answers(reader), [(200, 403)] * 2)
    wait_for(lambda: answers(sender), [(403, 200)] * 2)
    renewed = token("rotate", "reader", "--overlap", "1h")
    wait_for(lambda: answers(renewed), [(200, 403)] * 2)
    assert answers(reader) == [(200, 403)] * 2, "both count for the overlap"
    newest = token("rotate", "reader", "--overlap", "0")
    wait_for(lambda: [answers(one) for one in (reader, renewed, newest)], [[(401, 401)] * 2] * 2 + [[(200, 403)] * 2])
    token("revoke", "reader")
    wait_for(lambda: answers(newest), [(401, 401)] * 2)
    assert answers(sender) == [(403, 200)] * 2
    assert answers() == [(401, 401)] * 2
