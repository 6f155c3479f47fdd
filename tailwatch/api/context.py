"""What every API route may use, handed to it by FastAPI's dependency injection."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from storage.database import Database
from tailwatch.service import Service
from telemetry.clock import Clock
from telemetry.errors import TailwatchError
from telemetry.windows import NANOS

MAX_POINTS = 2000
"""Points of a curve that one answer may hold."""
_MOST_S = 4e9
"""Year 2096; the difference of two times fits 64-bit nanoseconds too."""


@dataclass(frozen=True, slots=True)
class Context:
    """The running service, as the routes see it."""

    service: Service

    @property
    def database(self) -> Database:
        """Where telemetry and counters are."""
        return self.service.database

    @property
    def clock(self) -> Clock:
        """The time."""
        return self.service.clock

    def range_ns(self, start: float | None, end: float | None, *, default_s: float) -> tuple[int, int]:
        """A range of time in ns from seconds since the epoch; without bounds the last ``default_s`` seconds.

        Raises:
            TailwatchError: the range is empty or not finite.
        """
        end_ns = self.clock.now_ns() + NANOS if end is None else _ns(end, "end")
        start_ns = end_ns - round(default_s * NANOS) if start is None else _ns(start, "start")
        if start_ns >= end_ns:
            raise TailwatchError("start is not before end", where="start", remedy="give seconds since the epoch")
        return start_ns, end_ns

    def step_ns(self, step: float | None, start_ns: int, end_ns: int, *, least_ns: int) -> int:
        """Width of a curve's points in ns, a multiple of ``least_ns``; by default about 120 points.

        Raises:
            TailwatchError: the step gives more points than one answer may hold.
        """
        wanted = (end_ns - start_ns) // 120 if step is None else _ns(step, "step")
        width = max(1, -(-wanted // least_ns)) * least_ns
        if (end_ns - start_ns) // width > MAX_POINTS:
            raise TailwatchError(
                f"a step of {width / NANOS:g} s gives more than {MAX_POINTS} points", where="step",
                remedy="take a larger step or a shorter range",
            )  # fmt: skip
        return width


def context(request: Request) -> Context:
    """The dependency: the context that ``create_app`` was given."""
    found: Context = request.app.state.context
    return found


def _ns(seconds: float, name: str) -> int:
    if not abs(seconds) < _MOST_S:
        raise TailwatchError(f"{seconds} is not a time", where=name, remedy="give seconds, times since the epoch")
    return round(seconds * NANOS)
