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
