"""Reads the price table from YAML and reports every fault with its line; what prices mean is ``telemetry.prices``.

version: 1
stale_after: 90d
prices:
  - model: gpt-4o                      # or where: ['model=~"gpt-4o.*"', 'provider="openai"']
    effective: 2025-01-01              # UTC; the latest in effect wins, then the first in the file
    per_million_tokens: {input: 2.50, cached_input: 1.25, cache_write: 3.125, output: 10, reasoning: 10}
    per_request: 0.0005
    per_gpu_hour: 2.20
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from telemetry.errors import ConfigError, DurationError, FileProblemsError, MatcherError, Problem
from telemetry.matchers import Matcher, Matchers, parse_matcher
from telemetry.prices import Price, PriceTable
from telemetry.windows import NANOS, parse_duration

_DEFAULT_STALE_AFTER: Final = "90d"
_MILLION: Final = 1_000_000
_SECONDS_PER_HOUR: Final = 3600
_FILE_KEYS: Final = ("version", "stale_after", "prices")
_LABELS: Final = ("model", "provider", "model_version", "service", "environment", "region")
_TOKEN_KEYS: Final = {
    "input": "input_token",
    "cached_input": "cached_token",
    "cache_write": "cache_write_token",
    "output": "output_token",
    "reasoning": "reasoning_token",
}
_PRICE_KEYS: Final = (*_LABELS, "where", "effective", "per_million_tokens", "per_request", "per_gpu_hour")


@dataclass(frozen=True, slots=True)
class PriceFile:
    """A price table, and how old its newest price may become before it is called stale."""

    table: PriceTable
    stale_after_ns: int

    def is_stale(self, now_ns: int) -> bool:
        """Whether the newest price has been in effect for longer than ``stale_after``; an empty table never is."""
        latest_ns = self.table.latest_effective_ns
        return latest_ns is not None and now_ns - latest_ns > self.stale_after_ns


def load_prices(path: Path) -> PriceFile:
    """The price table in ``path``.

    Raises:
        ConfigError: the file cannot be read.
        FileProblemsError: the file holds mistakes; all of them are in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the price file cannot be read: {error}", where=str(path), remedy="check the path") from None
    return parse_prices(text, str(path))


def parse_prices(text: str, file: str) -> PriceFile:
    """The price table in ``text``; ``file`` is its name in messages.

    Raises:
        FileProblemsError: the text holds mistakes; all of them are in it.
    """
    reader = _Reader(file)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        reader.report(line, "file", f"not YAML: {error.problem}", "check the indentation and the quotes")
        root = None
    except (yaml.YAMLError, RecursionError) as error:
        reader.report(1, "file", f"not YAML: {error}", "save the file as UTF-8 text")
        root = None
    result = None if root is None and reader.problems else reader.price_file(root)
    if reader.problems or result is None:
        raise FileProblemsError(reader.problems)
    return result


