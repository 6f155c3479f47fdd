"""How quickly incidents were answered and ended: MTTA and MTTR, with what a mean hides; pure.

Time to acknowledge runs from the opening to the first acknowledgement (a snooze is one), time to resolve from the
opening to the last resolution: an incident that was opened again was not over. What late data proved wrong is counted
apart and in neither; what was never acknowledged, or goes on, has no such time and is counted beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median, quantiles
from typing import Any, Final, Literal, Self, get_args

from alerting.handled import Handled
from telemetry.windows import NANOS

By = Literal["service", "severity", "slo"]
DIMENSIONS: Final[tuple[By, ...]] = get_args(By)


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took, in seconds: of ``count`` incidents the mean, the median and the 90th percentile.

    Percentiles are interpolated between order statistics (Hyndman and Fan's type 7).
    """

    count: int
    mean_s: float
    median_s: float
    p90_s: float

    @classmethod
    def of(cls, taken_ns: Sequence[int]) -> Self | None:
        """None without any."""
        if not taken_ns:
            return None
        seconds = [taken / NANOS for taken in taken_ns]
        p90 = quantiles(seconds, n=10, method="inclusive")[8] if len(seconds) > 1 else seconds[0]
        return cls(len(seconds), fmean(seconds), median(seconds), p90)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of some incidents.

    Attributes:
        name: what they have in common: a service, a severity or an SLO; empty for all of them.
        incidents: how many there were; ``withdrawn`` of them were proved wrong, ``open`` go on.
        unacknowledged: how many of those not withdrawn nobody has ever acknowledged, ended or not.
    """

    name: str
    incidents: int
    withdrawn: int
    open: int
    unacknowledged: int
    to_acknowledge: Times | None
    to_resolve: Times | None

    def to_json(self) -> dict[str, Any]:
        """The figures as the API gives them."""
        return asdict(self)


def figures(handled: Iterable[Handled], name: str = "") -> Figures:
    """The figures of these incidents."""
    every = list(handled)
    real = [one for one in every if not one.withdrawn]
    # An answer to what was merged into an incident may be older than the incident: it was answered at once.
    answers = [max(one.acknowledged_ns - one.opened_ns, 0) for one in real if one.acknowledged_ns is not None]
    ends = [one.resolved_ns - one.opened_ns for one in real if one.resolved_ns is not None]
    return Figures(
        name,
        incidents=len(every),
        withdrawn=len(every) - len(real),
        open=len(real) - len(ends),
        unacknowledged=len(real) - len(answers),
        to_acknowledge=Times.of(answers),
        to_resolve=Times.of(ends),
    )


def figures_by(handled: Iterable[Handled], by: By) -> list[Figures]:
    """The figures of each service, severity or SLO; the one with most incidents first."""
    groups: dict[str, list[Handled]] = {}
    for one in handled:
        groups.setdefault(str(getattr(one, by)), []).append(one)
    found = [figures(members, name) for name, members in groups.items()]
    return sorted(found, key=lambda one: (-one.incidents, one.name))


def figures_document(handled: Sequence[Handled], since_ns: int, until_ns: int) -> dict[str, Any]:
    """All of it as the API gives it; times are seconds."""
    return {
        "since": since_ns / NANOS,
        "until": until_ns / NANOS,
        "all": figures(handled).to_json(),
        **{f"by_{by}": [one.to_json() for one in figures_by(handled, by)] for by in DIMENSIONS},
    }
