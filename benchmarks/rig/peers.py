"""Other collectors to measure beside Tailwatch: each in a virtual environment of its own, on loopback, sending nowhere.

- Rotel (PyPI ``rotel``): a collector in Rust; with its blackhole exporter it decodes, batches and drops.
- Arize Phoenix (PyPI ``arize-phoenix``): an LLM observability server; it stores spans in SQLite.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VENVS: Final = Path(__file__).resolve().parents[2] / ".bench"
"""Where peers are installed, once."""

ROTEL: Final = "rotel==0.0.1a15"
PHOENIX: Final = "arize-phoenix"

_READY_S: Final = 120.0


class PeerError(Exception):
    """A peer cannot be installed or started; the text says what happened."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A running peer; ``stored`` counts the spans in its database, None where it has none."""

    name: str
    version: str
    pid: int
    host_and_port: tuple[str, int]
    stored: Callable[[], int] | None = None


@contextmanager
def rotel(folder: Path) -> Iterator[Peer]:
    """Rotel with its blackhole exporter.

    Raises:
        PeerError: it cannot be installed or does not start.
    """
    venv, version = _installed("rotel", ROTEL)
    agents = list(venv.glob("lib/python*/site-packages/rotel/rotel-agent"))
    if not agents:
        raise PeerError("rotel: the package has no program for this platform")
    http, grpc = _free_ports(2)
    command = [
        str(agents[0]), "start", "--exporter", "blackhole", "--otlp-http-endpoint", f"127.0.0.1:{http}",
        "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}", "--pid-file", str(folder / "rotel.pid"),
        "--log-file", str(folder / "rotel-agent.log"),
    ]  # fmt: skip
    with _running("rotel", command, folder, http, {}) as pid:
        yield Peer("rotel", version, pid, ("127.0.0.1", http))


@contextmanager
def phoenix(folder: Path) -> Iterator[Peer]:
    """Phoenix with SQLite in ``folder``.

    Raises:
        PeerError: it cannot be installed or does not start.
    """
    venv, version = _installed("phoenix", PHOENIX)
    http, grpc = _free_ports(2)
    database = folder / "phoenix.db"
    environment = {
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(http),
        "PHOENIX_GRPC_PORT": str(grpc),
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_SQL_DATABASE_URL": f"sqlite:///{database}",
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }

    def stored() -> int:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
            return int(connection.execute("SELECT count(*) FROM spans").fetchone()[0])

    with _running("phoenix", [str(venv / "bin" / "phoenix"), "serve"], folder, http, environment) as pid:
        yield Peer("phoenix", version, pid, ("127.0.0.1", http), stored)


PEERS: Final = {"rotel": rotel, "phoenix": phoenix}


def _installed(name: str, requirement: str) -> tuple[Path, str]:
    """The peer's virtual environment, made at the first use, and the version in it."""
    venv = VENVS / name
    python = venv / "bin" / "python"
    if not (venv / "installed").exists():
        print(f"installing {requirement} into {venv.relative_to(VENVS.parent)} (once; minutes for a large one)")
        _run([sys.executable, "-m", "venv", str(venv)], name)
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement], name)
        (venv / "installed").touch()
    package = requirement.partition("==")[0]
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return venv, _run([str(python), "-c", code], name).strip()


def _run(command: list[str], name: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerError(f"{name} cannot be installed: {done.stderr.strip()[-600:] or done.stdout.strip()[-600:]}")
    return done.stdout


def _free_ports(count: int) -> list[int]:
    """Ports that nobody has now: peers cannot say which one they took."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def _running(name: str, command: list[str], folder: Path, port: int, environment: dict[str, str]) -> Iterator[int]:
    """The process, once it takes connections; ended with the context."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder, env=os.environ | environment
        )
    try:
        deadline = time.monotonic() + _READY_S
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                raise PeerError(f"{name} did not start: {log.read_text(errors='replace')[-600:]}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
