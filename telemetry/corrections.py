"""Budget corrections: spans of time in which what an SLO counts is no fault of the service. They exclude nothing alone.

A correction names SLOs, or matches ``slo``, ``service`` and the labels of a budget's group; while it is active, the
events of its time count neither good nor bad. It is never changed and never deleted: it can be cancelled, once, and
who did what, when and why stays readable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from telemetry.errors import TailwatchError
from telemetry.matchers import Matchers, parse_matchers
from telemetry.windows import NANOS

LATEST_NS: Final = 4_000_000_000 * NANOS
"""Year 2096: times beyond it are mistakes of unit."""
LONGEST_TEXT: Final = 2_000


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Who ended a correction, when and why."""

    author: str
    reason: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class NewCorrection:
    """What somebody asks for.

    Attributes:
        start_ns, end_ns: the time that does not count, past or to come.
        slos: names of SLOs; empty for all that the matchers accept.
        matchers: on ``slo``, ``service`` and the labels of the group; empty for all groups of the named SLOs.
        author, reason: who excludes it and why.
    """

    start_ns: int
    end_ns: int
    slos: tuple[str, ...]
    matchers: Matchers
    author: str
    reason: str

    @classmethod
    def checked(
        cls, *, start_ns: int, end_ns: int, slos: Iterable[str], matchers: Iterable[str], author: str, reason: str
    ) -> NewCorrection:
        """The same from texts.

        Raises:
            TailwatchError: it says nothing of whom it is for, ends before it begins, or has no author or reason.
            MatcherError: a text is not a matcher.
        """
        names = tuple(dict.fromkeys(slos))
        parsed = parse_matchers(matchers)
        if not names and not parsed.items:
            raise TailwatchError(
                "the correction names no SLO and has no matchers", where="slos",
                remedy='name SLOs, or write matchers such as service="chat"',
            )  # fmt: skip
        if not 0 <= start_ns < end_ns:
            raise TailwatchError("the correction ends before it begins", where="end", remedy="give an end after start")
        if end_ns > LATEST_NS:
            raise TailwatchError("the end is beyond the year 2096", where="end", remedy="give seconds since the epoch")
        return cls(start_ns, end_ns, names, parsed, told("author", author), told("reason", reason))

    def about(self, slo: str, service: str) -> bool:
        """Whether it may be about a budget of this SLO, as far as name and service tell."""
        known = {"slo": slo, "service": service}
        named = Matchers(tuple(item for item in self.matchers.items if item.name in known))
        return (not self.slos or slo in self.slos) and named.accepts(known)

    def covers(self, slo: str, service: str, group: Mapping[str, str]) -> bool:
        """Whether it is about this budget."""
        if self.slos and slo not in self.slos:
            return False
        return self.matchers.accepts({**group, "slo": slo, "service": service})


@dataclass(frozen=True, slots=True)
class Correction:
    """One that was stored, as number ``id``, and when; ``cancelled`` once somebody has taken it back."""

    id: int
    asked: NewCorrection
    created_ns: int
    cancelled: Cancellation | None = None

    @property
    def active(self) -> bool:
        """Whether its time is excluded, now or when it comes."""
        return self.cancelled is None

    def to_json(self) -> dict[str, Any]:
        """The correction as the API shows it: times in seconds since the epoch."""
        asked, cancelled = self.asked, self.cancelled
        return {
            "id": self.id, "start": asked.start_ns / NANOS, "end": asked.end_ns / NANOS, "slos": list(asked.slos),
            "matchers": [str(matcher) for matcher in asked.matchers.items], "author": asked.author,
            "reason": asked.reason, "created_at": self.created_ns / NANOS,
            "cancelled": None if cancelled is None else {
                "author": cancelled.author, "reason": cancelled.reason, "at": cancelled.at_ns / NANOS,
            },
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change: ``action`` is ``created`` or ``cancelled``."""

    at_ns: int
    action: str
    correction: int
    author: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """The entry as the API shows it."""
        return {
            "at": self.at_ns / NANOS, "action": self.action, "correction": self.correction, "author": self.author,
            "reason": self.reason,
        }  # fmt: skip


def audit(corrections: Iterable[Correction]) -> list[AuditEntry]:
    """Every change that was ever made, oldest first."""
    entries = []
    for one in corrections:
        entries.append(AuditEntry(one.created_ns, "created", one.id, one.asked.author, one.asked.reason))
        if one.cancelled is not None:
            made = one.cancelled
            entries.append(AuditEntry(made.at_ns, "cancelled", one.id, made.author, made.reason))
    return sorted(entries, key=lambda entry: (entry.at_ns, entry.correction, entry.action == "cancelled"))


def told(name: str, text: str) -> str:
    """``text`` without space around it.

    Raises:
        TailwatchError: nothing is left, or it is longer than anybody would read.
    """
    text = text.strip()
    if not 0 < len(text) <= LONGEST_TEXT:
        raise TailwatchError(
            f"the {name} is empty or longer than {LONGEST_TEXT} characters", where=name,
            remedy="say who and why: whoever reads the budget later must understand it",
        )  # fmt: skip
    return text
