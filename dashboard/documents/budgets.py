"""The service's JSON documents about budgets to come and budgets corrected, as typed values."""

from __future__ import annotations

from pydantic import Field

from dashboard.documents.document import Document


class FanPoint(Document):
    """What may be left of a budget at one time: between `low` and `high`."""

    t: float
    low: float
    median: float
    high: float


class Change(Document):
    """The level of bad events is another since `since`: `times` what it was."""

    probability: float
    since: float
    times: float


class Forecast(Document):
    """What may become of a budget; without `enough_data` only the `sentence` is there."""

    enough_data: bool
    sentence: str
    horizon: float | None = None
    window_end: float | None = None
    history_s: float | None = None
    seasonality: str = ""
    change: Change | None = None
    fan: list[FanPoint] = Field(default_factory=list)


class Cancellation(Document):
    """Who took a correction back, and why."""

    author: str
    reason: str
    at: float


class Correction(Document):
    """A time that counts in no budget of the SLOs named, or of those that match."""

    id: int
    start: float
    end: float
    slos: list[str] = Field(default_factory=list)
    matchers: list[str] = Field(default_factory=list)
    author: str
    reason: str
    cancelled: Cancellation | None = None


class Corrections(Document):
    """Every correction, the newest first."""

    corrections: list[Correction]
