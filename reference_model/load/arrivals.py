"""When requests come: Poisson with bursts and a daily rhythm, or a recorded trace's times. Pure; it never sleeps."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reference_model.load.traffic import Arrivals

_BURST_PART = 0.2
_LONGEST_GAP_S = 1.0


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One recorded request: seconds after the trace's first, tokens of its prompt and of its answer."""

    offset_s: float
    context_tokens: int
    generated_tokens: int


def rate_at(arrivals: Arrivals, elapsed_s: float) -> float:
    """Requests a second, ``elapsed_s`` after the start."""
    rate = arrivals.rate
    if elapsed_s % arrivals.burst_period_s < _BURST_PART * arrivals.burst_period_s:
        rate *= arrivals.burst_factor
    return rate * (1 + arrivals.swing * math.sin(2 * math.pi * elapsed_s / arrivals.day_s))


def next_gap(arrivals: Arrivals, elapsed_s: float, rng: random.Random) -> tuple[float, bool]:
    """(seconds, whether a request arrives then): a candidate of the Poisson process, thinned (Lewis and Shedler 1979).

    Gaps are at most a second long, so that a change of the rate is felt at once.
    """
    peak = arrivals.rate * max(arrivals.burst_factor, 1.0) * (1 + arrivals.swing)
    if peak <= 0:
        return _LONGEST_GAP_S, False
    gap = rng.expovariate(peak)
    if gap > _LONGEST_GAP_S:
        # The exponential has no memory: waiting a second and drawing again is the same process.
        return _LONGEST_GAP_S, False
    return gap, rng.random() * peak < rate_at(arrivals, elapsed_s + gap)


def read_trace(path: Path) -> Iterator[TraceRow]:
    """Rows of a CSV with the columns TIMESTAMP, ContextTokens, GeneratedTokens (the Azure LLM inference trace's).

    Raises ValueError that names the line when one cannot be read.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        first: datetime | None = None
        for row in reader:
            try:
                # The trace has seven digits of a second, one more than datetime reads.
                at = datetime.fromisoformat(row["TIMESTAMP"][:26])
                context, generated = int(row["ContextTokens"]), int(row["GeneratedTokens"])
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{path.name}, line {reader.line_num}: {error}; expected TIMESTAMP,ContextTokens,GeneratedTokens."
                ) from error
            first = first or at
            yield TraceRow((at - first).total_seconds(), context, generated)
