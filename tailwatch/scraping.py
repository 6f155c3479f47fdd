"""Scraping as the service runs it: nothing is loaded and nothing done where no target is configured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from collector.committer import Commit
from collector.metrics.places import SeriesPlaces
from collector.scrape.targets import Target

if TYPE_CHECKING:
    from collector.scrape.fetch import HttpFetch
    from collector.scrape.scraper import Scraper, TargetStatus


class Scraping:
    """The scraper and its connections, or nothing."""

    def __init__(self, targets: Sequence[Target], commit: Commit, places: SeriesPlaces) -> None:
        self._fetch: HttpFetch | None = None
        self._scraper: Scraper | None = None
        if targets:
            from collector.scrape.fetch import HttpFetch  # noqa: PLC0415 - httpx takes 0.1 s to import
            from collector.scrape.scraper import Scraper  # noqa: PLC0415 - it imports the former

            self._fetch = HttpFetch()
            self._scraper = Scraper(targets, self._fetch, commit, places)

    def step(self, now_ns: int) -> None:
        """Begin to scrape what is due."""
        if self._scraper is not None:
            self._scraper.step(now_ns)

    def statuses(self) -> list[TargetStatus]:
        """How the last scrape of each target went."""
        return self._scraper.statuses() if self._scraper is not None else []

    def close(self) -> None:
        """Let what is under way end, and begin no more."""
        if self._scraper is not None and self._fetch is not None:
            self._scraper.close()
            self._fetch.close()
