"""Prometheus rules and groups of them as values, and their YAML; it knows nothing of SLOs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from telemetry.windows import format_duration


@dataclass(frozen=True, slots=True)
class Recording:
    """``expr`` evaluated and kept as the series ``name``."""

    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The rule as Prometheus reads it."""
        return {"record": self.name, "expr": self.expr, **({"labels": dict(self.labels)} if self.labels else {})}


@dataclass(frozen=True, slots=True)
class Alerting:
    """An alert for every series that ``expr`` gives."""

    name: str
    expr: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def document(self) -> dict[str, Any]:
        """The rule as Prometheus reads it."""
        return {
            "alert": self.name, "expr": self.expr, "labels": dict(self.labels), "annotations": dict(self.annotations),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are evaluated one after another, every ``interval_ns``."""

    name: str
    interval_ns: int
    rules: tuple[Recording | Alerting, ...]

    def document(self) -> dict[str, Any]:
        """The group as Prometheus reads it."""
        return {
            "name": self.name, "interval": format_duration(self.interval_ns),
            "rules": [rule.document() for rule in self.rules],
        }  # fmt: skip


def verbatim(text: str) -> str:
    """``text`` so that Prometheus's templates in labels and annotations show it as it stands."""
    return text.replace("{{", '{{ "{{" }}')


def to_yaml(groups: Sequence[RuleGroup], heading: Sequence[str]) -> str:
    """A rule file: the same groups give the same text. ``heading``: its first lines, as comments."""
    comment = "".join(f"# {line}\n" for line in heading)
    document = {"groups": [group.document() for group in groups]}
    return comment + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, and never refers back to an equal value."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
