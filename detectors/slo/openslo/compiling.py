"""OpenSLO's SLOs compiled to the model: an SLO for every objective; what is not ours to execute is a warning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from detectors.slo.keys import NAME_PATTERN, RESERVED_LABELS
from detectors.slo.nodes import line_of, nearest, suggestion
from detectors.slo.openslo import native
from detectors.slo.openslo.budgets import budgeting_of, window_of
from detectors.slo.openslo.burn_alerts import policy_of
from detectors.slo.openslo.composites import together
from detectors.slo.openslo.indicators import Indicator
from detectors.slo.openslo.native import TYPE, Measured, read_measured, says_below, sources_of
from detectors.slo.openslo.objectives import Objective
from detectors.slo.openslo.objects import Objects
from detectors.slo.openslo.slo_document import SloDocument
from detectors.slo.spec import Origin, Slo

TARGETS_LABEL: Final = "notification_targets"
GATE: Final = "tailwatch.gate"
OWNER: Final = "tailwatch.owner"
RUNBOOK: Final = "tailwatch.runbook"
ANNOTATIONS: Final = (GATE, OWNER, RUNBOOK)


def compile_slo(slo: SloDocument, objects: Objects) -> Iterator[Slo]:
    """The SLOs of a document that can be executed; problems go to the readers of the documents."""
    _service(slo, objects)
    reader, metadata = slo.document.reader, slo.document.metadata
    composite = slo.indicator is None
    shared = None if composite else objects.indicator(slo.indicator)
    ours = []
    for objective in slo.objectives:
        indicator = objects.indicator(objective.indicator) if composite else shared
        if (
            indicator is None
            or not _comparison(slo, objective, indicator)
            or not _is_ours(slo, objective, indicator, objects)
        ):
            continue
        measured = read_measured(indicator, reader, objective)
        if measured is not None:
            ours.append((objective, measured))
    names = _names(slo)
    compiled = [(objective, _compile(slo, objective, how, names[objective.field], objects)) for objective, how in ours]
    executed = [(objective, one) for objective, one in compiled if one is not None]
    if not composite or len(executed) < 2:
        yield from (one for _, one in executed)
    elif len(executed) < len(slo.objectives):
        message = f"of {len(slo.objectives)} objectives only {len(executed)} can be executed, so they make no composite"
        reader.warn(metadata.node, "spec.objectives", message, "each of them has a budget of its own")
        yield from (one for _, one in executed)
    else:
        yield from together(metadata.name, executed)


def check_unused(objects: Objects) -> None:
    """Note the problems of the SLIs that no SLO refers to."""
    for indicator in objects.unused_indicators():
        if {objects.type_of(source) for source in sources_of(indicator)} == {TYPE}:
            native.check_unused(indicator)


def _compile(slo: SloDocument, objective: Objective, measured: Measured, name: str, objects: Objects) -> Slo | None:
    reader, metadata = slo.document.reader, slo.document.metadata
    budgeting = budgeting_of(slo, objective, measured.sli)
    window_ns, calendar = window_of(slo)
    annotations = _annotations(slo)
    policy, targets = policy_of(slo, objects, window_ns, annotations.get(GATE) != "off")
    if not re.match(NAME_PATTERN, name):
        reader.note(objective.node, f"{objective.field}.displayName", f"{name!r} is too long a name", "shorten it")
        return None
    if objective.target <= 0:
        remedy = "write a target above 0"
        reader.note(objective.target_node, objective.field, "a target of 0 leaves nothing to execute", remedy)
        return None
    if budgeting is None:
        return None
    return Slo(
        name=name, service=slo.service, sli=measured.sli, objective=objective.target, window_ns=window_ns,
        calendar=calendar, budgeting=budgeting, where=measured.where, per=measured.per, policy=policy,
        owner=annotations.get(OWNER, ""), description=slo.description or metadata.display_name,
        runbook=annotations.get(RUNBOOK), labels=_labels(slo, targets), origin=_origin(slo, objective, measured),
    )  # fmt: skip


def _service(slo: SloDocument, objects: Objects) -> None:
    """A service need not be an object; where the files define some, another name is probably a mistake."""
    known = objects.index.names("Service")
    if known and slo.service not in known:
        found = nearest(slo.service, known)
        remedy = f"did you mean {found}?" if found else "add the file that defines the Service"
        message = f"the given files define no Service {slo.service!r}"
        slo.document.reader.warn(slo.service_node, "spec.service", message, remedy)


def _comparison(slo: SloDocument, objective: Objective, indicator: Indicator) -> bool:
    """Whether ``op`` and ``value`` are there for a threshold metric, and in strict mode only for one."""
    reader, field = slo.document.reader, objective.field
    given = [key for key, value in (("op", objective.op), ("value", objective.value_node)) if value is not None]
    if indicator.threshold is None:
        for key in given if reader.strict else ():
            reader.note(objective.node, f"{field}.{key}", "belongs to a thresholdMetric only", "leave it out")
        return True
    if len(slo.objectives) > 1 and slo.indicator is not None:
        message = "a thresholdMetric has one objective"
        reader.note(objective.node, field, message, "write an SLO for each, or a ratioMetric")
        return False
    missing = [key for key in ("op", "value") if key not in given]
    if missing and (reader.strict or len(missing) == 1 or not _has_below(indicator)):
        for key in missing:
            reader.note(objective.node, f"{field}.{key}", "is missing: a thresholdMetric is compared", f"add {key}:")
        return False
    return True


def _has_below(indicator: Indicator) -> bool:
    """Whether the metric source says itself what it is compared with, or is another vendor's."""
    source = indicator.threshold
    return source is not None and source.spec is not None and says_below(source.spec)


