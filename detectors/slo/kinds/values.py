"""The keys that are written for one SLI, read by type. A key that is absent gives the default; it knows no kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import yaml

from detectors.slo.nodes import Reader
from detectors.slo.shapes import COUNT, DURATION, Key
from telemetry.windows import BUCKET_NS, format_duration, parse_duration

DEFAULT_SLICE_NS: Final = parse_duration("1m")
LONGEST_SLICE_NS: Final = parse_duration("1h")

SLICE_KEY: Final = Key("slice", {**DURATION, "default": "1m"})
MIN_EVENTS_KEY: Final = Key("min_events", COUNT)

_Choice = TypeVar("_Choice", bound=str)


@dataclass(frozen=True, slots=True)
class Values:
    """The values at ``field`` by key; each method reads one, notes its problem in ``reader``, and gives None then."""

    reader: Reader
    field: str
    nodes: Mapping[str, yaml.Node]

    def at(self, key: str) -> str:
        """The dotted field of a key."""
        return f"{self.field}.{key}"

    def note(self, key: str, message: str, remedy: str) -> None:
        """Report a problem with a key that is there."""
        self.reader.note(self.nodes[key], self.at(key), message, remedy)

    def choice(self, key: str, options: Sequence[_Choice], default: _Choice | None = None) -> _Choice | None:
        """One of ``options``."""
        return self.reader.choice(self.nodes[key], self.at(key), options) if key in self.nodes else default

    def duration_ns(self, key: str, default: int | None = None) -> int | None:
        """Nanoseconds above 0."""
        return self.reader.duration(self.nodes[key], self.at(key)) if key in self.nodes else default

    def switch(self, key: str, *, default: bool) -> bool | None:
        """True or false."""
        return self.reader.switch(self.nodes[key], self.at(key)) if key in self.nodes else default

    def count(self, key: str, default: int | None = None) -> int | None:
        """A whole number of at least 1."""
        return self.reader.count(self.nodes[key], self.at(key)) if key in self.nodes else default

    def number(self, key: str, default: float | None = None) -> float | None:
        """A finite number above 0."""
        return self.reader.number(self.nodes[key], self.at(key)) if key in self.nodes else default

    def share(self, key: str, example: str, default: float | None = None) -> float | None:
        """A share within (0, 1)."""
        return self.reader.share(self.nodes[key], self.at(key), example) if key in self.nodes else default

    def text(self, key: str) -> str | None:
        """Non-empty text."""
        return self.reader.text(self.nodes[key], self.at(key)) if key in self.nodes else None

    def names(self, key: str, example: str) -> list[tuple[str, yaml.Node, str]] | None:
        """(dotted field, node, name) of a list of names, at least one, none twice; None when there is no list."""
        if key not in self.nodes:
            return None
        texts = self.reader.texts(self.nodes[key], self.at(key))
        if texts == []:
            self.note(key, "names no field", f"list fields, such as {example}")
        seen: set[str] = set()
        for place, child, name in texts or []:
            if name in seen:
                self.reader.note(child, place, f"{name} is listed twice", "keep one of them")
            seen.add(name)
        return texts

    def slice_ns(self) -> int:
        """The length of a slice; 1m when none is given, or none that a slice can have."""
        length_ns = self.duration_ns("slice", DEFAULT_SLICE_NS)
        if length_ns is not None and (length_ns % BUCKET_NS or length_ns > LONGEST_SLICE_NS):
            message = f"{format_duration(length_ns)} is not a length that a slice can have"
            self.note("slice", message, "write a multiple of 10s, at most 1h")
        return length_ns or DEFAULT_SLICE_NS
