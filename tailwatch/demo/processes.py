"""The demo's child processes: started, watched until they answer, and ended together, whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil

from telemetry.errors import TailwatchError

_GRACE_S = 10.0


class ProcessFailedError(TailwatchError):
    """A part of the demo did not start, or ended."""


class Processes:
    """Child processes by name, each with a log file; leaving the context ends them all, the last started first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A second Ctrl-C out of impatience must not leave children behind; each is killed after its grace.
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)
        for child in reversed(self._children.values()):
            _end(child)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start ``command`` in a process group of its own, its output going to ``<name>.log``.

        A group of its own keeps Ctrl-C from reaching the children before the demo has told them to drain.
        """
        with self.log(name).open("wb") as log:
            self._children[name] = subprocess.Popen(  # noqa: S603 - our own modules
                list(command), stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**os.environ, **environment}, start_new_session=True,
            )  # fmt: skip

    def log(self, name: str) -> Path:
        """Where the output of ``name`` goes."""
        return self._folder / f"{name}.log"

    def check(self) -> None:
        """Raise when a child has ended.

        Raises:
            ProcessFailedError: with the last lines of its log.
        """
        for name, child in self._children.items():
            if child.poll() is not None:
                tail = self.log(name).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
                raise ProcessFailedError(
                    f"{name} ended with status {child.returncode}: " + " / ".join(tail or ["no output"]),
                    remedy=f"read {self.log(name)}",
                )

    def wait_ready(self, name: str, url: str, *, timeout_s: float, waiting: Callable[[], None]) -> None:
        """Wait until ``url`` answers 200, calling ``waiting`` between tries.

        Raises:
            ProcessFailedError: the child ended, or did not answer in time.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.check()
            try:
                if httpx.get(url, timeout=1.0).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass  # not listening yet
            waiting()
            time.sleep(0.1)
        raise ProcessFailedError(f"{name} was not ready after {timeout_s:g} s", remedy=f"read {self.log(name)}")

    def memory_mib(self) -> float:
        """Resident memory of all children and of this process, in MiB."""
        total = psutil.Process().memory_info().rss
        for child in self._children.values():
            try:
                family = psutil.Process(child.pid)
                total += sum(one.memory_info().rss for one in [family, *family.children(recursive=True)])
            except psutil.NoSuchProcess:
                continue
        return total / 2**20


def free_port(preferred: int) -> int:
    """``preferred`` when nothing listens there, else any free port of the loopback."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise TailwatchError("no free port on 127.0.0.1", remedy="end some of the programs that listen there")


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    try:
        child.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
