"""SLO files read into the model, with every problem reported at once; it decides nothing about sense (that is lint).

A problem names the file, the line, the dotted field, what is wrong and what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from detectors.slo.alerts import read_alert
from detectors.slo.conditions import read_per, read_where
from detectors.slo.keys import FILE_KEYS, LABEL_PATTERN, NAME_PATTERN, RESERVED_LABELS, SLO_KEYS
from detectors.slo.kinds.registry import read_sli
from detectors.slo.nodes import Reader, compose, kind_of, line_of
from detectors.slo.openslo.documents import is_openslo
from detectors.slo.openslo.read import read_openslo
from detectors.slo.policy import DEFAULT_POLICY, named_policy
from detectors.slo.spec import OCCURRENCES, Origin, Policy, Slo, SloSet
from detectors.slo.windows import DEFAULT_WINDOW_NS, read_budgeting, read_window
from telemetry.errors import FileProblemsError, Problem


def load_slos(paths: Sequence[Path]) -> SloSet:
    """Read SLO files; a folder stands for the ``*.yaml`` and ``*.yml`` files in it.

    Raises:
        FileProblemsError: every problem of every file.
    """
    texts, problems = _texts(paths)
    try:
        parsed = parse_slos(texts)
    except FileProblemsError as error:
        raise FileProblemsError([*problems, *error.problems]) from None
    if problems:
        raise FileProblemsError(problems)
    return parsed


def load_openslo(paths: Sequence[Path], strict: bool) -> SloSet:
    """Read files that hold OpenSLO documents and nothing else; a folder stands for the YAML files in it.

    Raises:
        FileProblemsError: every problem of every file, and with them the warnings.
    """
    texts, problems = _texts(paths)
    documents = read_openslo(texts, strict)
    repeated = repeated_names(documents.slos)
    if problems or documents.errors or repeated:
        raise FileProblemsError([*problems, *documents.problems, *repeated])
    return SloSet(documents.slos, documents.warnings)


def _texts(paths: Sequence[Path]) -> tuple[list[tuple[str, str]], list[Problem]]:
    """(file name, text) of the files, and a problem for each that cannot be read."""
    texts: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for path in paths:
        inside = sorted(found for pattern in ("*.yaml", "*.yml") for found in path.glob(pattern))
        for file in inside if path.is_dir() else [path]:
            try:
                texts.append((str(file), file.read_text(encoding="utf-8")))
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                problems.append(Problem(str(file), 1, "", f"cannot be read: {reason}", "check the path and the file"))
    return texts, problems


def parse_slos(texts: Sequence[tuple[str, str]]) -> SloSet:
    """Read SLO files given as (file name, text); those that hold OpenSLO documents are read leniently.

    Raises:
        FileProblemsError: every problem of every file.
    """
    slos: list[Slo] = []
    problems: list[Problem] = []
    for file, text in texts:
        found, faults = ([], []) if is_openslo(text) else _parse_file(text, file)
        slos.extend(found)
        problems.extend(faults)
    documents = read_openslo([(file, text) for file, text in texts if is_openslo(text)])
    slos.extend(documents.slos)
    problems.extend(documents.errors)
    problems.extend(repeated_names(slos))
    if problems:
        raise FileProblemsError(problems)
    return SloSet(tuple(slos), documents.warnings)


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


def _parse_file(text: str, file: str) -> tuple[list[Slo], list[Problem]]:
    root, problems = compose(text, file)
    if problems:
        return [], problems
    reader = Reader(file)
    if root is None:
        return [], [Problem(file, 1, "", "the file is empty", "begin with version: 1 and slos:")]
    top = reader.mapping(root, "", FILE_KEYS)
    if top is None:
        return [], reader.problems
    version = top.get("version")
    if version is not None and (kind_of(version) != "int" or version.value != "1"):
        reader.note(version, "version", f"{version.value!r} is not a version of this format", "write version: 1")
    slos: list[Slo] = []
    if "slos" in top:
        for field, node in reader.items(top["slos"], "slos") or []:
            slo = _SloReader(reader, field, node).read()
            if slo is not None:
                slos.append(slo)
    return slos, sorted(reader.problems, key=lambda problem: problem.line)


class _SloReader:
    """Reads one entry of ``slos``."""

    def __init__(self, reader: Reader, field: str, node: yaml.Node) -> None:
        self.reader = reader
        self.field = field
        self.node = node
        self.problems_before = len(reader.problems)

    def read(self) -> Slo | None:
        """The SLO, or None when it has a problem."""
        values = self.reader.mapping(self.node, self.field, SLO_KEYS)
        if values is None:
            return None
        name = self._name(values)
        texts = {
            key: self.reader.text(values[key], self._at(key)) if key in values else None
            for key in ("service", "owner", "description", "runbook")
        }
        sli = read_sli(self.reader, values["sli"], self._at("sli")) if "sli" in values else None
        where = read_where(self.reader, values.get("where"), self._at("where"))
        per = read_per(self.reader, values.get("per"), self._at("per"))
        objective = self._objective(values.get("objective"))
        window_ns, calendar = DEFAULT_WINDOW_NS, None
        if "window" in values:
            window_ns, calendar = read_window(self.reader, values["window"], self._at("window"))
        budgeting = (
            OCCURRENCES
            if "budgeting" not in values
            else read_budgeting(self.reader, values["budgeting"], self._at("budgeting"), sli)
        )
        policy = self._policy(values.get("alert"), window_ns)
        labels = self._labels(values.get("labels"))
        if len(self.reader.problems) > self.problems_before:
            return None
        assert sli is not None
        assert objective is not None
        return Slo(
            name=name or "", service=texts["service"] or "", sli=sli, objective=objective, window_ns=window_ns,
            calendar=calendar, budgeting=budgeting, where=where, per=per, policy=policy,
            owner=texts["owner"] or "", description=texts["description"] or "", runbook=texts["runbook"],
            labels=labels, origin=self._origin(),
        )  # fmt: skip

    def _at(self, key: str) -> str:
        return f"{self.field}.{key}"

    def _origin(self) -> Origin:
        prefix = f"{self.field}."
        lines = {name.removeprefix(prefix): line for name, line in self.reader.lines.items() if name.startswith(prefix)}
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

    def _objective(self, node: yaml.Node | None) -> float | None:
        return None if node is None else self.reader.share(node, self._at("objective"), "99.5%")

    def _policy(self, node: yaml.Node | None, window_ns: int) -> Policy:
        if node is None:
            return named_policy(DEFAULT_POLICY, window_ns)
        return read_alert(self.reader, node, self._at("alert"), window_ns)

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
