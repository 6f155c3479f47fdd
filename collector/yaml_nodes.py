"""Walks the nodes of one YAML file and gathers problems with their lines; what the keys mean, its readers know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from telemetry.errors import Problem


@dataclass(slots=True)
class NodeReader:
    """Reads the file that is called ``file`` in messages; ``problems`` are all that were found so far."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def compose(self, text: str) -> yaml.Node | None:
        """The root node of ``text``; None for an empty one, and, with the problem reported, for what is not YAML."""
        try:
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.report(line, "file", f"not YAML: {error.problem}", "check the indentation and the quotes")
        except (yaml.YAMLError, RecursionError) as error:
            self.report(1, "file", f"not YAML: {error}", "save the file as UTF-8 text")
        return None

    def report(self, line: int, name: str, message: str, remedy: str) -> None:
        """Note a problem of the field ``name``."""
        self.problems.append(Problem(self.file, line, name, message, remedy))

    def mapping(self, node: yaml.Node | None, name: str, keys: tuple[str, ...]) -> dict[str, yaml.Node]:
        """The nodes of a mapping by key; keys other than ``keys`` are reported and left out."""
        if node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.report(line_of(node), name, "is not a mapping", f"write keys among {', '.join(keys)}")
            return {}
        found: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = str(key_node.value)
            if key not in keys:
                self.report(line_of(key_node), f"{name}.{key}", "is not known", f"use one of {', '.join(keys)}")
            elif key in found:
                self.report(line_of(key_node), f"{name}.{key}", "is given twice", "keep one of them")
            else:
                found[key] = value
        return found

    def sequence(self, node: yaml.Node | None, name: str) -> Iterator[yaml.Node]:
        """The nodes of a list; none when it is missing."""
        if isinstance(node, yaml.SequenceNode):
            yield from node.value
        elif node is not None:
            self.report(line_of(node), name, "is not a list", "write one entry a line, each after a dash")

    def scalar(self, node: yaml.Node, name: str) -> str | None:
        """The text of a single value; None, reported, for anything else."""
        if not isinstance(node, yaml.ScalarNode):
            self.report(line_of(node), name, "is not a single value", "write one value")
            return None
        return str(node.value)


def line_of(node: yaml.Node | None) -> int:
    """The 1-based line of a node; 1 for none."""
    return 1 if node is None else node.start_mark.line + 1
