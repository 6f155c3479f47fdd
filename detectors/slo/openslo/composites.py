"""An OpenSLO SLO whose objectives have indicators of their own, as a weighted composite of them; it reads nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from detectors.slo.kinds.composite import Component, Composite
from detectors.slo.kinds.values import DEFAULT_SLICE_NS
from detectors.slo.openslo.objectives import Objective
from detectors.slo.spec import NO_CONDITIONS, NO_POLICY, OCCURRENCES, Slo


def together(name: str, executed: Sequence[tuple[Objective, Slo]]) -> Iterator[Slo]:
    """The SLO of every objective, and the composite called ``name``, which alone alerts.

    OpenSLO gives a composite no target of its own. The weighted mean of its objectives' targets is the one under which
    the composite's budget is what theirs are together.
    """
    slos = [slo for _, slo in executed]
    weights = [objective.weight for objective, _ in executed]
    components = tuple(Component(slo.name, weight) for slo, weight in zip(slos, weights, strict=True))
    slice_ns = math.lcm(*(slo.slice_ns or DEFAULT_SLICE_NS for slo in slos))
    target = math.fsum(weight * slo.objective for slo, weight in zip(slos, weights, strict=True)) / math.fsum(weights)
    yield from (replace(slo, policy=NO_POLICY) for slo in slos)
    yield replace(
        slos[0], name=name, sli=Composite(components, slice_ns), objective=round(target, 12), budgeting=OCCURRENCES,
        where=NO_CONDITIONS, per=tuple(field for field in slos[0].per if all(field in slo.per for slo in slos)),
    )  # fmt: skip
