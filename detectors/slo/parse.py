"""SLO files read into the model, with every problem reported at once; it decides nothing about sense (that is lint).

A problem names the file, the line, the dotted field, what is wrong and what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from detectors.slo.alerts import INLINE, Named, read_alert
from detectors.slo.composites import put_together
from detectors.slo.conditions import read_per, read_where
from detectors.slo.declared_policies import read_policies
from detectors.slo.defaults import DEFAULTS, Defaults, default_nodes
from detectors.slo.fitting import fitted
from detectors.slo.keys import FILE_KEYS, LABEL_PATTERN, NAME_PATTERN, RESERVED_LABELS, SLO_KEYS
from detectors.slo.kinds.composite import Composite
from detectors.slo.kinds.protocol import Sli
from detectors.slo.kinds.registry import read_sli
from detectors.slo.kinds.spend import Spend
from detectors.slo.nodes import Reader, compose, kind_of, line_of
from detectors.slo.openslo.documents import is_openslo
from detectors.slo.openslo.read import read_openslo
from detectors.slo.policy import DEFAULT_POLICY, named_policy
from detectors.slo.spec import OCCURRENCES, Origin, Policy, Slo, SloSet
from detectors.slo.texts import read_texts
from detectors.slo.windows import DEFAULT_WINDOW_NS, read_budgeting, read_window
from telemetry.errors import FileProblemsError, Problem
from telemetry.matchers import Matchers


def load_slos(paths: Sequence[Path]) -> SloSet:
    """Read SLO files; a folder stands for the ``*.yaml`` and ``*.yml`` files in it.

    Raises:
        FileProblemsError: every problem of every file.
    """
    parsed, problems = read_slos(paths)
    if problems:
        raise FileProblemsError(problems)
    return parsed


def read_slos(paths: Sequence[Path]) -> tuple[SloSet, list[Problem]]:
    """The SLOs of files (see :func:`load_slos`) that have no problem, and every problem."""
    texts, problems = read_texts(paths)
    return _parse(texts, problems)


def read_openslo_files(paths: Sequence[Path], strict: bool) -> tuple[SloSet, list[Problem]]:
    """The SLOs of files that hold OpenSLO documents and nothing else, and every problem; warnings are in the set.

    A folder stands for the YAML files in it.
    """
    texts, problems = read_texts(paths)
    documents = read_openslo(texts, strict)
    problems = [*problems, *documents.errors]
    return _whole([_Entry(slo.name, slo) for slo in documents.slos], documents.warnings, problems, named=not problems)


def parse_slos(texts: Sequence[tuple[str, str]]) -> SloSet:
    """Read SLO files given as (file name, text); those that hold OpenSLO documents are read leniently.

    Raises:
        FileProblemsError: every problem of every file.
    """
    parsed, problems = _parse(texts, [])
    if problems:
        raise FileProblemsError(problems)
    return parsed


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of ``slos``: its name, if it can be read, and the SLO; one with a problem is ``faulty``, or nothing."""

    name: str | None
    slo: Slo | None
    faulty: bool = False


def _parse(texts: Sequence[tuple[str, str]], unread: Sequence[Problem]) -> tuple[SloSet, list[Problem]]:
    """The SLOs that have no problem, and every problem, file by file, after those of files that are not among them."""
    opened = [_open_file(file, text) for file, text in texts if not is_openslo(text)]
    files = [file for file, _ in opened]
    policies = read_policies((file.reader, file.values["policies"]) for file in files if "policies" in file.values)
    entries = [entry for file in files for entry in _read_slos(file, policies)]
    problems = [
        problem
        for file, faults in opened
        # A default is read by each SLO that lacks the key, and so may be its fault; it is told once.
        for problem in dict.fromkeys(sorted([*faults, *file.reader.problems], key=lambda problem: problem.line))
    ]
    documents = read_openslo([(file, text) for file, text in texts if is_openslo(text)])
    entries.extend(_Entry(slo.name, slo) for slo in documents.slos)
    named = not (unread or documents.errors or any(faults for _, faults in opened))
    return _whole(entries, documents.warnings, [*unread, *problems, *documents.errors], named=named)


