"""Times after the beginning of a simulation, as scenarios write them."""

from __future__ import annotations

import yaml

from detectors.slo.nodes import Reader, kind_of


def read_time(reader: Reader, node: yaml.Node | None, field: str) -> int | None:
    """Nanoseconds after the beginning; 0 may be written."""
    if node is None:
        return None
    if kind_of(node) == "int" and str(node.value) == "0":
        return 0
    return reader.duration(node, field)
