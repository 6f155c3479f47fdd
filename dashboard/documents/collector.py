"""The service's JSON documents about its collector, as typed values: rates, refusals, senders' clocks, collectors."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dashboard.documents.document import Document
from dashboard.documents.status import Status


class RatePoint(Document):
    """Records per second up to `t`."""

    t: float
    records_per_s: float | None = None


class Rates(Document):
    """How fast telemetry came in over the last `over_s` seconds; null before that is known."""

    over_s: float = 0
    requests_per_s: float | None = None
    records_per_s: float | None = None
    bytes_per_s: float | None = None
    history: list[RatePoint] = Field(default_factory=list)


class Queue(Document):
    """Bytes of requests on their way to a commit, and how many there may be."""

    held_bytes: int = 0
    capacity_bytes: int = 0


class Rejected(Document):
    """Records refused for one reason."""

    reason: str
    text: str = ""
    records: int


class Collector(Document):
    """A process that counts into the service's database; `this` is the one that answers."""

    id: str
    host: str = ""
    pid: int = 0
    version: str = ""
    started_at: float
    last_seen: float
    this: bool = False
    rules: int = 0
    lacks: list[str] = Field(default_factory=list)


class Decoder(Document):
    """How bodies are decoded: `state` is ready, compiling, cold or unavailable."""

    state: str
    text: str = ""


class CollectorStatus(Status):
    """What the status says about the collector."""

    counters: dict[str, Any] = Field(default_factory=dict)
    rates: Rates = Rates()
    queue: Queue = Queue()
    rejected: list[Rejected] = Field(default_factory=list)
    collectors: list[Collector] = Field(default_factory=list)
    decoder: Decoder | None = None
    database_bytes: int | None = None

    def counter(self, name: str) -> int:
        """One of the counters since the start; 0 when the service does not have it."""
        value = self.counters.get(name, 0)
        return int(value) if isinstance(value, int | float) else 0


class Source(Document):
    """A sender and its clock: ahead by at least `ahead_s`; behind, or its data late, by at most `lag_min_s`."""

    service: str
    instance: str = ""
    last_seen: float
    batches: int = 0
    lag_min_s: float
    lag_median_s: float
    ahead_s: float = 0
    concern: Literal["ahead", "behind_or_late"] | None = None


class Sources(Document):
    """Everyone who sent telemetry to the collector lately."""

    sources: list[Source]
