"""Scrapes targets when they are due and commits what they say, each on its own: none waits for another.

What was scraped is committed directly and not through the intake: the intake's queue holds requests whose senders
wait for an answer and come again, whereas a scrape that cannot be stored is made up for by the next one. At most one
scrape a target is on its way, so memory stays bounded. A scrape claims the digest of its job, address and turn in
the transaction that stores it: of several collectors with the same targets, one stores each turn.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from collector.committer import Commit
from collector.metrics.decode import DecodedMetrics
from collector.metrics.places import SeriesPlaces
from collector.scrape.exposition import Scraped, ScrapeError, gauge_of, read_exposition
from collector.scrape.fetch import Fetch
from collector.scrape.targets import Target
from storage.ingest import PreparedPayload, RepeatedError
from telemetry.errors import TailwatchError
from telemetry.points import MetricPoint

_MOST_THREADS: Final = 32
"""Scrapes under way at once; more targets than this that hang together delay the others by their timeout."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """How the last scrape of a target went; ``problem`` is empty when it went well, None before the first."""

    target: Target
    scraped_ns: int | None = None
    samples: int = 0
    rejected: int = 0
    duration_s: float = 0.0
    problem: str | None = None


@dataclass(slots=True)
class _Place:
    """A target, the last turn that was begun, what is under way, and how the last one went."""

    target: Target
    phase_ns: int
    turn: int = -1
    running: Future[None] | None = None
    status: TargetStatus | None = None

    def due(self, now_ns: int) -> int:
        """The turn that it is by now: turns are a time apart, and the same for every collector."""
        return (now_ns - self.phase_ns) // self.target.interval_ns


class Scraper:
    """Scrapes ``targets`` by ``fetch`` and stores by ``commit``; ``step`` may be called as often as one likes."""

    def __init__(self, targets: Sequence[Target], fetch: Fetch, commit: Commit, places: SeriesPlaces) -> None:
        self._fetch = fetch
        self._commit = commit
        self._series = places
        self._places = [_Place(target, _phase(target)) for target in targets]
        self._threads = ThreadPoolExecutor(
            max(1, min(_MOST_THREADS, len(targets))), thread_name_prefix="tailwatch-scrape"
        )

    def step(self, now_ns: int) -> None:
        """Begin to scrape the targets whose turn has come, but for those whose last scrape is still under way."""
        for place in self._places:
            turn = place.due(now_ns)
            if turn > place.turn and (place.running is None or place.running.done()):
                place.turn = turn
                place.running = self._threads.submit(self._scrape, place, turn, now_ns)

    def settle(self) -> None:
        """Wait until nothing is under way."""
        wait([place.running for place in self._places if place.running is not None])

    def close(self) -> None:
        """Let what is under way end, and begin no more."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def statuses(self) -> list[TargetStatus]:
        """Every target, in the order of the file."""
        return [place.status or TargetStatus(place.target) for place in self._places]

    def _scrape(self, place: _Place, turn: int, now_ns: int) -> None:
        target, began = place.target, time.monotonic()
        scraped, problem = Scraped(DecodedMetrics(), 0), ""
        try:
            answer = self._fetch(target)
            scraped = read_exposition(answer.text, openmetrics=answer.openmetrics, target=target, time_ns=now_ns)
        except ScrapeError as error:
            problem = str(error)
        except Exception:  # noqa: BLE001  # a fault of ours is told, too, and must not end the scraping of the target
            _log.exception("the scrape of %s failed", target.url)
            problem = "the scrape failed inside Tailwatch. See its log"
        placed = list(chain.from_iterable(self._series.admit(scraped.decoded, now_ns)))
        status = TargetStatus(
            target, now_ns, scraped.samples, scraped.decoded.report.rejections.total, time.monotonic() - began, problem
        )
        placed += _about(status)
        self._note(place, replace(status, problem=self._store(target, turn, placed) or problem))

    def _store(self, target: Target, turn: int, points: Sequence[MetricPoint]) -> str:
        """Commit the points; why they are lost, or nothing."""
        try:
            self._commit([PreparedPayload((_digest(target, turn),), points=tuple(points))])
        except RepeatedError:
            return ""  # another collector stored this turn
        except TailwatchError as error:
            return f"what was scraped could not be stored: {error}"
        return ""

    def _note(self, place: _Place, status: TargetStatus) -> None:
        """Keep the status, and log it when it is another one than before."""
        before = place.status.problem if place.status is not None else ""
        place.status = status
        if status.problem and not before:
            _log.warning("the target %s of job %s is down: %s", status.target.url, status.target.job, status.problem)
        elif before and not status.problem:
            _log.info("the target %s of job %s is up again", status.target.url, status.target.job)


def _about(status: TargetStatus) -> list[MetricPoint]:
    """What Prometheus says about a scrape, too; ``up`` is 1 when it could be read."""
    about = {
        "up": 0.0 if status.problem else 1.0,
        "scrape_duration_seconds": status.duration_s,
        "scrape_samples_scraped": float(status.samples),
        "scrape_samples_rejected": float(status.rejected),
    }
    assert status.scraped_ns is not None
    return [gauge_of(status.target, name, status.scraped_ns, value) for name, value in about.items()]


def _phase(target: Target) -> int:
    """Where within its interval a target is scraped, so that targets are not all scraped at once."""
    number = int.from_bytes(hashlib.blake2b(_identity(target), digest_size=8).digest(), "big")
    return number % target.interval_ns


def _digest(target: Target, turn: int) -> bytes:
    return hashlib.blake2b(_identity(target) + str(turn).encode(), digest_size=16, person=b"scrape").digest()


def _identity(target: Target) -> bytes:
    return f"{target.job}\n{target.url}\n{target.interval_ns}\n".encode()
