"""Composites put together from the SLOs that they name, once all files are read; it measures nothing.

A component that is missing, that needs the composite itself, or that has no share of good is an error of the file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from detectors.slo.compile import compile_rules, rule_id, slices_rule_id
from detectors.slo.kinds.composite import Component, Composite
from detectors.slo.nodes import nearest
from detectors.slo.spec import RatioTimeslices, Slo
from telemetry.errors import Problem
from telemetry.rules import RollupRule
from telemetry.windows import format_duration


def put_together(
    slos: Sequence[Slo], faulty: Sequence[Slo] = (), unread: Collection[str] | None = frozenset()
) -> tuple[list[Slo], list[Problem]]:
    """The SLOs, composites with all that they need of their components; and the problems of those that lack some.

    A composite with a problem is left as it was.

    Args:
        slos: every SLO that could be read.
        faulty: composites that have some other problem: what is wrong with their components is told all the same.
        unread: names of SLOs that could not be read, of which no composite is told that they do not fit; None when
            there may be more than have a name.
    """
    work = _Work({slo.name: slo for slo in reversed([*slos, *faulty])}, unread)
    done = [work.whole(slo) if isinstance(slo.sli, Composite) else slo for slo in slos]
    for slo in faulty:
        work.whole(slo)
    return done, work.problems


class _Work:
    """The composites that are whole already, and those under way."""

    def __init__(self, slos: Mapping[str, Slo], unread: Collection[str] | None) -> None:
        self._slos = slos
        self._unread = unread
        self._done: dict[str, Slo] = {}
        self._open: list[str] = []
        self.problems: list[Problem] = []

    def whole(self, slo: Slo) -> Slo:
        """The composite with its components; as it was when one of them will not do."""
        if slo.name in self._done:
            return self._done[slo.name]
        assert isinstance(slo.sli, Composite)
        self._done[slo.name] = slo
        if slo.where.items:
            remedy = "write the conditions in the components"
            self._note(slo, "where[0]", "has no meaning for a composite: it counts what its components count", remedy)
        self._open.append(slo.name)
        components: list[Component] = []
        counted: list[RollupRule] = []
        for place, component in enumerate(slo.sli.components):
            found = self._component(slo, f"sli.composite.of[{place}].slo", component)
            if found is None:
                continue
            if found.slice_ns is None:
                counted.append(compile_rules(found)[0])
                components.append(replace(component, meaning=rule_id(found)))
            else:
                components.append(replace(component, meaning=slices_rule_id(found), unit=found.unit))
        self._open.pop()
        if len(components) == len(slo.sli.components):
            sli = replace(slo.sli, components=tuple(components), counted=tuple(counted), per=slo.per)
            self._done[slo.name] = replace(slo, sli=sli, budgeting=RatioTimeslices(sli.slice_ns))
        return self._done[slo.name]

    def _component(self, slo: Slo, field: str, component: Component) -> Slo | None:
        """The SLO that a component names, if it can be one."""
        found = self._slos.get(component.slo)
        if found is None and (self._unread is None or component.slo in self._unread):
            return None
        if found is None:
            near = nearest(component.slo, [name for name in self._slos if name != slo.name])
            remedy = f"did you mean {near}?" if near else "add the file that declares it, or remove the component"
            self._note(slo, field, f"there is no SLO {component.slo!r}", remedy)
            return None
        if component.slo in self._open:
            way = " -> ".join([*self._open[self._open.index(component.slo) :], component.slo])
            self._note(slo, field, f"a composite cannot be a component of itself: {way}", "remove one of them")
            return None
        if found.allowance is not None:
            message = f"{found.name} is a budget of money, which has no share of good"
            self._note(slo, field, message, "name SLOs that have an objective")
            return None
        missing = [name for name in slo.per if name not in found.per]
        if missing:
            message = f"{found.name} has no groups by {', '.join(missing)}"
            self._note(slo, field, message, f"write per: [{', '.join(found.per)}] or fewer, or add it to {found.name}")
            return None
        return self._fitting(slo, field, self.whole(found) if isinstance(found.sli, Composite) else found)

    def _fitting(self, slo: Slo, field: str, found: Slo) -> Slo | None:
        """``found`` if its own slices, where it has some, make up those of the composite."""
        assert isinstance(slo.sli, Composite)
        if found.slice_ns is not None and slo.sli.slice_ns % found.slice_ns:
            own, its = format_duration(slo.sli.slice_ns), format_duration(found.slice_ns)
            message = f"{found.name} judges slices of {its}, which do not make up slices of {own}"
            self._note(slo, field, message, f"write slice: {its} for the composite, or a multiple of it")
            return None
        return found

    def _note(self, slo: Slo, field: str, message: str, remedy: str) -> None:
        self.problems.append(
            Problem(slo.origin.file, slo.origin.line_of(field), f"{slo.name}.{field}", message, remedy)
        )
