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
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from collector.yaml_nodes import NodeReader, line_of
from telemetry.errors import ConfigError, DurationError, FileProblemsError, MatcherError
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
    root = reader.compose(text)
    result = None if root is None and reader.problems else reader.price_file(root)
    if reader.problems or result is None:
        raise FileProblemsError(reader.problems)
    return result


class _Reader(NodeReader):
    """Reads the nodes of a price file."""

    def price_file(self, root: yaml.Node | None) -> PriceFile:
        found = self.mapping(root, "file", _FILE_KEYS)
        if "version" not in found:
            self.report(1, "version", "is missing", "write version: 1")
        elif (version := self.scalar(found["version"], "version")) not in (None, "1"):
            self.report(line_of(found["version"]), "version", f"{version!r} is not known", "write version: 1")
        stale_after_ns = self._stale_after(found.get("stale_after"))
        prices = [
            self._price(node, f"prices[{index}]")
            for index, node in enumerate(self.sequence(found.get("prices"), "prices"))
        ]
        return PriceFile(PriceTable(tuple(prices)), stale_after_ns)

    def _stale_after(self, node: yaml.Node | None) -> int:
        text = (self.scalar(node, "stale_after") if node is not None else None) or _DEFAULT_STALE_AFTER
        try:
            return parse_duration(text)
        except DurationError as error:
            self.report(line_of(node), "stale_after", error.what, error.remedy)
            return 0

    def _price(self, node: yaml.Node, name: str) -> Price:
        found = self.mapping(node, name, _PRICE_KEYS)
        tokens = self.mapping(found.get("per_million_tokens"), f"{name}.per_million_tokens", tuple(_TOKEN_KEYS))
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
            self.report(line_of(node), name, "has no price", "give per_million_tokens, per_request or per_gpu_hour")
        return Price(self._where(node, found, name), self._effective(node, found, name), **amounts)

    def _where(self, node: yaml.Node, found: dict[str, yaml.Node], name: str) -> Matchers:
        items: list[Matcher] = []
        for label in _LABELS:
            value = self.scalar(found[label], f"{name}.{label}") if label in found else None
            if value:
                items.append(Matcher(label, "=", value))
        for place, condition in enumerate(self.sequence(found.get("where"), f"{name}.where")):
            text = self.scalar(condition, f"{name}.where[{place}]")
            try:
                items += [parse_matcher(text)] if text else []
            except MatcherError as error:
                self.report(line_of(condition), f"{name}.where[{place}]", error.what, error.remedy)
        if not items and not ({"where", *_LABELS} & found.keys()):
            self.report(line_of(node), name, "does not say what it prices", "give model, or where with matchers")
        return Matchers(tuple(items))

    def _effective(self, node: yaml.Node, found: dict[str, yaml.Node], name: str) -> int:
        remedy = "write a date such as 2025-01-31, or a time such as 2025-01-31T12:00:00Z"
        if "effective" not in found:
            self.report(line_of(node), f"{name}.effective", "is missing", remedy)
            return 0
        text = self.scalar(found["effective"], f"{name}.effective")
        try:
            moment = dt.datetime.fromisoformat(text or "")
        except ValueError:
            self.report(line_of(found["effective"]), f"{name}.effective", f"{text!r} is not a date", remedy)
            return 0
        aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return round(aware.timestamp()) * NANOS

    def _amount(self, node: yaml.Node, name: str) -> float:
        text = self.scalar(node, name)
        try:
            amount = float(text or "")
        except ValueError:
            amount = math.nan
        if not (math.isfinite(amount) and amount >= 0):
            self.report(line_of(node), name, f"{text!r} is not an amount", "write US dollars, 0 or more")
            return 0.0
        return amount
