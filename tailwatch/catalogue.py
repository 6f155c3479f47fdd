"""What the user declared: SLO files and the price table, read, linted and compiled to rules for the collector."""

from __future__ import annotations

import glob
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from collector.price_file import PriceFile, load_prices
from detectors.slo.compile import compile_rules
from detectors.slo.lint import lint
from detectors.slo.parse import load_slos
from detectors.slo.spec import SloSet
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


def expand(patterns: Sequence[str]) -> list[Path]:
    """Files that the patterns name, each once, in order.

    Raises:
        ConfigError: a pattern names no file.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - patterns may be absolute
        if not names:
            raise ConfigError("no such SLO file", where=pattern, remedy="check the paths and globs under slos")
        found.update(dict.fromkeys(Path(name) for name in names))
    return list(found)


def check_windows(slos: SloSet, kept_ns: int) -> None:
    """Raise for SLOs that look back further than counters are kept: their budgets would silently shrink.

    Raises:
        FileProblemsError: naming each of them.
    """
    problems = [
        Problem(
            slo.origin.file, slo.origin.line_of("window"), f"{slo.name}.window",
            f"the window is longer than counters are kept ({format_duration(kept_ns)})",
            "shorten the window, or raise rollup_retention",
        )
        for slo in slos.slos
        if slo.longest_window_ns > kept_ns
    ]  # fmt: skip
    if problems:
        raise FileProblemsError(problems)


def load_catalogue(patterns: Sequence[str], prices: Path | None, runbooks: Collection[str]) -> Catalogue:
    """Read everything that the user declared.

    Raises:
        FileProblemsError: every error in every file.
        ConfigError: a file is missing or cannot be read.
    """
    slos = load_slos(expand(patterns))
    problems = lint(slos, runbooks)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise FileProblemsError(errors)
    price_file = PriceFile(PriceTable(), 0) if prices is None else load_prices(prices)
    return Catalogue(slos, price_file, tuple(problems))
