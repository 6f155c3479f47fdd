"""What an evaluation knows beyond the counts, so that another can go on with it; it neither counts nor stores.

The counts of the last six hours bring most of it back: how errors cluster is learnt over a longer time, alarms stay
good for days, and which alerts held is not in the counts at all. What is kept is the evidence as it was an hour before,
which no late event changes any more: from there on the counts say the same again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.slo.layout import Layout

Key = tuple[str, str]
"""Id of an SLO's rule, and the canonical text of one of its groups."""
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of the groups of one layout.

    Attributes:
        layout: what their arithmetic depends on, see :func:`identity`; under another the arrays mean nothing.
        groups: keys of the groups.
        at_ns: when it was known.
        settled_ns: up to when the evidence has taken the counts in.
        evidence: the evidence at that time, arrays whose first axis is the group; empty without a test.
        alerts: when the alerts held, and the error budget of each group, by which all this was judged, likewise.
    """

    layout: str
    groups: Sequence[Key]
    at_ns: int
    settled_ns: int
    evidence: Arrays
    alerts: Arrays

    def of(self, known: Collection[Key]) -> Memory:
        """What is known of these groups alone."""
        mine = [i for i, key in enumerate(self.groups) if key in known]
        where = np.asarray(mine, dtype=np.intp)
        return Memory(
            self.layout, [self.groups[i] for i in mine], self.at_ns, self.settled_ns,
            {name: array[where] for name, array in self.evidence.items()},
            {name: array[where] for name, array in self.alerts.items()},
        )  # fmt: skip


def identity(layout: Layout) -> str:
    """A name of ``layout`` that is the same in every process."""
    return hashlib.sha256(repr(layout).encode()).hexdigest()[:32]


def joined(memories: Iterable[Memory]) -> list[Memory]:
    """One a layout: those that are settled at the same time as the largest of it, together with it."""
    by_layout: dict[str, Memory] = {}
    for memory in sorted(memories, key=lambda one: -len(one.groups)):
        known = by_layout.setdefault(memory.layout, memory)
        if known is not memory and memory.settled_ns == known.settled_ns:
            by_layout[memory.layout] = replace(
                known, groups=[*known.groups, *memory.groups],
                evidence=_concatenated(known.evidence, memory.evidence),
                alerts=_concatenated(known.alerts, memory.alerts),
            )  # fmt: skip
    return list(by_layout.values())


def _concatenated(some: Arrays, others: Arrays) -> Arrays:
    return {name: np.concatenate([array, others[name]]) for name, array in some.items()}
