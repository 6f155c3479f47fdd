"""What a process and its children use: CPU seconds and resident memory; it starts and ends none."""

from __future__ import annotations

import bisect
import threading
import time
from dataclasses import dataclass, field
from typing import Final, Self

import psutil

MIB: Final = 1 << 20

_SAMPLE_S: Final = 0.1
_LOOK_FOR_CHILDREN_EVERY: Final = 20


def cpu_seconds(pid: int) -> float:
    """User and system time of the process, of its living descendants, and of those that it has waited for."""
    total = 0.0
    for process in _tree(psutil.Process(pid)):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue  # it ended just now, and its parent has the time
        total += times.user + times.system + times.children_user + times.children_system
    return total


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident MiB over time: seconds since the first sample, and the sum over the process and its descendants."""

    at_s: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)

    @property
    def peak_mib(self) -> float:
        """The most that was seen."""
        return max(self.mib, default=0.0)

    def until(self, seconds: float) -> Memory:
        """The samples of the first ``seconds``."""
        count = bisect.bisect_right(self.at_s, seconds)
        return Memory(self.at_s[:count], self.mib[:count])


class MemorySampler:
    """Samples the resident memory of a process every 0.1 s while its context lasts."""

    def __init__(self, pid: int) -> None:
        self.memory = Memory()
        self._process = psutil.Process(pid)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _sample(self) -> None:
        began = time.perf_counter()
        tree = _tree(self._process)
        while True:
            if len(self.memory.mib) % _LOOK_FOR_CHILDREN_EVERY == 0:
                tree = _tree(self._process)
            total = 0
            for process in tree:
                try:
                    total += process.memory_info().rss
                except psutil.Error:
                    continue  # it ended
            self.memory.at_s.append(time.perf_counter() - began)
            self.memory.mib.append(total / MIB)
            if self._end.wait(_SAMPLE_S):
                return


def _tree(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
