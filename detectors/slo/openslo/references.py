"""References from one OpenSLO object to another by kind and name; it follows them and reads nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from detectors.slo.nodes import line_of, nearest
from detectors.slo.openslo.documents import Document
from detectors.slo.openslo.reader import DocumentReader


@dataclass(frozen=True, slots=True)
class Reference:
    """Where ``name`` of a ``kind`` is referred to."""

    reader: DocumentReader
    node: yaml.Node
    field: str
    kind: str
    name: str


def read_reference(reader: DocumentReader, node: yaml.Node, field: str, kind: str) -> Reference | None:
    """The reference at ``field``, None when it is not a name."""
    name = reader.name(node, field)
    return None if name is None else Reference(reader, node, field, kind, name)


class Index:
    """All objects of the given files by kind and name; a name that is defined twice is an error."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._found: dict[tuple[str, str], Document] = {}
        for document in documents:
            key = (document.kind, document.metadata.name)
            earlier = self._found.setdefault(key, document)
            if earlier is not document:
                where = f"{earlier.reader.file}:{line_of(earlier.metadata.node)}"
                message = f"is the name of the {document.kind} at {where}"
                remedy = f"give every {document.kind} a name of its own"
                document.reader.note(document.metadata.node, "metadata.name", message, remedy)

    def names(self, kind: str) -> list[str]:
        """Names of the objects of a kind."""
        return [name for found, name in self._found if found == kind]

    def find(self, reference: Reference) -> Document | None:
        """The object referred to; a reference that the files do not define is a warning."""
        document = self._found.get((reference.kind, reference.name))
        if document is None:
            near = nearest(reference.name, self.names(reference.kind))
            remedy = f"did you mean {near}?" if near else f"add the file that defines the {reference.kind}"
            message = f"the given files define no {reference.kind} {reference.name!r}"
            reference.reader.warn(reference.node, reference.field, message, remedy)
        return document
