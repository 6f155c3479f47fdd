"""What a kind of SLI says about itself. It holds no kind: each is one module beside this, listed in ``registry``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal, Protocol, Self

from detectors.slo.kinds.values import Values
from detectors.slo.shapes import Key
from detectors.slo.slices import Slices
from telemetry.matchers import Matchers
from telemetry.rules import RollupRule

UNCOUNTED: Final = MappingProxyType({"counted": False})
"""Metadata of a field that decides nothing about what is counted: history goes on when it changes."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What lint says about ``key`` of an SLI (or about the SLI, when empty)."""

    key: str
    severity: Literal["error", "warning"]
    message: str
    remedy: str


class Sli(Protocol):
    """What a good event, or a good slice of time, is.

    A kind is a frozen dataclass with these members, alone in ``detectors/slo/kinds/<kind>.py`` and named in
    ``registry.py``; nothing else knows it by name. Its fields are its meaning: they make the id of its rules
    (:func:`detectors.slo.compile.rule_id`), under which its history is stored, so a field that is added later must not
    change the id of what was written before. Fields that judge what is counted, or only show it, are ``UNCOUNTED``.

    A kind that counts events has ``slice_ns = None``, one rule whose predicate tells the good ones
    (:mod:`telemetry.rules`), and no ``slices``. A kind that judges slices of time has their length in ``slice_ns`` and
    gives a book of them in ``slices``: it takes in what it judges (distributions, gauges, arrivals), and its verdicts
    are counted like events.
    """

    kind: ClassVar[str]
    """Its key under ``sli``."""
    keys: ClassVar[tuple[Key, ...]]
    """The keys of its mapping; where none is required, the mapping may be left empty."""
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def slice_ns(self) -> int | None:
        """Length of the slices of time that it judges; None when it counts events."""
        ...

    @classmethod
    def read(cls, values: Values) -> Self | None:
        """The SLI as written; None when a value has a problem, which ``values`` has noted."""
        ...

    def rules(self, rule: str, where: Matchers, per: tuple[str, ...]) -> tuple[RollupRule, ...]:
        """What the collector counts for it: first the SLI itself under the id ``rule``, then what is counted beside.

        Empty when it needs nothing from the collector.
        """
        ...

    def slices(self, rule: str) -> Slices | None:
        """A new book of its slices, whose verdicts are deltas of ``rule``; None when it counts events."""
        ...

    def complaint(self, share: str, whose: str) -> str:
        """What is wrong, in words.

        Args:
            share: how much of it: ``5 % of`` or ``all``.
            whose: the group, as `` of tenant=acme``; empty when there is one group only.
        """
        ...

    def facts(self) -> Mapping[str, Any]:
        """What defines it, for people and as JSON: measure, bound, unit."""
        ...

    def lint(self, error_budget: float) -> Iterator[Remark]:
        """What it says correctly but cannot mean, given the share ``error_budget`` that may be bad."""
        ...
