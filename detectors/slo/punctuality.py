"""How old what services send is when it is read, and whether that is unusual for them; it looks at no clock.

A service is late when what it last sent is older than what it usually sends: a queue between it and us is being worked
off, say. What it counted is then a picture of the past, and its silence since is not known yet.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from telemetry.windows import BUCKET_NS, NANOS

SLACK_NS: Final = 60 * NANOS
"""How much older than usual is late."""
_HEARD_NS: Final = 300 * NANOS
"""How long after it was last heard a service still counts as heard."""
_SAMPLE_NS: Final = 10 * NANOS
_SAMPLES: Final = 360
"""The usual delay is the median of the last hour in which the service was heard."""


@dataclass(slots=True)
class _Source:
    newest_ns: int = -1
    heard_ns: int = -1
    delay_ns: int = 0
    """How old the newest event was when the service was last heard."""
    sampled_ns: int = -1
    delays_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_SAMPLES))


class Punctuality:
    """The delays of services."""

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}

    def hear(self, service: str, bucket_ns: int, now_ns: int) -> None:
        """Know that events of the bucket from ``bucket_ns`` on were read at ``now_ns``."""
        source = self._sources.setdefault(service, _Source())
        source.newest_ns = max(source.newest_ns, bucket_ns + BUCKET_NS)
        source.heard_ns = now_ns
        source.delay_ns = max(0, now_ns - source.newest_ns)
        if now_ns - source.sampled_ns >= _SAMPLE_NS:
            source.sampled_ns = now_ns
            source.delays_ns.append(source.delay_ns)
        else:
            source.delays_ns[-1] = source.delay_ns

    def late(self, now_ns: int) -> frozenset[str]:
        """The services that were heard lately, but of nothing as new as usual."""
        return frozenset(
            service
            for service, source in self._sources.items()
            if now_ns - source.heard_ns <= _HEARD_NS and source.delay_ns > median(source.delays_ns) + SLACK_NS
        )
