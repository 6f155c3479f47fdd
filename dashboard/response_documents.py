"""The service's JSON documents about silences, mute times and what alerting is to people, as typed values."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, RootModel

from dashboard.documents import Document, Labels

# --- silences, in Alertmanager's words ------------------------------------------------------------------


class SilenceMatcher(Document):
    """A condition on one label."""

    name: str
    value: str
    isRegex: bool = False  # noqa: N815 - Alertmanager's name
    isEqual: bool = True  # noqa: N815


class SilenceStatus(Document):
    """Whether a silence is yet to come, in force, or over."""

    state: Literal["active", "pending", "expired"]


class Silence(Document):
    """Alerts that every matcher accepts tell nobody from `startsAt` until `endsAt`."""

    id: str
    status: SilenceStatus
    matchers: list[SilenceMatcher]
    startsAt: datetime  # noqa: N815
    endsAt: datetime  # noqa: N815
    createdBy: str = ""  # noqa: N815
    comment: str = ""


class Silences(RootModel[list[Silence]]):
    """Every silence, those that have ended recently too."""


class AlertStatus(Document):
    """What keeps an alert quiet."""

    state: str = ""
    silencedBy: list[str] = Field(default_factory=list)  # noqa: N815
    inhibitedBy: list[str] = Field(default_factory=list)  # noqa: N815
    mutedBy: list[str] = Field(default_factory=list)  # noqa: N815


class FiringAlert(Document):
    """An alert that fires, whether or not anybody is told."""

    labels: Labels = Field(default_factory=dict)
    annotations: Labels = Field(default_factory=dict)
    startsAt: datetime  # noqa: N815
    status: AlertStatus = AlertStatus()


class FiringAlerts(RootModel[list[FiringAlert]]):
    """The alerts that fire now."""


class SilenceMade(Document):
    """The id of a silence that was made or changed."""

    silenceID: str  # noqa: N815


class MutedRoute(Document):
    """A node of the route tree, by its path."""

    path: str
    receiver: str


class Mute(Document):
    """A recurring time: routes it `mutes` tell nobody within it, those limited to it (`only`) nobody outside."""

    name: str
    effect: Literal["mutes", "only"]
    quiet: bool
    starts: float | None = None
    ends: float | None = None
    zones: list[str] = Field(default_factory=list)
    routes: list[MutedRoute] = Field(default_factory=list)


class Mutes(Document):
    """Every recurring time that a route uses."""

    mutes: list[Mute]


# --- figures and noise ------------------------------------------------------------------------------------


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

    receivers: list[ReceiverNoise]
    slos: list[SloNoise]


# --- notifications that were given up ---------------------------------------------------------------------


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
