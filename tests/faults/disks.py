"""Faults of the disk and of the embedded database: full, read-only, locked by another process."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path

from tests.faults.senders import Fleet
from tests.faults.server import Server
from tests.faults.trial import Outcome, Trial, trial
from tests.tailwatch.running import command, write_config

_MIB = 1024 * 1024
_GROWTH_MIB = 80.0
_BULK = 200_000
"""Characters of text in a request that shall take room on the disk."""
_REFUSALS = 3
"""Refusals in a row after which the disk counts as full."""


def private_mounts() -> list[str]:
    """The command prefix that gives a process mounts of its own, gone with it; empty where the kernel denies it."""
    prefix = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    permitted = (
        shutil.which("unshare")
        and not subprocess.run(
            [*prefix, "true"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ).returncode
    )
    return prefix if permitted else []


def disk_full(folder: Path, *, disk_mib: int, full_s: float) -> Outcome:
    """A file system of ``disk_mib`` fills up under the database; somebody frees some space ``full_s`` later.

    Needs :func:`private_mounts`.
    """
    data = folder / "data"
    data.mkdir(parents=True)
    script = f'mount -t tmpfs -o size={disk_mib}m tmpfs "$0" && exec "$@"'
    with trial("disk full", folder, prefix=[*private_mounts(), "sh", "-c", script, str(data)]) as tried:
        ballast = tried.server.data / "ballast"
        ballast.write_bytes(bytes(disk_mib * _MIB // 2))
        tried.begin()
        requests = _fill_up(tried)
        _stay(tried, full_s)
        ballast.unlink()
        tried.recover()
        return tried.judge(
            f"{disk_mib} MiB file system full after {requests} requests", growth_mib=_GROWTH_MIB, log="the disk is full"
        )


def file_limit(folder: Path, *, limit_mib: int, full_s: float) -> Outcome:
    """The database may not grow beyond ``limit_mib`` (RLIMIT_FSIZE, as a quota), until the limit is lifted."""
    prefix = ["prlimit", f"--fsize={limit_mib * _MIB}:"]
    with trial("file size limit", folder, prefix=prefix) as tried:
        tried.begin()
        requests = _fill_up(tried)
        _stay(tried, full_s)
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(tried.server.process.pid, resource.RLIMIT_FSIZE, unlimited)
        tried.recover()
        done = f"files limited to {limit_mib} MiB, reached after {requests} requests"
        return tried.judge(done, growth_mib=_GROWTH_MIB, log="the disk (is full|reports an error)")


def files_immutable(folder: Path, *, seconds: float) -> Outcome:
    """The database and its log may not be written (``chattr +i``) for a while; needs root and a file system that can.

    Not the shared memory beside them: it is mapped, and the kernel ends (SIGBUS) who writes to a page that it denies.

    Raises:
        PermissionError: it is not permitted here.
    """
    with trial("read-only files", folder) as tried:
        tried.begin()
        files = [str(path) for path in tried.server.data.glob("*.db*") if path.suffix != ".db-shm"]
        try:
            _chattr("+i", files)
            _stay(tried, seconds)
        finally:
            _chattr("-i", files)
        tried.recover()
        return tried.judge(f"files immutable for {seconds:g} s", growth_mib=_GROWTH_MIB, log="read-only|disk reports")


def locked(folder: Path, *, seconds: float, refused: bool) -> Outcome:
    """Another process holds the database's write lock for ``seconds``; ``refused``: longer than requests wait."""
    with trial("database locked", folder) as tried:
        (file,) = tried.server.data.glob("*.db")
        tried.begin()
        with closing(sqlite3.connect(file, isolation_level=None, timeout=5)) as other, Fleet(
            tried.server, tried.ledger, ("protobuf", "grpc", "json")
        ) as fleet:  # fmt: skip
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            answered = tried.ledger.acknowledged_spans
            threading.Event().wait(seconds)
            tried.expect(tried.server.is_ready() or seconds > 20, "the service was not ready though it only waited")
            _none_in_between(tried, answered, since=began)
            other.execute("ROLLBACK")
            tried.recover()
            tried.problems += fleet.rest()
        if refused:
            tried.expect(tried.ledger.answers["503"] > 0, "nobody was told to come again")
        done = f"write lock held for {seconds:g} s, {len(fleet.ways)} exporters"
        return tried.judge(done, growth_mib=_GROWTH_MIB, log="the database is locked" if refused else "")


def unwritable_at_start(folder: Path) -> tuple[int, str]:
    """Start in a data directory that may not be written: the exit status, and what it said.

    Root may write everywhere, so for root the directory is mounted read-only; needs :func:`private_mounts` then.
    """
    config = write_config(folder, {})
    data = folder / "data"
    data.mkdir()
    serve = command("--config", config, "serve")
    if os.geteuid() == 0:
        script = 'mount --bind -o ro "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        serve = [*private_mounts(), "sh", "-c", script, str(data), *serve]
    else:
        data.chmod(0o555)
    try:
        ended = subprocess.run(serve, capture_output=True, text=True, timeout=60, check=False, cwd=folder)
    finally:
        data.chmod(0o755)
    return ended.returncode, ended.stdout + ended.stderr


def starts_in(folder: Path) -> bool:
    """Whether a server can start in ``folder``."""
    server = Server(folder)
    try:
        server.start()
    finally:
        server.kill()
        server.client.close()
    return True


def _fill_up(tried: Trial) -> int:
    """Send until several requests in a row are refused: the number of those that were taken."""
    taken = in_a_row = 0
    while in_a_row < _REFUSALS:
        answer = tried.good(1, _BULK)
        if answer == "acknowledged":
            taken, in_a_row = taken + 1, 0
        else:
            tried.ledger.note(answer)
            in_a_row += 1
            tried.expect(answer == "503", f"without room the answer was {answer}")
        assert taken < 10_000, "the disk never filled up"
    return taken


def _stay(tried: Trial, seconds: float) -> None:
    """Keep sending through the fault: each request must be refused for now, and the API must go on."""
    over = time.monotonic() + seconds
    while time.monotonic() < over:
        answer = tried.good(1, _BULK)
        tried.ledger.note(answer)
        tried.expect(answer == "503", f"during the fault a request was answered {answer}")
    tried.expect(tried.server.get("/healthz") == {"status": "ok"}, "the API did not answer")


def _none_in_between(tried: Trial, answered: int, *, since: float) -> None:
    """What was acknowledged since the lock was taken can only be what was committed just before."""
    late = tried.ledger.acknowledged_spans - answered
    held_s = time.monotonic() - since
    tried.expect(late <= 3 * 20, f"{late} spans were acknowledged while the database was locked for {held_s:.0f} s")


def _chattr(flag: str, files: list[str]) -> None:
    try:
        subprocess.run(["chattr", flag, *files], check=True, capture_output=True, text=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise PermissionError(f"files cannot be made immutable here: {getattr(error, 'stderr', error)}") from None