def _whole(
    entries: Sequence[_Entry], warnings: tuple[Problem, ...], problems: list[Problem], *, named: bool
) -> tuple[SloSet, list[Problem]]:
    """The SLOs with composites put together, and every problem; ``named`` says that every SLO there is has an entry."""
    slos = [entry.slo for entry in entries if entry.slo is not None and not entry.faulty]
    faulty = [entry.slo for entry in entries if entry.slo is not None and entry.faulty]
    unread = [entry.name for entry in entries if entry.slo is None]
    names = {name for name in unread if name is not None}
    known = named and len(names) == len(unread)
    done, lacking = put_together(slos, faulty, names if known else None)
    return SloSet(tuple(map(fitted, done)), warnings), [*problems, *repeated_names(slos), *lacking]


def repeated_names(slos: Sequence[Slo]) -> list[Problem]:
    """A problem for every SLO whose name an earlier one has."""
    first: dict[str, Slo] = {}
    problems = []
    for slo in slos:
        earlier = first.setdefault(slo.name, slo)
        if earlier is not slo:
            where = f"{earlier.origin.file}:{earlier.origin.line_of('name')}"
            problems.append(
                Problem(
                    slo.origin.file, slo.origin.line_of("name"), f"{slo.name}.name",
                    f"is the name of the SLO at {where}", "give every SLO a name of its own",
                )
            )  # fmt: skip
    return problems


@dataclass(frozen=True, slots=True)
class _File:
    """One file in the native format, opened: its reader, and the values of its keys."""

    reader: Reader
    values: Mapping[str, yaml.Node]


def _open_file(file: str, text: str) -> tuple[_File, list[Problem]]:
    reader = Reader(file)
    root, problems = compose(text, file)
    if problems:
        return _File(reader, {}), problems
    if root is None:
        return _File(reader, {}), [Problem(file, 1, "", "the file is empty", "begin with version: 1 and slos:")]
    top = reader.mapping(root, "", FILE_KEYS)
    if top is not None and "slos" not in top and "policies" not in top:
        reader.note(root, "slos", "is missing", "add slos:, or policies:")
    version = (top or {}).get("version")
    if version is not None and (kind_of(version) != "int" or version.value != "1"):
        reader.note(version, "version", f"{version.value!r} is not a version of this format", "write version: 1")
    return _File(reader, top or {}), []


def _read_slos(file: _File, policies: Mapping[str, Named]) -> list[_Entry]:
    """The SLOs of a file."""
    reader = file.reader
    nodes = default_nodes(reader, file.values[DEFAULTS]) if DEFAULTS in file.values else {}
    common = _SloReader(reader, DEFAULTS, file.values.get(DEFAULTS), policies=policies).defaults(nodes)
    listed = (reader.items(file.values["slos"], "slos") or []) if "slos" in file.values else []
    return [_SloReader(reader, field, node, common, policies).read() for field, node in listed]


