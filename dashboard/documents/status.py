"""What the service says of its own health: its configuration, its detectors, its limits and its receivers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dashboard.documents.document import Document


class LastEvaluation(Document):
    """When the detectors last ran and how long they took."""

    at: float
    duration_s: float | None = None


class Overflow(Document):
    """Events beyond a cardinality limit; `slo` is null for the service series."""

    slo: str | None = None
    events: int
    limit: int
    what: str = ""
    remedy: str = ""


class ConfigProblem(Document):
    """A fault in a file of the user's; `line` is 0 for the file as a whole."""

    file: str
    line: int = 0
    field: str = ""
    message: str
    remedy: str = ""


class Config(Document):
    """Whether what is in force is what the files say; times in seconds, `failing_since` null while it is."""

    in_force_since: float | None = None
    failing_since: float | None = None
    problems: list[ConfigProblem] = Field(default_factory=list)


class Delivery(Document):
    """How telling one receiver stands: `undelivered` counts what was given up and nothing later has made good."""

    receiver: str
    undelivered: int = 0


class Status(Document):
    """Health of the service itself; `now` is the service's clock, which every page uses as the present."""

    version: str = ""
    started_at: float | None = None
    now: float
    database: str = ""
    counters: dict[str, Any] = Field(default_factory=dict)
    config_problems: list[Any] = Field(default_factory=list)
    config: Config = Field(default_factory=Config)
    database_problem: str | None = None
    overflow: list[Overflow] = Field(default_factory=list)
    receivers: list[Delivery] | None = None
    last_evaluation: LastEvaluation | None = None
