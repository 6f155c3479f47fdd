"""When steps run: APScheduler jobs that only call ``step(now)``, one at a time each, none queued up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from telemetry.clock import Clock
from telemetry.errors import TailwatchError
from telemetry.windows import NANOS

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A step and the time between its runs."""

    name: str
    every_ns: int
    step: Callable[[int], object]


class Scheduler:
    """Runs jobs on threads until it is stopped."""

    def __init__(self, jobs: tuple[Job, ...], clock: Clock) -> None:
        self._clock = clock
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(len(jobs))},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for job in jobs:
            self._scheduler.add_job(
                self._run, IntervalTrigger(seconds=job.every_ns / NANOS), args=[job], id=job.name, name=job.name
            )

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

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
