"""When steps run: APScheduler jobs that only call ``step(now)``, one at a time each, none queued up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from telemetry.clock import Clock
from telemetry.errors import TailwatchError
from telemetry.windows import NANOS

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A step, the time between its runs, and how many runs may overlap."""

    name: str
    every_ns: int
    step: Callable[[int], object]
    overlapping: int = 1


class Scheduler:
    """Runs jobs on threads until it is stopped."""

    def __init__(self, jobs: tuple[Job, ...], clock: Clock) -> None:
        self._clock = clock
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(sum(job.overlapping for job in jobs))},
            job_defaults={"coalesce": True, "misfire_grace_time": None},
            timezone=UTC,
        )
        for job in jobs:
            self._scheduler.add_job(
                self._run, IntervalTrigger(seconds=job.every_ns / NANOS, timezone=UTC), args=[job], id=job.name,
                name=job.name, max_instances=job.overlapping,
            )  # fmt: skip

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def wake(self, name: str) -> None:
        """Run the job of that name at once, instead of when it is due; does nothing once stopped."""
        if self._scheduler.running:
            self._scheduler.modify_job(name, next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Let running steps end, and begin no more."""
        self._scheduler.shutdown(wait=True)

    def _run(self, job: Job) -> None:
        try:
            job.step(self._clock.now_ns())
        except TailwatchError as error:
            _log.error("%s failed and will be tried again: %s", job.name, error)
        except Exception:  # noqa: BLE001 - a fault of one run must not end the job
            _log.exception("%s failed and will be tried again", job.name)
