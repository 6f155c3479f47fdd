"""Silences and the alerts that they keep quiet, in Alertmanager's words, and the times when routes are muted."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, RootModel

from dashboard.documents.document import Document, Labels


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