def _is_ours(slo: SloDocument, objective: Objective, indicator: Indicator, objects: Objects) -> bool:
    lines = slo.document.reader.lines
    field = next((name for name in ("spec.indicator", "spec.indicatorRef") if name in lines), objective.field)
    types = {objects.type_of(source) for source in sources_of(indicator)}
    foreign = sorted(str(kind) for kind in types - {TYPE, None})
    if not foreign and None not in types:
        return True
    remedy = f"a source of type {TYPE} is executed"
    if foreign:
        found = suggestion(foreign[0], [TYPE]) if nearest(foreign[0].title(), [TYPE]) else remedy
        message = f"valid, and not executable here: its metric source is of type {', '.join(foreign)}"
        slo.document.reader.warn(slo.document.spec, field, message, found)
    else:
        message = "not executable here: the given files do not say of which type its metric source is"
        slo.document.reader.warn(slo.document.spec, field, message, "add the file with the DataSource")
    return False


def _names(slo: SloDocument) -> Mapping[str, str]:
    """Name of the SLO of every objective, by field: the document's, and the objective's after it if there are more."""
    name = slo.document.metadata.name
    if len(slo.objectives) == 1:
        return {slo.objectives[0].field: name}
    slugs = [re.sub(r"[^a-z0-9]+", "-", each.display_name.lower()).strip("-") for each in slo.objectives]
    return {
        objective.field: f"{name}.{slug}" if slug and slugs.count(slug) == 1 else f"{name}.{place}"
        for place, (objective, slug) in enumerate(zip(slo.objectives, slugs, strict=True), start=1)
    }


def _annotations(slo: SloDocument) -> Mapping[str, str]:
    """Those that say what OpenSLO has no field for: owner, runbook, and the statistical gate."""
    reader, metadata = slo.document.reader, slo.document.metadata
    for name, value in metadata.annotations.items():
        field = f"metadata.annotations.{name}"
        if name.startswith("tailwatch.") and name not in ANNOTATIONS:
            reader.warn(metadata.node, field, "is no annotation that is read here", suggestion(name, ANNOTATIONS))
        elif name == GATE and value not in ("on", "off"):
            reader.note(metadata.node, field, f"{value!r} is neither on nor off", 'write "on" or "off", in quotes')
    return metadata.annotations


def _labels(slo: SloDocument, targets: tuple[str, ...]) -> dict[str, str]:
    """Labels of the alerts: the document's with names that matchers take, and who is to be told."""
    reader, metadata = slo.document.reader, slo.document.metadata
    labels = {}
    for name, values in metadata.labels.items():
        label = re.sub(r"^(?=\d)|[.\-]", "_", name)
        if label in RESERVED_LABELS:
            message = "is a label that every alert has already: this one is left out"
            reader.warn(metadata.node, f"metadata.labels.{name}", message, "choose another name")
        elif values:
            labels[label] = ",".join(values)
    return {**labels, TARGETS_LABEL: ",".join(targets)} if targets else labels


def _origin(slo: SloDocument, objective: Objective, measured: Measured) -> Origin:
    """Lines by the fields of the native format, which lint speaks of."""
    reader, source = slo.document.reader, measured.source
    lines = {"name": line_of(slo.document.metadata.node), "objective": line_of(objective.target_node)}
    for name, field in (("window", "spec.timeWindow"), ("alert", "spec.alertPolicies")):
        lines[name] = reader.lines.get(field, line_of(slo.document.node))
    if source.reader.file == reader.file:
        prefix = f"{source.field}.spec."
        found = source.reader.lines.items()
        lines |= {place.removeprefix(prefix): line for place, line in found if place.startswith(prefix)}
    return Origin(reader.file, line_of(slo.document.node), lines)
