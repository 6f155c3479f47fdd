"""Scenario files read into values, with every problem of the file reported at once; it simulates nothing.

The SLOs stand in the file itself, as in an SLO file, or in files that it names, relative to its folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from detectors.slo.compile import compile_rules
from detectors.slo.engine import Engine
from detectors.slo.nodes import Reader, compose, kind_of
from detectors.slo.parse import load_slos, parse_slos
from detectors.slo.shapes import Key
from detectors.slo.spec import Slo, SloSet
from tailwatch.backtest.moments import time_of
from tailwatch.catalogue import expand
from tailwatch.simulation.disturbances import Stage, read_disturbances
from tailwatch.simulation.instruments import read_gauges
from tailwatch.simulation.maintenance import read_corrections
from tailwatch.simulation.predicting import read_predictions
from tailwatch.simulation.requests import read_failures, read_measures, read_slices
from tailwatch.simulation.scenario import Bursts, Scenario, Traffic
from telemetry.errors import ConfigError, FileProblemsError, Problem
from telemetry.rules import RollupRule
from telemetry.windows import BUCKET_NS, NANOS, format_duration

_KEYS: Final = (
    Key("version", {}, required=True), Key("name", {}), Key("start", {}), Key("duration", {}), Key("step", {}),
    Key("seed", {}), Key("service", {}, required=True), Key("slos", {}, required=True),
    Key("traffic", {}, required=True), Key("errors", {}), Key("measures", {}), Key("slices", {}), Key("gauges", {}),
    Key("predictions", {}), Key("incidents", {}), Key("corrections", {}),
)  # fmt: skip
_TRAFFIC_KEYS: Final = (
    Key("rate", {}, required=True), Key("daily", {}), Key("peak", {}), Key("weekend", {}), Key("jitter", {}),
    Key("bursts", {}),
)  # fmt: skip
_BURST_KEYS: Final = (
    Key("per_day", {}, required=True), Key("factor", {}, required=True), Key("duration", {}, required=True)
)  # fmt: skip
_SLO_TOP_KEYS: Final = frozenset({"version", "slos"})

DEFAULT_START_NS: Final = 1_767_571_200 * NANOS
"""Monday, 2026-01-05, midnight UTC."""
_DEFAULT_DURATION_NS: Final = 30 * 86400 * NANOS
_DEFAULT_STEP_NS: Final = 60 * NANOS
_MOST: Final = 1e9
_MOST_SIGMA: Final = 10.0
"""Of a logarithm: one in a thousand is then more than e^30 times the median."""
_MOST_A_SECOND: Final = 1e6
_LONGEST_NS: Final = 400 * 86400 * NANOS


def load_scenario(path: Path, seed: int | None = None) -> Scenario:
    """The scenario in a file, with ``seed`` in place of its own if given.

    Raises:
        FileProblemsError: every problem of the file and of the SLOs.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problem = Problem(str(path), 1, "", f"cannot be read: {reason}", "check the path and the file")
        raise FileProblemsError([problem]) from None
    root, problems = compose(text, str(path))
    if root is None:
        problem = Problem(str(path), 1, "", "the file is empty", "begin with version: 1 and service:")
        raise FileProblemsError(problems or [problem])
    return _Scenario(path, text).read(root, seed)


class _Bounded(Reader):
    """Reads numbers that can be drawn with: others would overflow hours into a run."""

    def number(self, node: yaml.Node, field: str) -> float | None:
        """A finite number above 0, and not beyond all measure."""
        found = super().number(node, field)
        most = _MOST_SIGMA if field.endswith("sigma") else _MOST
        if found is None or found <= most:
            return found
        self.note(node, field, f"{found:g} is beyond all measure", f"write at most {most:,.0f}")
        return None


