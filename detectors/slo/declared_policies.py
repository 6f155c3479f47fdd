"""Alert policies that SLO files declare by name, for the SLOs of all files. It scales none before an SLO asks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import yaml

from detectors.slo.alerts import Named, policy_of
from detectors.slo.keys import NAME_PATTERN, POLICY_KEYS
from detectors.slo.nodes import Reader, line_of
from detectors.slo.policy import NO_ALERT, POLICY_NAMES
from detectors.slo.spec import Policy
from detectors.slo.windows import DEFAULT_WINDOW_NS


@dataclass(frozen=True, slots=True)
class DeclaredPolicy:
    """One entry of ``policies``, as written."""

    name: str
    reader: Reader
    field: str
    node: yaml.Node
    values: Mapping[str, yaml.Node]

    def scaled(self, window_ns: int) -> Policy:
        """The policy for an SLO whose window is ``window_ns``; problems go to the reader of its own file."""
        return replace(policy_of(self.reader, self.values, self.field, window_ns), name=self.name)


def read_policies(files: Iterable[tuple[Reader, yaml.Node]]) -> dict[str, Named]:
    """The policies of all files by name, given the ``policies`` of each; problems go to the reader of their file."""
    found: dict[str, DeclaredPolicy] = {}
    for reader, node in files:
        for field, entry in reader.items(node, "policies") or []:
            policy = _read(reader, entry, field)
            if policy is None:
                continue
            earlier = found.setdefault(policy.name, policy)
            if earlier is not policy:
                where = f"{earlier.reader.file}:{line_of(earlier.node)}"
                reader.note(entry, f"{field}.name", f"is the name of the policy at {where}", "choose another name")
    return {name: policy.scaled for name, policy in found.items()}


def _read(reader: Reader, node: yaml.Node, field: str) -> DeclaredPolicy | None:
    values = reader.mapping(node, field, POLICY_KEYS)
    if values is None:
        return None
    if "source" in values:
        reader.text(values["source"], f"{field}.source")
    if "burn" not in values and "sequential" not in values:
        reader.note(node, field, "alerts nothing", "list burn pairs, or add sequential")
    name = reader.text(values["name"], f"{field}.name") if "name" in values else None
    if name is None:
        return None
    if not re.match(NAME_PATTERN, name):
        remedy = "use at most 63 letters, digits, '-', '_' and '.', and begin with a letter or digit"
        reader.note(values["name"], f"{field}.name", f"{name!r} cannot be a name", remedy)
        return None
    if name in (*POLICY_NAMES, NO_ALERT):
        reader.note(values["name"], f"{field}.name", f"{name} is a policy that there is already", "choose another name")
        return None
    policy = DeclaredPolicy(name, reader, field, node, values)
    policy.scaled(DEFAULT_WINDOW_NS)  # notes what is wrong with it, whether or not an SLO names it
    return policy
