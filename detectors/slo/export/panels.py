"""Grafana panels as values of its JSON, laid out on its grid of 24 columns; it knows nothing of SLOs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

COLUMNS: Final = 24
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Panel = dict[str, Any]
Field = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and the legend of its series; without one Grafana shows the labels that differ."""

    expr: str
    legend: str = "__auto"


class Layout:
    """Panels placed from left to right and from top to bottom."""

    def __init__(self) -> None:
        self.panels: list[Panel] = []
        self._x = self._y = self._height = 0

    def row(self, title: str) -> None:
        """Begin a row under a heading."""
        self._break()
        self._place({"type": "row", "title": title, "collapsed": False, "panels": []}, COLUMNS, 1)
        self._break()

    def add(self, panel: Panel, width: int, height: int) -> None:
        """Place ``panel`` beside the last one, or below when there is no room."""
        if self._x + width > COLUMNS:
            self._break()
        self._place(panel, width, height)

    def _place(self, panel: Panel, width: int, height: int) -> None:
        position = {"h": height, "w": width, "x": self._x, "y": self._y}
        self.panels.append({"id": len(self.panels) + 1, **panel, "gridPos": position})
        self._x += width
        self._height = max(self._height, height)

    def _break(self) -> None:
        self._x, self._y, self._height = 0, self._y + self._height, 0


def mark(unit: str, *steps: tuple[float | None, str]) -> Field:
    """Unit and colours of a panel's values; ``steps``: from which value on (None: from the lowest) which colour."""
    wanted = steps or ((None, "green"),)
    return {"unit": unit, "thresholds": {"mode": "absolute", "steps": [{"color": c, "value": v} for v, c in wanted]}}


def percent(*, red_below: float | None = None) -> Field:
    """Shares of one shown as percent, with the digits that an objective has."""
    steps = () if red_below is None else ((None, "red"), (red_below, "green"))
    return {**mark("percentunit", *steps), "decimals": 3}


def stat(title: str, field: Field, *queries: Query) -> Panel:
    """The newest value of every series, large."""
    options = {
        "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }  # fmt: skip
    return _panel("stat", title, field, options, queries)


def timeseries(title: str, field: Field, *queries: Query) -> Panel:
    """The course of every series."""
    options = {
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel("timeseries", title, field, options, queries)


def states(title: str, *queries: Query) -> Panel:
    """When each series was there, as bars over time."""
    options = {
        "alignValue": "left", "mergeValues": True, "rowHeight": 0.9, "showValue": "never",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "tooltip": {"mode": "single", "sort": "none"},
    }  # fmt: skip
    return _panel("state-timeline", title, mark("none"), options, queries)


def _panel(kind: str, title: str, field: Field, options: dict[str, Any], queries: tuple[Query, ...]) -> Panel:
    return {
        "type": kind, "title": title, "datasource": DATASOURCE,
        "fieldConfig": {"defaults": field, "overrides": []}, "options": options,
        "targets": [
            {
                "datasource": DATASOURCE, "editorMode": "code", "expr": query.expr, "legendFormat": query.legend,
                "range": True, "refId": _letter(place),
            }
            for place, query in enumerate(queries)
        ],
    }  # fmt: skip


def _letter(place: int) -> str:
    """A, B, ..., Z, AA, AB, ...: what tells the queries of a panel apart."""
    letter = chr(ord("A") + place % 26)
    return letter if place < 26 else _letter(place // 26 - 1) + letter
