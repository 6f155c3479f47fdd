"""A daemon thread that does slow work for callers who wait no longer than they say; refuses to hold a process up.

It exists before it is needed, because Python 3.12 and later start no thread once the interpreter is shutting down,
which is exactly when the last batch is sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from tailwatch_sdk import notices


class _Task:
    """Work to do and what became of it."""

    __slots__ = ("done", "result", "work")

    def __init__(self, work: Callable[[], bool]) -> None:
        self.work = work
        self.result = False
        self.done = threading.Event()


class Worker:
    """Runs one task at a time, in order, on a thread of its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._start()

    def run(self, work: Callable[[], bool], timeout_s: float) -> bool:
        """The task's result if it is done within `timeout_s` seconds, else False (the task goes on)."""
        task = _Task(work)
        self._tasks.put(task)
        return task.done.wait(timeout_s) and task.result

    def stop(self) -> None:
        """Let the thread end after the tasks that it has; does not wait for it."""
        self._tasks.put(None)

    def restart(self) -> None:
        """Begin anew in a forked child, which inherits the queue but not the thread."""
        self._tasks = SimpleQueue()
        self._start()

    def _start(self) -> None:
        threading.Thread(target=self._work, args=(self._tasks,), name=self._name, daemon=True).start()

    @staticmethod
    def _work(tasks: SimpleQueue[_Task | None]) -> None:
        while (task := tasks.get()) is not None:
            try:
                task.result = task.work()
            except Exception as problem:  # noqa: BLE001  # a thread that dies would leave every later caller waiting
                notices.once("worker", "Sending telemetry raised %r.", problem)
            task.done.set()
