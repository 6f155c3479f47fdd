"""Puts grids, tiles and waterfalls on the page and follows a click to its place; it decides nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.components.grid import Grid
from dashboard.components.place import Place, from_json
from dashboard.components.tiles import Tile
from dashboard.components.waterfall import Waterfall

HERE = Path(__file__).parent


@cache
def _renderer(name: str) -> Callable[..., Any]:
    style = _read("shared.css") + _read(f"{name}.css")
    script = _read("shared.js") + _read(f"{name}.js")
    return st.components.v2.component(f"tailwatch_{name}", html='<div class="root"></div>', css=style, js=script)


def _read(name: str) -> str:
    return (HERE / name).read_text("utf-8")


def _ignore() -> None:
    """Streamlit reports a trigger only where a callback is named."""


def show_grid(grid: Grid) -> Place | None:
    """Draw a table; returns the place that the user opened, if any."""
    result = _renderer("grid")(key=f"grid-{grid.id}", data=grid.to_json(), on_open_change=_ignore)
    return from_json(result.open)


def show_tiles(name: str, tiles: Sequence[Tile]) -> Place | None:
    """Draw a row of figures; returns the place that the user opened, if any."""
    data = {"tiles": [tile.to_json() for tile in tiles]}
    result = _renderer("tiles")(key=f"tiles-{name}", data=data, on_open_change=_ignore)
    return from_json(result.open)


def show_waterfall(waterfall: Waterfall) -> None:
    """Draw a trace."""
    _renderer("waterfall")(key=f"waterfall-{waterfall.id}", data=waterfall.to_json())
