"""What the user declared: SLO files and the price table, read, linted and compiled to rules for the collector."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alerting.runbooks.library import RunbookLibrary
from collector.price_file import PriceFile, load_prices
from detectors.slo.compile import compile_rules, rule_id
from detectors.slo.lint import lint
from detectors.slo.parse import read_slos
from detectors.slo.spec import SloSet
from tailwatch.settings import Settings
from telemetry.errors import ConfigError, FileProblemsError, Problem
from telemetry.prices import PriceTable
from telemetry.rules import SERIES_RULE, RollupRule
from telemetry.windows import format_duration


@dataclass(frozen=True, slots=True)
class Catalogue:
    """SLOs, prices, and the warnings that came up while reading them."""

    slos: SloSet
    prices: PriceFile
    warnings: tuple[Problem, ...]

    @property
    def rules(self) -> tuple[RollupRule, ...]:
        """What the collector counts: the service series first, then every SLO."""
        return (SERIES_RULE, *(rule for slo in self.slos.slos for rule in compile_rules(slo)))

    def changes_since(self, before: Catalogue) -> str:
        """What is different from ``before``, for people."""
        old, new = _meanings(before.slos), _meanings(self.slos)
        told = {
            "new": new.keys() - old.keys(),
            "removed": old.keys() - new.keys(),
            "counted anew": {name for name in new.keys() & old.keys() if new[name] != old[name]},
        }
        parts = [f"{what} {', '.join(sorted(names))}" for what, names in told.items() if names]
        prices = [] if self.prices == before.prices else ["prices changed"]
        return "; ".join([f"{len(new)} SLOs", *parts, *prices])


def expand(patterns: Sequence[str]) -> list[Path]:
    """Files that the patterns name, each once, in order.

    Raises:
        FileProblemsError: patterns name no file.
    """
    found, problems = _expanded(patterns)
    if problems:
        raise FileProblemsError(problems)
    return found


def _expanded(patterns: Sequence[str]) -> tuple[list[Path], list[Problem]]:
    """Files that the patterns name, and a problem for each that names none."""
    found: dict[Path, None] = {}
    problems: list[Problem] = []
    for pattern in patterns:
        names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - patterns may be absolute
        if not names:
            problems.append(Problem(pattern, 0, "", "no such SLO file", "check the paths and globs under slos"))
        found.update(dict.fromkeys(Path(name) for name in names))
    return list(found), problems


def _meanings(slos: SloSet) -> dict[str, str]:
    return {slo.name: rule_id(slo) for slo in slos.slos}


def too_long(slos: SloSet, kept_ns: int) -> list[Problem]:
    """A problem for each SLO that looks back further than counters are kept: its budget would silently shrink."""
    return [
        Problem(
            slo.origin.file, slo.origin.line_of("window"), f"{slo.name}.window",
            f"the window is longer than counters are kept ({format_duration(kept_ns)})",
            "shorten the window, or raise rollup_retention",
        )
        for slo in slos.slos
        if slo.longest_window_ns > kept_ns
    ]  # fmt: skip


def load_catalogue(settings: Settings) -> Catalogue:
    """Read everything that the user declared.

    Raises:
        FileProblemsError: every error in every file.
    """
    paths, problems = _expanded(settings.slos)
    prices = PriceFile(PriceTable(), 0)
    slos, faults = read_slos(paths)
    problems += faults
    problems += lint(slos, RunbookLibrary(settings.alerting.runbooks).names)
    problems += too_long(slos, settings.rollup_retention)
    if settings.prices is not None:
        try:
            prices = load_prices(settings.prices)
        except FileProblemsError as error:
            problems += error.problems
        except ConfigError as error:
            problems.append(Problem(str(settings.prices), 0, "", error.what, error.remedy))
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise FileProblemsError(errors)
    return Catalogue(slos, prices, tuple(problems))
