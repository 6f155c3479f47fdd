"""Threads that call torch; they yield the processor to the API and to the collector beside them."""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor

_NICENESS = 2
"""Linux weighs a thread of niceness 2 at two thirds of a normal one, and only where processors are short."""


def become_background() -> None:
    """Lowers the calling thread's priority where the system can do that for one thread (Linux)."""
    if os.name == "posix" and hasattr(os, "PRIO_PROCESS"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def compute_executor(name: str) -> ThreadPoolExecutor:
    """An executor of one background thread: models are called from one thread each."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=name, initializer=become_background)