@dataclass(slots=True)
class _Reader:
    """Walks the YAML nodes of one file and gathers problems."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def report(self, line: int, name: str, message: str, remedy: str) -> None:
        self.problems.append(Problem(self.file, line, name, message, remedy))

    def price_file(self, root: yaml.Node | None) -> PriceFile:
        found = self._mapping(root, "file", _FILE_KEYS)
        if "version" not in found:
            self.report(1, "version", "is missing", "write version: 1")
        elif (version := self._scalar(found["version"], "version")) not in (None, "1"):
            self.report(_line(found["version"]), "version", f"{version!r} is not known", "write version: 1")
        stale_after_ns = self._stale_after(found.get("stale_after"))
        prices = [
            self._price(node, f"prices[{index}]")
            for index, node in enumerate(self._sequence(found.get("prices"), "prices"))
        ]
        return PriceFile(PriceTable(tuple(prices)), stale_after_ns)

    def _stale_after(self, node: yaml.Node | None) -> int:
        text = (self._scalar(node, "stale_after") if node is not None else None) or _DEFAULT_STALE_AFTER
        try:
            return parse_duration(text)
        except DurationError as error:
            self.report(_line(node), "stale_after", error.what, error.remedy)
            return 0

    def _price(self, node: yaml.Node, name: str) -> Price:
        found = self._mapping(node, name, _PRICE_KEYS)
        tokens = self._mapping(found.get("per_million_tokens"), f"{name}.per_million_tokens", tuple(_TOKEN_KEYS))
        amounts = {
            _TOKEN_KEYS[key]: self._amount(amount, f"{name}.per_million_tokens.{key}") / _MILLION
            for key, amount in tokens.items()
        }
        for key, argument, divisor in (
            ("per_request", "request", 1),
            ("per_gpu_hour", "gpu_second", _SECONDS_PER_HOUR),
        ):
            if key in found:
                amounts[argument] = self._amount(found[key], f"{name}.{key}") / divisor
        if not amounts:
            self.report(_line(node), name, "has no price", "give per_million_tokens, per_request or per_gpu_hour")
        return Price(self._where(node, found, name), self._effective(node, found, name), **amounts)

    def _where(self, node: yaml.Node, found: dict[str, yaml.Node], name: str) -> Matchers:
        items: list[Matcher] = []
        for label in _LABELS:
            value = self._scalar(found[label], f"{name}.{label}") if label in found else None
            if value:
                items.append(Matcher(label, "=", value))
        for place, condition in enumerate(self._sequence(found.get("where"), f"{name}.where")):
            text = self._scalar(condition, f"{name}.where[{place}]")
            try:
                items += [parse_matcher(text)] if text else []
            except MatcherError as error:
                self.report(_line(condition), f"{name}.where[{place}]", error.what, error.remedy)
        if not items and not ({"where", *_LABELS} & found.keys()):
            self.report(_line(node), name, "does not say what it prices", "give model, or where with matchers")
        return Matchers(tuple(items))

    def _effective(self, node: yaml.Node, found: dict[str, yaml.Node], name: str) -> int:
        remedy = "write a date such as 2025-01-31, or a time such as 2025-01-31T12:00:00Z"
        if "effective" not in found:
            self.report(_line(node), f"{name}.effective", "is missing", remedy)
            return 0
        text = self._scalar(found["effective"], f"{name}.effective")
        try:
            moment = dt.datetime.fromisoformat(text or "")
        except ValueError:
            self.report(_line(found["effective"]), f"{name}.effective", f"{text!r} is not a date", remedy)
            return 0
        aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return round(aware.timestamp()) * NANOS

    def _amount(self, node: yaml.Node, name: str) -> float:
        text = self._scalar(node, name)
        try:
            amount = float(text or "")
        except ValueError:
            amount = math.nan
        if not (math.isfinite(amount) and amount >= 0):
            self.report(_line(node), name, f"{text!r} is not an amount", "write US dollars, 0 or more")
            return 0.0
        return amount

    def _mapping(self, node: yaml.Node | None, name: str, keys: tuple[str, ...]) -> dict[str, yaml.Node]:
        if node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.report(_line(node), name, "is not a mapping", f"write keys among {', '.join(keys)}")
            return {}
        found: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = str(key_node.value)
            if key not in keys:
                self.report(_line(key_node), f"{name}.{key}", "is not known", f"use one of {', '.join(keys)}")
            elif key in found:
                self.report(_line(key_node), f"{name}.{key}", "is given twice", "keep one of them")
            else:
                found[key] = value
        return found

    def _sequence(self, node: yaml.Node | None, name: str) -> Iterator[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            yield from node.value
        elif node is not None:
            self.report(_line(node), name, "is not a list", "write one entry a line, each after a dash")

    def _scalar(self, node: yaml.Node, name: str) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self.report(_line(node), name, "is not a single value", "write one value")
            return None
        return str(node.value)


def _line(node: yaml.Node | None) -> int:
    return 1 if node is None else node.start_mark.line + 1
