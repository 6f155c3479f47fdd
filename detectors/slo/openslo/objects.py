"""The objects of all given files, read once and found by reference; it compiles none of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from detectors.slo.openslo.alerting import (
    AlertPolicy,
    Condition,
    NotificationTarget,
    read_condition,
    read_policy,
    read_target,
)
from detectors.slo.openslo.documents import Document
from detectors.slo.openslo.indicators import Indicator, MetricSource, read_indicator
from detectors.slo.openslo.keys import DATA_SOURCE, SERVICE
from detectors.slo.openslo.references import Index, Reference
from detectors.slo.openslo.slo_document import SloDocument, read_slo

_Body = TypeVar("_Body")


class Objects:
    """Everything that the files define. Reading notes problems with the readers of the documents."""

    def __init__(self, documents: Iterable[Document]) -> None:
        every = list(documents)
        self.index = Index(every)
        self.slos: list[SloDocument] = []
        self._indicators: dict[str, Indicator] = {}
        self._used: set[str] = set()
        self._policies: dict[str, AlertPolicy] = {}
        self._conditions: dict[str, Condition] = {}
        self._targets: dict[str, NotificationTarget] = {}
        self._types: dict[str, str] = {}
        for document in every:
            self._read(document)

    def indicator(self, given: Indicator | Reference | None) -> Indicator | None:
        """The SLI that is written in place or referred to; None when there is none that is right."""
        if not isinstance(given, Reference):
            return given
        self._used.add(given.name)
        return self._resolve(given, self._indicators)

    def unused_indicators(self) -> list[Indicator]:
        """The SLIs that nothing has referred to so far."""
        return [indicator for name, indicator in self._indicators.items() if name not in self._used]

    def policy(self, given: AlertPolicy | Reference) -> AlertPolicy | None:
        """The alert policy that is written in place or referred to."""
        return self._resolve(given, self._policies) if isinstance(given, Reference) else given

    def check_policies(self) -> None:
        """Follow the references of every alert policy, whether or not an SLO has it."""
        for policy in self._policies.values():
            for condition in policy.conditions:
                self.condition(condition)
            for target in policy.targets:
                self.target(target)

    def condition(self, given: Condition | Reference) -> Condition | None:
        """The condition that is written in place or referred to."""
        return self._resolve(given, self._conditions) if isinstance(given, Reference) else given

    def target(self, given: NotificationTarget | Reference) -> NotificationTarget | None:
        """The target that is written in place or referred to."""
        return self._resolve(given, self._targets) if isinstance(given, Reference) else given

    def type_of(self, source: MetricSource) -> str | None:
        """The type that a metric source states, else its DataSource's; None when the files do not say."""
        stated = None if source.source is None else self._resolve(source.source, self._types)
        if source.type is not None and stated is not None and source.type != stated and source.source is not None:
            message = f"{source.type} contradicts the type of its DataSource, {stated}"
            source.reader.note(source.node, f"{source.field}.type", message, f"leave it out, or write {stated}")
        return source.type or stated

    def _resolve(self, reference: Reference, bodies: dict[str, _Body]) -> _Body | None:
        return bodies.get(reference.name) if self.index.find(reference) else None

    def _read(self, document: Document) -> None:
        reader, spec, name = document.reader, document.spec, document.metadata.name
        match document.kind:
            case "SLO":
                slo = read_slo(document)
                self.slos.extend([slo] if slo else [])
            case "SLI":
                _keep(self._indicators, name, read_indicator(reader, spec, "spec"))
            case "AlertPolicy":
                _keep(self._policies, name, read_policy(reader, spec, "spec", name))
            case "AlertCondition":
                _keep(self._conditions, name, read_condition(reader, spec, "spec", name))
            case "AlertNotificationTarget":
                _keep(self._targets, name, read_target(reader, spec, "spec", name))
            case "DataSource":
                _keep(self._types, name, _read_data_source(document))
            case _:
                _read_service(document)


def _keep(bodies: dict[str, _Body], name: str, body: _Body | None) -> None:
    if body is not None:
        bodies.setdefault(name, body)


def _read_data_source(document: Document) -> str | None:
    """The type of a DataSource."""
    reader = document.reader
    values = reader.entries(document.spec, "spec", DATA_SOURCE)
    if values is None:
        return None
    reader.description(values, "spec")
    if "connectionDetails" in values:
        reader.pairs(values["connectionDetails"], "spec.connectionDetails")
    return reader.optional_text(values, "spec", "type")


def _read_service(document: Document) -> None:
    if document.reader.is_absent(document.spec):
        return
    values = document.reader.entries(document.spec, "spec", SERVICE)
    if values is not None:
        document.reader.description(values, "spec")
