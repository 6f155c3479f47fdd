"""A PostgreSQL server of the test session's own: private folder, Unix socket only, stopped at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import psycopg

_OWNER = "tailwatch"


def find_binaries() -> Path | None:
    """The newest installed server's programs; None when PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class PrivatePostgres:
    """A server; ``create_database`` gives each test a database of its own.

    ``durable`` has every commit on the disk before it is answered, as benchmarks need it; tests kill the server, never
    the machine.
    """

    def __init__(self, binaries: Path, *, durable: bool = False) -> None:
        self._binaries = binaries
        self._durable = durable
        # Not pytest's folder: the path of a Unix socket is limited to about 100 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="tw-pg-"))
        self._become = _drop_root()
        if self._become:
            shutil.chown(self.folder, user=_unprivileged().pw_name)
        self._created = 0

    def start(self) -> None:
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-U", _OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        self.launch()

    def launch(self) -> None:
        """Run the server, for the first time or after it was killed or halted."""
        data = str(self.folder / "data")
        options = f"-k {self.folder} -c listen_addresses= -c max_connections=80"
        if not self._durable:
            options += " -c fsync=off -c full_page_writes=off"
        self._run("pg_ctl", "-D", data, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def kill(self) -> None:
        """End it at once, as a crash would: no checkpoint, no word to its clients."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", "immediate", "stop")

    def halt(self) -> None:
        """End it in order, throwing its clients out."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", "fast", "stop")

    def stop(self) -> None:
        if (self.folder / "data" / "postmaster.pid").exists():
            self.kill()
        shutil.rmtree(self.folder)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{_OWNER}@/{database}?host={quote(str(self.folder), safe='')}"

    def create_database(self, template: str = "template0") -> str:
        """The name of a new database."""
        self._created += 1
        name = f"test{self._created}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop_database(self, name: str) -> None:
        self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def execute(self, statement: str) -> None:
        """Run one statement outside the tests' databases."""
        with psycopg.connect(host=str(self.folder), user=_OWNER, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def _run(self, program: str, *arguments: str) -> None:
        finished = subprocess.run(
            [*self._become, str(self._binaries / program), *arguments],
            cwd=self.folder, check=False, timeout=90, stdin=subprocess.DEVNULL,
            # pg_ctl leaves the server running: a pipe would stay open with it.
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if finished.returncode:
            log = self.folder / "log"
            raise RuntimeError(f"{program} failed: {log.read_text() if log.exists() else 'no log'}")


def _drop_root() -> list[str]:
    """The command prefix under which PostgreSQL agrees to run: it refuses root."""
    if os.geteuid() != 0:
        return []
    user = _unprivileged()
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("no user postgres or nobody: run the tests as an ordinary user")
