"""Curves of a post-mortem as pictures: Mermaid for what draws it, SVG for everything else; it measures nothing."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

from alerting.runbooks.markdown import utc
from alerting.texts import cut, flat

Graphs = Literal["mermaid", "svg"]

MAX_POINTS: Final = 60
BUDGET_LEFT: Final = "% left"
"""The unit of a curve that shows how much of the error budget was left."""
_WIDTH, _HEIGHT = 760, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 34, 30
_TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class Curve:
    """Something over time: its name, its unit, and seconds since the epoch with a value each."""

    title: str
    unit: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment worth a line in every picture: seconds since the epoch, and a word."""

    at: float
    text: str


def chart(curve: Curve, marks: Sequence[Mark], graphs: Graphs) -> str:
    """The curve as Markdown, thinned to :data:`MAX_POINTS` points; empty with fewer than two."""
    every = -(-len(curve.points) // MAX_POINTS) or 1
    points = curve.points[::every]
    if len(points) < 2:
        return ""
    thin = Curve(curve.title, curve.unit, points)
    if graphs == "mermaid":
        return _mermaid(thin)
    picture = base64.b64encode(svg(thin, marks).encode()).decode()
    alt = flat(curve.title).replace("[", "(").replace("]", ")")
    return f"![{alt}](data:image/svg+xml;base64,{picture})"


def _mermaid(curve: Curve) -> str:
    """A Mermaid chart, which GitHub, GitLab and most wikis draw."""
    values = [value for _, value in curve.points]
    low, high = _bounds(values)
    lines = (
        "```mermaid",
        "xychart-beta",
        f'  title "{_quoted(curve.title)}"',
        f'  x-axis "{utc(curve.points[0][0])} to {utc(curve.points[-1][0])}"',
        f'  y-axis "{_quoted(curve.unit)}" {low:.6g} --> {high:.6g}',
        f"  line [{', '.join(f'{value:.6g}' for value in values)}]",
        "```",
    )
    return "\n".join(lines)


def svg(curve: Curve, marks: Sequence[Mark]) -> str:
    """A picture of its own: a light ground, so that it can be read on a dark page too, and no script and no font."""
    first, last = curve.points[0][0], curve.points[-1][0]
    low, high = _bounds([value for _, value in curve.points])

    def place(at: float, value: float) -> tuple[float, float]:
        across = (at - first) / max(last - first, 1e-9)
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _TOP + (high - value) / (high - low) * _drawn()

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in curve.points))
    head = f"{cut(flat(curve.title), 70)}, {flat(curve.unit, 20)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(flat(curve.title))}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        '<g font-family="sans-serif" font-size="11">',
        f'<text x="{_LEFT}" y="14" font-size="13" fill="#1f2933">{escape(head)}</text>',
        *_axis(low, high, first, last),
        *(_mark(mark, place(mark.at, low)[0]) for mark in marks if first <= mark.at <= last),
        f'<polyline points="{line}" fill="none" stroke="#2a6f97" stroke-width="2" stroke-linejoin="round"/>',
        "</g></svg>",
    ]
    return "\n".join(parts)


def _axis(low: float, high: float, first: float, last: float) -> Iterator[str]:
    for tick in range(_TICKS + 1):
        y = _TOP + tick / _TICKS * _drawn()
        value = high - tick / _TICKS * (high - low)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e7eb"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#616e7c">{value:.4g}</text>'
    for tick in range(_TICKS + 1):
        x = _LEFT + tick / _TICKS * (_WIDTH - _LEFT - _RIGHT)
        at = dt.datetime.fromtimestamp(first + tick / _TICKS * (last - first), tz=dt.UTC)
        anchor = "end" if tick == _TICKS else "start" if tick == 0 else "middle"
        yield f'<text x="{x:.1f}" y="{_HEIGHT - 10}" text-anchor="{anchor}" fill="#616e7c">{at:%d %b %H:%M}</text>'


def _mark(mark: Mark, x: float) -> str:
    bottom = _HEIGHT - _BOTTOM
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{bottom}" stroke="#c0392b" stroke-dasharray="4 3"/>'
        f'<text x="{x + 3:.1f}" y="{_TOP + 4}" fill="#c0392b">{escape(flat(mark.text, 30))}</text>'
    )


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = (high - low) * 0.05 or 1.0
    return low - margin, high + margin


def _drawn() -> float:
    return _HEIGHT - _TOP - _BOTTOM


def _quoted(text: str) -> str:
    return flat(text).replace('"', "'")
