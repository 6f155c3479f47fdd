"""A YAML stream split into OpenSLO documents with their headers checked; what is in a ``spec`` it does not read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import yaml

from detectors.slo.nodes import kind_of, suggestion
from detectors.slo.openslo.keys import API_VERSION, DOCUMENT, KINDS
from detectors.slo.openslo.metadata import Metadata, read_metadata
from detectors.slo.openslo.reader import DocumentReader
from telemetry.errors import Problem

_VERSION: Final = re.compile(r"""^[\s\-{"']*apiVersion["']?\s*:\s*["']?openslo/""", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Document:
    """One object: its reader, ``kind``, metadata and the node of its ``spec``."""

    reader: DocumentReader
    kind: str
    metadata: Metadata
    node: yaml.Node
    spec: yaml.Node


def is_openslo(text: str) -> bool:
    """Whether a file's text holds OpenSLO documents: some line says ``apiVersion: openslo/...``."""
    return _VERSION.search(text) is not None


def read_documents(file: str, text: str, strict: bool) -> tuple[list[Document], list[DocumentReader], list[Problem]]:
    """The documents whose header is right, the readers of all of them, and why the text is not YAML, if it is not."""
    nodes, problems = _nodes(file, text, strict)
    documents: list[Document] = []
    readers: list[DocumentReader] = []
    for place, node in enumerate(nodes, start=1):
        reader = DocumentReader(file, f"document {place}", strict)
        readers.append(reader)
        document = _read(reader, node)
        documents.extend([document] if document else [])
    if not nodes and not problems:
        problems.append(Problem(file, 1, "", "the file holds no document", f"begin with apiVersion: {API_VERSION}"))
    return documents, readers, problems


def _nodes(file: str, text: str, strict: bool) -> tuple[list[yaml.Node], list[Problem]]:
    nodes: list[yaml.Node] = []
    try:
        for root in yaml.compose_all(text, Loader=yaml.SafeLoader):
            nodes.extend(_roots(root, strict))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"this is not YAML: {error.problem or error.context}"
        remedy = "correct the indentation or quoting; the documents after this line are not read"
        return nodes, [Problem(file, mark.line + 1 if mark else 1, "", message, remedy)]
    except yaml.YAMLError as error:
        return nodes, [Problem(file, 1, "", f"this is not YAML: {error}", "save the file as UTF-8 text")]
    return nodes, []


def _roots(root: yaml.Node, strict: bool) -> Iterator[yaml.Node]:
    """The objects of one YAML document: itself, nothing when it is empty, or in lenient mode a list's entries."""
    if isinstance(root, yaml.SequenceNode) and not strict:
        yield from root.value
    elif kind_of(root) != "null":
        yield root


def _read(reader: DocumentReader, node: yaml.Node) -> Document | None:
    values = reader.entries(node, "", DOCUMENT)
    if values is None:
        return None
    kind = reader.text(values["kind"], "kind") if "kind" in values else None
    if "apiVersion" in values:
        version = reader.text(values["apiVersion"], "apiVersion")
        if version is not None and version != API_VERSION:
            message = f"{version!r} is not the version that is read here"
            reader.note(values["apiVersion"], "apiVersion", message, f"write {API_VERSION}")
            return None
    if kind is not None and kind not in KINDS:
        reader.note(values["kind"], "kind", f"{kind!r} is not a kind of {API_VERSION}", suggestion(kind, KINDS))
        return None
    metadata = read_metadata(reader, values["metadata"], "metadata") if "metadata" in values else None
    if kind is None or metadata is None or "spec" not in values:
        return None
    reader.title = f"{reader.title} ({kind} {metadata.name})"
    return Document(reader, kind, metadata, node, values["spec"])
