"""What alerting is to people: how quickly they answer, how much they are told, and what never reached them."""

from __future__ import annotations

from pydantic import Field

from dashboard.documents.document import Document


class Times(Document):
    """How long something took, in seconds."""

    count: int
    mean_s: float
    median_s: float
    p90_s: float


class FiguresOf(Document):
    """How quickly the incidents of one service, severity or SLO were answered and ended."""

    name: str
    incidents: int
    withdrawn: int
    open: int
    unacknowledged: int
    to_acknowledge: Times | None = None
    to_resolve: Times | None = None


class Figures(Document):
    """How quickly incidents were answered and ended."""

    all: FiguresOf
    by_service: list[FiguresOf]
    by_severity: list[FiguresOf]
    by_slo: list[FiguresOf]


class NoiseBudget(Document):
    """How much a receiver shall be told at most a day."""

    pages_per_day: int | None = None
    notifications_per_day: int | None = None


class ReceiverNoise(Document):
    """What one receiver was told, and of how much somebody acted on it."""

    receiver: str
    notifications: int
    pages: int
    per_day: float
    pages_per_day: float
    busiest_day: str = ""
    busiest: int = 0
    incidents: int
    acted_on: int
    last_day: int
    last_day_pages: int
    budget: NoiseBudget | None = None
    days_over: list[str] = Field(default_factory=list)
    over: bool = False


class SloNoise(Document):
    """The incidents of one SLO, and what to do about it if it cries wolf."""

    slo: str
    service: str = ""
    incidents: int
    ended: int
    acted_on: int
    by_themselves: int
    withdrawn: int
    returns: int
    notifications: int
    median_s: float | None = None
    cries_wolf: bool
    advice: list[str] = Field(default_factory=list)


class Noise(Document):
    """How much people were told, and how much of it was worth it."""

    averaged_since: float | None = None
    receivers: list[ReceiverNoise]
    slos: list[SloNoise]


class Undelivered(Document):
    """A notification that was given up, and why; nothing later has told its receiver what it said."""

    id: int
    incident: str
    receiver: str
    reason: str
    error: str | None = None
    attempts: int = 0
    given_up_at: float


class UndeliveredList(Document):
    """What was given up, the latest first."""

    undelivered: list[Undelivered]


class Retried(Document):
    """What is tried again."""

    retried: list[Undelivered]
