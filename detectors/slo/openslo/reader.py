"""Reading of the nodes of one OpenSLO document; it knows the specification's types, not what a document means."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import yaml

from detectors.slo.keys import NAME_PATTERN
from detectors.slo.nodes import Reader, kind_of
from detectors.slo.openslo.durations import UNITS, Shorthand, parse_shorthand
from detectors.slo.openslo.keys import LONGEST_DESCRIPTION, Entry
from detectors.slo.shapes import Key

_STRICT_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

Values = dict[str, yaml.Node]


class DocumentReader(Reader):
    """Reads one document; every problem names the document as ``title`` says.

    Args:
        file: name of the file.
        title: the document, such as ``document 2``.
        strict: whether what only the project's examples do is a fault.
    """

    def __init__(self, file: str, title: str, strict: bool) -> None:
        super().__init__(file)
        self.title = title
        self.strict = strict

    @property
    def has_errors(self) -> bool:
        """Whether some problem so far is more than a warning."""
        return any(problem.severity == "error" for problem in self.problems)

    def note(self, at: yaml.Node, field: str, message: str, remedy: str) -> None:
        """Report an error in ``field`` of this document; at its own line where ``at`` is what holds it."""
        super().note(at, f"{self.title}: {field}" if field else self.title, message, remedy)
        if field in self.lines and not isinstance(at, yaml.ScalarNode):
            self.problems[-1] = replace(self.problems[-1], line=self.lines[field])

    def warn(self, at: yaml.Node, field: str, message: str, remedy: str) -> None:
        """Report what is valid, and probably not meant or not executed here."""
        self.note(at, field, message, remedy)
        self.problems[-1] = replace(self.problems[-1], severity="warning")

    def entries(self, node: yaml.Node, field: str, entries: Sequence[Entry]) -> Values | None:
        """Values by key. In lenient mode an optional key without a value is as good as absent."""
        needs = {"always", "strict"} if self.strict else {"always"}
        values = self.mapping(node, field, [Key(entry.name, {}, entry.need in needs) for entry in entries])
        if values is None or self.strict:
            return values
        kept = {entry.name for entry in entries if entry.need == "always"}
        return {name: value for name, value in values.items() if name in kept or kind_of(value) != "null"}

    def is_absent(self, node: yaml.Node) -> bool:
        """Whether a key has no value, which lenient mode takes for its absence."""
        return not self.strict and kind_of(node) == "null"

    def optional_text(self, values: Values, field: str, key: str) -> str | None:
        """The text of ``key``, if it is there."""
        return self.text(values[key], f"{field}.{key}") if key in values else None

    def description(self, values: Values, field: str) -> str:
        """The optional description, of at most 1,050 characters."""
        text = self.optional_text(values, field, "description") or ""
        if len(text) > LONGEST_DESCRIPTION:
            message = f"has {len(text)} characters, and the specification allows {LONGEST_DESCRIPTION}"
            self.note(values["description"], f"{field}.description", message, "shorten it")
        return text

    def name(self, node: yaml.Node, field: str) -> str | None:
        """An object's name: RFC 1123 in strict mode, else also upper case, ``.`` and ``_``."""
        text = self.text(node, field)
        if text is None:
            return None
        if self.strict and not _STRICT_NAME.fullmatch(text):
            remedy = "use at most 63 lowercase letters, digits and '-', with a letter or digit at both ends"
            self.note(node, field, f"{text!r} is not a name as RFC 1123 has them", remedy)
        elif not re.match(NAME_PATTERN, text):
            remedy = "use at most 63 letters, digits, '-', '_' and '.', and begin with a letter or digit"
            self.note(node, field, f"{text!r} cannot be a name", remedy)
        return text

    def boolean(self, values: Values, field: str, key: str) -> bool | None:
        """``true`` or ``false`` of ``key``, if it is there."""
        if key not in values:
            return None
        node = values[key]
        if kind_of(node) == "bool":
            return str(node.value).lower() in ("true", "on", "yes")
        self.note(node, f"{field}.{key}", f"{_shown(node)} is neither true nor false", "write true or false")
        return None

    def numeric(self, node: yaml.Node, field: str, allowed: str = "-inf..inf") -> float | None:
        """A finite number within ``allowed``: ``[0..1)`` includes its first bound only."""
        value = float(yaml.safe_load(str(node.value))) if kind_of(node) in ("int", "float") else None
        if value is None or not math.isfinite(value):
            self.note(node, field, f"{_shown(node)} is not a number", "write a number, such as 0.99")
            return None
        if not _within(value, allowed):
            self.note(node, field, f"{node.value} is not within {allowed.replace('..', ', ')}", "correct the number")
            return None
        return value

    def shorthand(self, node: yaml.Node, field: str, least: int = 1) -> Shorthand | None:
        """A duration such as ``5m``, ``28d`` or ``1Q``."""
        found = parse_shorthand(str(node.value)) if kind_of(node) == "str" else None
        if found is None or found.count < least:
            remedy = f"write a whole number of at least {least} and one unit of {UNITS}: 5m, 28d, 1Q"
            self.note(node, field, f"{_shown(node)} is not a duration of OpenSLO", remedy)
            return None
        return found


def _within(value: float, allowed: str) -> bool:
    low, high = (float(bound) for bound in allowed.strip("[]()").split(".."))
    above = value >= low if allowed.startswith("[") else value > low
    return above and (value <= high if allowed.endswith("]") else value < high)


def _shown(node: yaml.Node) -> str:
    return repr(node.value) if isinstance(node, yaml.ScalarNode) else "a mapping or list"
