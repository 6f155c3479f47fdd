"""A real collector for tests: uvicorn on a free port over a real SQLite file, in a thread, stopped at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from collector.committer import Commit
from collector.http import routes
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


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        self.ready.set()


@contextmanager
def serve(intake: Intake) -> Iterator[str]:
    """The base URL of an OTLP/HTTP server over ``intake``, which is closed at the end."""
    app = Starlette(routes=routes(intake))
    server = _Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert server.ready.wait(30)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
        intake.close()


@contextmanager
def collecting(commit_with: Commit, pipeline: Pipeline | None = None, **arguments: int) -> Iterator[tuple[str, Intake]]:
    intake = Intake(commit_with, SystemClock(), pipeline, **arguments)
    with serve(intake) as url:
        yield url, intake
