"""Reading of YAML nodes, which know their lines, into plain values; every problem is noted and none is raised.

A reader's methods return None where they noted a problem, so that the rest of the file is still checked.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import yaml

from detectors.slo.shapes import Key
from telemetry.errors import DurationError, Problem
from telemetry.windows import parse_duration

_TAG: Final = "tag:yaml.org,2002:"
_PERCENT: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
_KINDS: Final = {
    "str": "text", "int": "a number", "float": "a number", "bool": "a switch", "null": "nothing", "map": "a mapping",
    "seq": "a list", "timestamp": "a date", "merge": "a merge key",
}  # fmt: skip
_DURATION_REMEDY: Final = "write a number and a unit, such as 500ms, 30s, 5m, 6h or 30d"

_Choice = TypeVar("_Choice", bound=str)


def compose(text: str, file: str) -> tuple[yaml.Node | None, list[Problem]]:
    """The root node of a YAML text, or the problem that keeps it from being YAML."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader), []
    except yaml.composer.ComposerError as error:
        mark = error.problem_mark or error.context_mark
        several = error.context == "expected a single document in the stream"
        message = "the file holds a second document" if several else f"this is not YAML: {error.problem}"
        remedy = "write one document a file" if several else "check the names of anchors and aliases"
        return None, [Problem(file, mark.line + 1 if mark else 1, "", message, remedy)]
    except RecursionError:
        return None, [Problem(file, 0, "", "the file nests too deeply", "SLO files need a dozen levels at most")]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"this is not YAML: {error.problem or error.context}"
        return None, [Problem(file, mark.line + 1 if mark else 1, "", message, "correct the indentation or quoting")]
    except yaml.YAMLError as error:
        return None, [Problem(file, 1, "", f"this is not YAML: {error}", "save the file as UTF-8 text")]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` is probably a misspelling of."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def suggestion(name: str, known: Sequence[str]) -> str:
    """A remedy that names the likely key, or all of them."""
    found = nearest(name, known)
    return f"did you mean {found}?" if found else f"use {' | '.join(known)}"


def kind_of(node: yaml.Node) -> str:
    """The YAML type of a node: ``str``, ``int``, ``map``, ..."""
    return str(node.tag).removeprefix(_TAG)


def line_of(node: yaml.Node) -> int:
    """1-based line on which a node begins."""
    return int(node.start_mark.line) + 1


class Reader:
    """Reads the nodes of one file and gathers what is wrong with them in ``problems``.

    ``lines`` maps each dotted field that was read to its line.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.lines: dict[str, int] = {}

    def note(self, at: yaml.Node, field: str, message: str, remedy: str) -> None:
        """Report a problem with ``field``."""
        self.problems.append(Problem(self.file, line_of(at), field, message, remedy))

    def _mismatch(self, node: yaml.Node, field: str, wanted: str, remedy: str) -> None:
        self.note(node, field, f"{_KINDS.get(kind_of(node), kind_of(node))} where {wanted} is needed", remedy)

    def pairs(self, node: yaml.Node, field: str) -> list[tuple[str, yaml.Node, yaml.Node]] | None:
        """(key, key's node, value) of a mapping; a repeated key is a problem and its first value is kept."""
        if not isinstance(node, yaml.MappingNode):
            self._mismatch(node, field, "a mapping", "write key: value lines")
            return None
        found: dict[str, tuple[str, yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if kind_of(key) == "merge":
                self.note(
                    key, _join(field, "<<"), "merge keys are not supported", "use defaults:, or write the keys out"
                )
                continue
            name = str(key.value)
            if name in found:
                first = line_of(found[name][1])
                self.note(key, _join(field, name), f"repeats the key of line {first}", "keep one of them")
                continue
            found[name] = (name, key, value)
            self.lines[_join(field, name)] = line_of(key)
        return list(found.values())

    def mapping(self, node: yaml.Node, field: str, keys: Sequence[Key]) -> dict[str, yaml.Node] | None:
        """Values by key; unknown and missing keys are problems."""
        pairs = self.pairs(node, field)
        if pairs is None:
            return None
        known = [key.name for key in keys]
        values = {}
        for name, key, value in pairs:
            if name in known:
                values[name] = value
            else:
                self.note(key, _join(field, name), "unknown key", suggestion(name, known))
        for key_spec in keys:
            if key_spec.required and key_spec.name not in values:
                self.note(node, _join(field, key_spec.name), "is missing", f"add {key_spec.name}:")
        return values

    def items(self, node: yaml.Node, field: str) -> list[tuple[str, yaml.Node]] | None:
        """(dotted field, node) of every entry of a list."""
        if not isinstance(node, yaml.SequenceNode):
            self._mismatch(node, field, "a list", "write [a, b] or one '- a' a line")
            return None
        entries = [(f"{field}[{i}]", child) for i, child in enumerate(node.value)]
        self.lines.update({name: line_of(child) for name, child in entries})
        return entries

    def text(self, node: yaml.Node, field: str) -> str | None:
        """Non-empty text."""
        if kind_of(node) == "str" and node.value:
            return str(node.value)
        if kind_of(node) == "str":
            self.note(node, field, "is empty", "write something, or leave the key out")
        else:
            quoted = f'put it in quotes: "{node.value}"' if isinstance(node, yaml.ScalarNode) else "write one text"
            self._mismatch(node, field, "text", quoted)
        return None

    def texts(self, node: yaml.Node, field: str) -> list[tuple[str, yaml.Node, str]] | None:
        """(dotted field, node, text) of a list of texts."""
        entries = self.items(node, field)
        if entries is None:
            return None
        read = [(name, child, self.text(child, name)) for name, child in entries]
        return [(name, child, text) for name, child, text in read if text is not None]

    def choice(self, node: yaml.Node, field: str, options: Sequence[_Choice]) -> _Choice | None:
        """One of ``options``."""
        text = self.text(node, field)
        if text is None:
            return None
        for option in options:
            if option == text:
                return option
        self.note(node, field, f"{text!r} is not a choice", suggestion(text, list(options)))
        return None

    def switch(self, node: yaml.Node, field: str) -> bool | None:
        """``on`` or ``off``."""
        if kind_of(node) == "bool":
            return str(node.value).lower() in ("true", "on", "yes")
        self._mismatch(node, field, "on or off", "write on or off")
        return None

    def number(self, node: yaml.Node, field: str) -> float | None:
        """A finite number above 0."""
        if kind_of(node) in ("int", "float"):
            return self._positive(node, field, str(node.value))
        self._mismatch(node, field, "a number", "write a number, such as 0.1")
        return None

    def count(self, node: yaml.Node, field: str) -> int | None:
        """A whole number of at least 1."""
        if kind_of(node) == "int" and re.fullmatch(r"\+?\d+", str(node.value)) and int(node.value) >= 1:
            return int(node.value)
        self.note(node, field, f"{node.value!r} is not a whole number of at least 1", "write a number, such as 100")
        return None

    def duration(self, node: yaml.Node, field: str) -> int | None:
        """Nanoseconds above 0."""
        stated: str | float | None
        if kind_of(node) in ("int", "float"):
            stated = self._positive(node, field, str(node.value))
        else:
            stated = self.text(node, field)
        if stated is None:
            return None
        try:
            duration_ns = parse_duration(stated)
        except DurationError as error:
            self.note(node, field, error.what, _DURATION_REMEDY)
            return None
        if duration_ns <= 0:
            self.note(node, field, "is no time at all", _DURATION_REMEDY)
            return None
        return duration_ns

    def share(self, node: yaml.Node, field: str, example: str) -> float | None:
        """A share within (0, 1): ``99.5%`` or ``0.995``."""
        percent = _PERCENT.fullmatch(str(node.value)) if kind_of(node) == "str" else None
        if percent:
            value = round(float(percent[1]) / 100, 12)
        elif kind_of(node) in ("int", "float"):
            value = _number(str(node.value))
        else:
            self.note(node, field, f"{_shown(node)} is not a share", f"write a share such as {example}")
            return None
        if 0 < value < 1:
            return value
        remedy = f"write {node.value}%" if 1 < value < 100 and not percent else f"write a share such as {example}"
        self.note(node, field, f"{node.value} is not between 0 and 1 (0 % and 100 %), both excluded", remedy)
        return None

    def _positive(self, node: yaml.Node, field: str, text: str) -> float | None:
        value = _number(text)
        if math.isfinite(value) and value > 0:
            return value
        self.note(node, field, f"{text} is not a number above 0", "write a positive number")
        return None


def _number(text: str) -> float:
    loaded = yaml.safe_load(text)
    return float(loaded)


def _shown(node: yaml.Node) -> str:
    return repr(node.value) if isinstance(node, yaml.ScalarNode) else _KINDS.get(kind_of(node), kind_of(node))


def _join(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name
