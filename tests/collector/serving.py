"""A real collector for tests: uvicorn on a free port over a real SQLite file, in a thread, stopped at the end."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp

from collector.committer import Commit
from collector.connections import Connection, server_of
from collector.http import Otlp
from collector.http_body import Patience
from collector.intake import Intake
from collector.pipeline import Pipeline
from storage.database import Database
from storage.ingest import commit
from telemetry.clock import SystemClock


@contextmanager
def open_database(folder: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{folder / 'tailwatch.db'}")
    database.upgrade()
    try:
        yield database
    finally:
        database.close()


def storing(db: Database) -> Commit:
    return lambda payloads: commit(db, payloads, SystemClock().now_ns())


@contextmanager
def serve(
    intake: Intake,
    connection: type[Connection] = Connection,
    patience: Patience | None = None,
    otherwise: ASGIApp | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """The base URL of an OTLP/HTTP server over ``intake``, which is closed at the end."""
    server = server_of(Otlp(intake, otherwise or Starlette(), patience or Patience()), connection, tls)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
            intake.close()


@contextmanager
def collecting(commit_with: Commit, pipeline: Pipeline | None = None, **arguments: int) -> Iterator[tuple[str, Intake]]:
    intake = Intake(commit_with, SystemClock(), pipeline, **arguments)
    with serve(intake) as url:
        yield url, intake
