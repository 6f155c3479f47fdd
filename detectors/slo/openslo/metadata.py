"""The ``metadata`` of an OpenSLO object: name, labels and annotations; it gives them no meaning."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from detectors.slo.openslo.keys import METADATA
from detectors.slo.openslo.reader import DocumentReader

_SEGMENT: Final = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?")
_PREFIX: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_SEGMENT_REMEDY: Final = "use at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What an object is called. ``labels`` hold every value of a key; ``node`` is the name's."""

    name: str
    node: yaml.Node
    display_name: str = ""
    labels: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)


def read_metadata(reader: DocumentReader, node: yaml.Node, field: str) -> Metadata | None:
    """The metadata at ``field``, None without a name."""
    values = reader.entries(node, field, METADATA)
    if values is None:
        return None
    name = reader.name(values["name"], f"{field}.name") if "name" in values else None
    display_name = reader.optional_text(values, field, "displayName") or ""
    labels = _labels(reader, values["labels"], f"{field}.labels") if "labels" in values else {}
    annotations: dict[str, str] = {}
    if "annotations" in values:
        annotations = _annotations(reader, values["annotations"], f"{field}.annotations")
    return None if name is None else Metadata(name, values["name"], display_name, labels, annotations)


def _labels(reader: DocumentReader, node: yaml.Node, field: str) -> dict[str, tuple[str, ...]]:
    labels: dict[str, tuple[str, ...]] = {}
    for name, key, value in reader.pairs(node, field) or []:
        place = f"{field}.{name}"
        if not _SEGMENT.fullmatch(name):
            reader.note(key, place, f"{name!r} cannot be the key of a label", _SEGMENT_REMEDY)
        if isinstance(value, yaml.SequenceNode):
            labels[name] = tuple(text for _, _, text in reader.texts(value, place) or [])
        else:
            text = reader.text(value, place)
            labels[name] = () if text is None else (text,)
    return labels


def _annotations(reader: DocumentReader, node: yaml.Node, field: str) -> dict[str, str]:
    annotations: dict[str, str] = {}
    for name, key, value in reader.pairs(node, field) or []:
        place = f"{field}.{name}"
        prefix, slash, segment = name.rpartition("/")
        if not _SEGMENT.fullmatch(segment):
            reader.note(key, place, f"{segment!r} cannot be the key of an annotation", _SEGMENT_REMEDY)
        elif slash and not _PREFIX.fullmatch(prefix):
            reader.note(key, place, f"{prefix!r} is no DNS subdomain", "write a prefix such as example.com/")
        text = reader.text(value, place)
        if text is not None:
            annotations[name] = text
    return annotations
