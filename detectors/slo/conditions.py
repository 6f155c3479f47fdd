"""The ``where`` and ``per`` of an SLO read from YAML nodes; whether they make sense is lint's to say."""

from __future__ import annotations

import yaml

from detectors.slo.nodes import Reader, suggestion
from telemetry.errors import MatcherError
from telemetry.matchers import Matcher, Matchers, parse_matcher
from telemetry.schema import FIELD_BY_NAME


def read_where(reader: Reader, node: yaml.Node | None, field: str) -> Matchers:
    """The matchers of a list of texts; problems go to ``reader``."""
    found: list[Matcher] = []
    for place, child, text in (reader.texts(node, field) or []) if node else []:
        try:
            found.append(parse_matcher(text))
        except MatcherError as error:
            reader.note(child, place, error.what, error.remedy)
    return Matchers(tuple(found))


def read_per(reader: Reader, node: yaml.Node | None, field: str) -> tuple[str, ...]:
    """The names that make groups; problems go to ``reader``."""
    names: list[str] = []
    for place, child, name in (reader.texts(node, field) or []) if node else []:
        known = FIELD_BY_NAME.get(name)
        if name in names:
            reader.note(child, place, f"{name} is listed twice", "keep one of them")
        elif known is not None and known.kind == "number":
            strings = [item.name for item in FIELD_BY_NAME.values() if item.kind == "string"]
            reader.note(child, place, f"{name} is a number and makes no groups", suggestion(name, strings))
        names.append(name)
    return tuple(names)
