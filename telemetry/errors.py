"""The tree of errors that Tailwatch raises on purpose; it holds no handling.

Every message says what is wrong, where, and what to do about it, so that an edge (CLI, HTTP, log) can show
it as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class TailwatchError(Exception):
    """Base of everything raised on purpose: ``what`` is wrong, ``where``, and the ``remedy``."""

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """The error as one line: ``where: what. remedy``."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head.rstrip('.')}. {self.remedy}" if self.remedy else head


class ConfigError(TailwatchError):
    """Settings or a configuration file cannot be used."""


class MatcherError(TailwatchError):
    """A label matcher cannot be parsed."""


class DurationError(TailwatchError):
    """A duration cannot be parsed."""


class StorageError(TailwatchError):
    """The database cannot be used."""


class SchemaError(StorageError):
    """The database was written by a newer Tailwatch."""


class PayloadError(TailwatchError):
    """A request body cannot be accepted; ``status`` is the HTTP status that says why."""

    def __init__(self, what: str, *, status: int, where: str = "", remedy: str = "") -> None:
        self.status = status
        super().__init__(what, where=where, remedy=remedy)


class AccessError(TailwatchError):
    """A request may not come: ``status`` is 401 (who is it?) or 403 (not this one); ``challenge`` says what would help.

    ``challenge`` is the value of WWW-Authenticate, and empty where no token would change anything.
    """

    def __init__(self, what: str, *, status: int, where: str = "", remedy: str = "", challenge: str = "") -> None:
        self.status = status
        self.challenge = challenge
        super().__init__(what, where=where, remedy=remedy)


class OverloadedError(TailwatchError):
    """The intake is full; the sender should come again after ``retry_after_s`` seconds."""

    def __init__(self, what: str, *, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(what, remedy=f"retry after {retry_after_s:g} s")


class NotFoundError(TailwatchError):
    """Something was asked for by a name or id that does not exist."""


class ConflictError(TailwatchError):
    """Something was asked for that the present state does not allow."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a user's file: what is wrong, where, and the remedy.

    ``line`` is 1-based, 0 for the file as a whole; ``field`` is dotted, and empty where no field is at fault.
    """

    file: str
    line: int
    field: str
    message: str
    remedy: str
    severity: str = "error"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        field = f" {self.field}:" if self.field else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{place}:{field} {self.message}{remedy}"


class FileProblemsError(ConfigError):
    """Every fault found in the user's files, reported at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
