"""Knows requests again by their digests, on their way and for a while after; the database has the last word.

An exporter that waits too long for an answer sends the same bytes again. Here a repeat costs a look, and no decoding.
"""

from __future__ import annotations

import threading
from typing import Final, Literal

from collector.request import Job

_REMEMBERED: Final = 16_384
"""Digests kept after their commit; some megabytes, and many minutes at full speed."""

Sight = Literal["new", "on the way", "committed"]


class Repeats:
    """The digests in sight; its methods may be called from any thread."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._lock = threading.Lock()
        self._on_the_way: dict[bytes, list[Job]] = {}
        self._committed: dict[bytes, None] = {}

    def enter(self, digest: bytes, job: Job) -> Sight:
        """What is known of ``digest``, which ``job`` brings; as a follower, ``job`` is handed out by ``leave``."""
        with self._lock:
            if digest in self._committed:
                return "committed"
            followers = self._on_the_way.get(digest)
            if followers is not None:
                followers.append(job)
                return "on the way"
            self._on_the_way[digest] = []
            return "new"

    def leave(self, digest: bytes, *, committed: bool) -> list[Job]:
        """The request with ``digest`` was answered; the jobs that are to be answered likewise."""
        with self._lock:
            if committed:
                self._committed[digest] = None
                if len(self._committed) > self._remembered:
                    del self._committed[next(iter(self._committed))]
            return self._on_the_way.pop(digest, [])