class _Scenario:
    """Reads one file."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text
        self.reader = _Bounded(str(path))

    def read(self, root: yaml.Node, seed: int | None) -> Scenario:
        """The scenario.

        Raises:
            FileProblemsError: every problem.
        """
        reader = self.reader
        top = reader.mapping(root, "", _KEYS) or {}
        version = top.get("version")
        if version is not None and (kind_of(version) != "int" or version.value != "1"):
            reader.note(version, "version", f"{version.value!r} is not a version of this format", "write version: 1")
        texts = {key: reader.text(top[key], key) if key in top else None for key in ("name", "service")}
        duration_ns = self._grid(top, "duration", _DEFAULT_DURATION_NS, BUCKET_NS)
        step_ns = self._grid(top, "step", _DEFAULT_STEP_NS, BUCKET_NS)
        if duration_ns % step_ns or not step_ns <= duration_ns <= _LONGEST_NS:
            remedy = f"write a multiple of the step ({format_duration(step_ns)}) of at most 400d"
            reader.note(top.get("duration", root), "duration", "is no length of a simulation", remedy)
        traffic = self._traffic(top.get("traffic"))
        failures = read_failures(reader, top.get("errors"))
        measures = read_measures(reader, top.get("measures"))
        slices = read_slices(reader, top.get("slices"), measures)
        gauges = read_gauges(reader, top.get("gauges"))
        predictions = read_predictions(reader, top.get("predictions"))
        stage = Stage(duration_ns, slices, measures, gauges, predicts=predictions is not None)
        disturbances = read_disturbances(reader, top.get("incidents"), stage)
        found_seed = self._seed(top.get("seed"))
        start_ns = self._start(top.get("start"))
        slos, faults = self._slos(top.get("slos"))
        corrections = read_corrections(
            reader, top.get("corrections"), start_ns=start_ns, length_ns=duration_ns, service=texts["service"] or "",
            slos=slos,
        )  # fmt: skip
        scenario = Scenario(
            name=texts["name"] or self.path.stem, start_ns=start_ns, duration_ns=duration_ns, step_ns=step_ns,
            seed=found_seed if seed is None else seed, service=texts["service"] or "", traffic=traffic,
            failures=failures, measures=measures, slices=slices, disturbances=disturbances, slos=slos,
            gauges=gauges, predictions=predictions, corrections=corrections,
        )  # fmt: skip
        for one in disturbances:
            if one.slo is not None and slos.named(one.slo) is None and not faults:
                known = ", ".join(slo.name for slo in slos.slos)
                field = f"incidents.{one.name}.slo"
                reader.problems.append(
                    Problem(str(self.path), 1, field, f"there is no SLO {one.slo!r}", f"name one of {known}")
                )
        rush = max((one.traffic for one in disturbances), default=1.0)
        burst = traffic.bursts.factor if traffic.bursts else 1.0
        peak = traffic.rate * max(rush, 1.0) * max(burst, 1.0)
        if peak > _MOST_A_SECOND:
            message = f"would be {peak:,.0f} requests a second at the peak"
            reader.note(top.get("traffic", root), "traffic", message, f"keep it to {_MOST_A_SECOND:,.0f}")
        if not reader.problems:
            faults += [problem for slo in slos.slos for problem in _unfed(slo, scenario)]
        if reader.problems or faults:
            raise FileProblemsError(sorted([*reader.problems, *faults], key=lambda one: (one.file, one.line)))
        return scenario

    def _grid(self, top: Mapping[str, yaml.Node], key: str, default_ns: int, grid_ns: int) -> int:
        if key not in top:
            return default_ns
        found_ns = self.reader.duration(top[key], key)
        if found_ns is None:
            return default_ns
        if found_ns % grid_ns:
            remedy = f"write a multiple of {format_duration(grid_ns)}"
            self.reader.note(top[key], key, f"{format_duration(found_ns)} cuts a bucket of counts", remedy)
            return default_ns
        return found_ns

    def _start(self, node: yaml.Node | None) -> int:
        if node is None:
            return DEFAULT_START_NS
        found_ns = time_of(str(node.value)) if isinstance(node, yaml.ScalarNode) else None
        if found_ns is None or found_ns % (3600 * NANOS):
            remedy = "write a time such as 2026-01-05T00:00:00Z"
            self.reader.note(node, "start", "is not the beginning of an hour", remedy)
            return DEFAULT_START_NS
        return found_ns

    def _seed(self, node: yaml.Node | None) -> int:
        if node is None:
            return 0
        if kind_of(node) == "int" and str(node.value).isdecimal():
            return int(node.value)
        self.reader.note(node, "seed", f"{node.value!r} is not a whole number from 0 on", "write a number, such as 7")
        return 0

    def _traffic(self, node: yaml.Node | None) -> Traffic:
        reader = self.reader
        values = {} if node is None else reader.mapping(node, "traffic", _TRAFFIC_KEYS) or {}
        numbers = {
            key: reader.number(values[key], f"traffic.{key}") if key in values else None for key in ("rate", "weekend")
        }
        shares = {
            key: reader.share(values[key], f"traffic.{key}", "40%") if key in values else None
            for key in ("daily", "jitter")
        }
        peak_hour = 14.0
        if "peak" in values:
            peak_hour = self._hour(values["peak"])
        return Traffic(
            numbers["rate"] or 1.0, shares["daily"] or 0.0, peak_hour, numbers["weekend"] or 1.0,
            shares["jitter"] or 0.0, self._bursts(values.get("bursts")),
        )  # fmt: skip

    def _hour(self, node: yaml.Node) -> float:
        if kind_of(node) == "int" and str(node.value).isdecimal() and int(node.value) < 24:
            return float(node.value)
        self.reader.note(node, "traffic.peak", f"{node.value!r} is not an hour of the day", "write 0 to 23 (UTC)")
        return 14.0

    def _bursts(self, node: yaml.Node | None) -> Bursts | None:
        values = None if node is None else self.reader.mapping(node, "traffic.bursts", _BURST_KEYS)
        if values is None or any(key.name not in values for key in _BURST_KEYS):
            return None
        per_day = self.reader.number(values["per_day"], "traffic.bursts.per_day")
        factor = self.reader.number(values["factor"], "traffic.bursts.factor")
        duration_ns = self.reader.duration(values["duration"], "traffic.bursts.duration")
        if per_day is None or factor is None or duration_ns is None:
            return None
        return Bursts(per_day, factor, duration_ns)

    def _slos(self, node: yaml.Node | None) -> tuple[SloSet, list[Problem]]:
        if node is None:
            return SloSet(), []
        try:
            if isinstance(node, yaml.SequenceNode) and any(isinstance(item, yaml.MappingNode) for item in node.value):
                return parse_slos([(str(self.path), self._inline())]), []
            single = isinstance(node, yaml.ScalarNode)
            names = [self.reader.text(node, "slos")] if single else _texts(self.reader, node)
            patterns = [str(self.path.parent / name) for name in names if name]
            slos = load_slos(expand(patterns)) if patterns else SloSet()
        except FileProblemsError as error:
            return SloSet(), list(error.problems)
        except ConfigError as error:
            self.reader.note(node, "slos", f"{error.where}: {error.what}", "name SLO files, relative to the scenario")
            return SloSet(), []
        if not len(slos):
            self.reader.note(node, "slos", "there are no SLOs", "name an SLO file, or write SLOs")
        return slos, []

    def _inline(self) -> str:
        """The text as an SLO file: lines of other keys blank, so that problems name the lines of the scenario."""
        wanted = False
        lines = []
        for line in self.text.splitlines():
            if line[:1] not in ("", " ", "#", "-"):
                wanted = line.partition(":")[0].strip("\"' ") in _SLO_TOP_KEYS
            lines.append(line if wanted else "")
        return "\n".join(lines)


def _texts(reader: Reader, node: yaml.Node) -> list[str]:
    return [text for _, _, text in reader.texts(node, "slos") or []]


def _unfed(slo: Slo, scenario: Scenario) -> list[Problem]:
    """Why the simulation can say nothing about an SLO, if so."""
    where = slo.origin.file, slo.origin.line_of("sli")
    problems = []
    read = frozenset().union(*(_judged_by(slo, rule) for rule in compile_rules(slo)))
    missing = sorted(read - scenario.fields)
    if missing == ["prediction"]:
        message = "judges predictions, and the simulation's requests make none"
        problems.append(Problem(*where, f"{slo.name}.sli", message, "add predictions: to the scenario"))
    elif missing:
        message = f"reads {', '.join(missing)}, which the simulation's requests do not have"
        problems.append(Problem(*where, slo.name, message, "add it under measures:, or to the labels of slices"))
    names = {name for service, name in Engine(SloSet((slo,))).gauges if service == scenario.service}
    if names and not names & {one.name for one in scenario.gauges}:
        known = names.pop() if len(names) == 1 else f"one of {', '.join(sorted(names))}"
        message = f"is judged by the gauge {known}, which the simulation does not have"
        problems.append(Problem(*where, f"{slo.name}.sli", message, "add it under gauges:"))
    return problems


def _judged_by(slo: Slo, rule: RollupRule) -> frozenset[str]:
    """The fields that decide what a rule counts; distributions count where slices are judged by them."""
    names = rule.where.names | rule.good.names | frozenset(rule.per)
    return names if slo.sli.slice_ns is None else names | frozenset(rule.distributions)