class _SloReader:
    """Reads one entry of ``slos``."""

    def __init__(
        self,
        reader: Reader,
        field: str,
        node: yaml.Node | None,
        common: Defaults | None = None,
        policies: Mapping[str, Named] | None = None,
    ) -> None:
        self.reader = reader
        self.field = field
        self.node = node
        self.common = common or Defaults()
        self.policies = policies or {}
        self.inherited: frozenset[str] = frozenset()
        self.problems_before = len(reader.problems)

    def defaults(self, nodes: Mapping[str, yaml.Node]) -> Defaults:
        """What ``defaults`` say; each value is read, so that a problem is told even if no SLO takes it."""
        for key in ("service", "owner", "runbook"):
            if key in nodes:
                self.reader.text(nodes[key], self._at(key))
        if "objective" in nodes:
            self.reader.share(nodes["objective"], self._at("objective"), "99.5%")
        window_ns = read_window(self.reader, nodes["window"], self._at("window"))[0] if "window" in nodes else None
        self._policy(nodes.get("alert"), window_ns or DEFAULT_WINDOW_NS)
        read_per(self.reader, nodes.get("per"), self._at("per"))
        where = read_where(self.reader, nodes.get("where"), self._at("where"))
        labels = self._labels(nodes.get("labels"))
        return Defaults({key: node for key, node in nodes.items() if key not in ("where", "labels")}, where, labels)

    def read(self) -> _Entry:
        """The SLO; with a problem only if it is a composite, whose components can be looked for all the same."""
        assert self.node is not None
        own = self.reader.mapping(self.node, self.field, SLO_KEYS)
        if own is None:
            return _Entry(None, None)
        values = self.common.added_to(own)
        self.inherited = frozenset(values.keys() - own.keys())
        if "service" not in values:
            self.reader.note(self.node, self._at("service"), "is missing", "add service:")
        name = self._name(values)
        texts = {
            key: self.reader.text(values[key], self._at(key)) if key in values else None
            for key in ("service", "owner", "description", "runbook")
        }
        sli = read_sli(self.reader, values["sli"], self._at("sli")) if "sli" in values else None
        where = read_where(self.reader, values.get("where"), self._at("where"))
        where = Matchers((*self.common.where.items, *where.items))
        per = read_per(self.reader, values.get("per"), self._at("per"))
        objective = self._objective(values.get("objective"), sli)
        window_ns, calendar = DEFAULT_WINDOW_NS, None
        if "window" in values:
            window_ns, calendar = read_window(self.reader, values["window"], self._at("window"))
        budgeting = (
            OCCURRENCES
            if "budgeting" not in values
            else read_budgeting(self.reader, values["budgeting"], self._at("budgeting"), sli)
        )
        policy = self._policy(values.get("alert"), window_ns)
        if isinstance(sli, Spend):
            policy = self._of_money(policy, values.get("alert"))
        labels = {**self.common.labels, **self._labels(values.get("labels"))}
        faulty = len(self.reader.problems) > self.problems_before
        if sli is None or (faulty and not isinstance(sli, Composite)):
            return _Entry(name, None)
        slo = Slo(
            name=name or "", service=texts["service"] or "", sli=sli, objective=objective or 0.0, window_ns=window_ns,
            calendar=calendar, budgeting=budgeting, where=where, per=per, policy=policy,
            owner=texts["owner"] or "", description=texts["description"] or "", runbook=texts["runbook"],
            labels=labels, origin=self._origin(),
        )  # fmt: skip
        return _Entry(name, slo, faulty)

    def _at(self, key: str) -> str:
        return f"{DEFAULTS if key in self.inherited else self.field}.{key}"

    def _origin(self) -> Origin:
        assert self.node is not None
        lines: dict[str, int] = {}
        for prefix in (f"{DEFAULTS}.", f"{self.field}."):
            found = self.reader.lines.items()
            lines |= {name.removeprefix(prefix): line for name, line in found if name.startswith(prefix)}
        return Origin(self.reader.file, line_of(self.node), lines)

    def _name(self, values: dict[str, yaml.Node]) -> str | None:
        if "name" not in values:
            return None
        text = self.reader.text(values["name"], self._at("name"))
        if text is not None and not re.match(NAME_PATTERN, text):
            self.reader.note(
                values["name"], self._at("name"), f"{text!r} cannot be a name",
                "use at most 63 letters, digits, '-', '_' and '.', and begin with a letter or digit",
            )  # fmt: skip
        return text

    def _objective(self, node: yaml.Node | None, sli: Sli | None) -> float | None:
        """The objective; 0 for a budget of money, which has none."""
        if isinstance(sli, Spend):
            if node is not None and "objective" not in self.inherited:
                message = "has no meaning for spend: the budget is an amount, not a share"
                self.reader.note(node, self._at("objective"), message, "leave it out")
            return 0.0
        if node is None:
            assert self.node is not None
            self.reader.note(self.node, self._at("objective"), "is missing", "add objective:")
            return None
        return self.reader.share(node, self._at("objective"), "99.5%")

    def _of_money(self, policy: Policy, node: yaml.Node | None) -> Policy:
        """The policy for a budget of money: spending is known, so evidence for it is none of its conditions."""
        if policy.sequential is not None and policy.name == INLINE:
            message = "has a sequential alert, which tests samples: money spent is a fact"
            assert node is not None
            self.reader.note(node, self._at("alert"), message, "leave sequential out, and use burn pairs")
        return replace(policy, gate=False, sequential=None)

    def _policy(self, node: yaml.Node | None, window_ns: int) -> Policy:
        if node is None:
            return named_policy(DEFAULT_POLICY, window_ns)
        return read_alert(self.reader, node, self._at("alert"), window_ns, self.policies)

    def _labels(self, node: yaml.Node | None) -> dict[str, str]:
        labels = {}
        for name, key, value in (self.reader.pairs(node, self._at("labels")) or []) if node else []:
            field = self._at(f"labels.{name}")
            text = self.reader.text(value, field)
            if not re.match(LABEL_PATTERN, name):
                self.reader.note(key, field, f"{name!r} cannot be a label name", "use letters, digits and '_'")
            elif name in RESERVED_LABELS:
                self.reader.note(key, field, f"{name} is a label that every alert has already", "choose another name")
            elif text is not None:
                labels[name] = text
        return labels
