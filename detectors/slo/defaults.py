"""The ``defaults`` of an SLO file: what its SLOs say unless they say otherwise. They hold for that file alone.

A value in the SLO takes the place of the default; ``labels`` are merged, the SLO's own first, and ``where`` adds up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from detectors.slo.keys import DEFAULT_KEYS
from detectors.slo.nodes import Reader
from detectors.slo.spec import NO_CONDITIONS
from telemetry.matchers import Matchers

DEFAULTS: Final = "defaults"


@dataclass(frozen=True, slots=True)
class Defaults:
    """What was read of ``defaults``.

    Attributes:
        nodes: values that stand in for those that an SLO lacks; each SLO reads them as its own.
        where: conditions of every SLO.
        labels: labels of every SLO.
    """

    nodes: Mapping[str, yaml.Node] = field(default_factory=dict)
    where: Matchers = NO_CONDITIONS
    labels: Mapping[str, str] = field(default_factory=dict)

    def added_to(self, own: Mapping[str, yaml.Node]) -> dict[str, yaml.Node]:
        """The values of an SLO, with defaults for what it lacks."""
        return {**self.nodes, **own}


def default_nodes(reader: Reader, node: yaml.Node) -> dict[str, yaml.Node]:
    """The values of ``defaults`` by key; problems go to ``reader``."""
    return reader.mapping(node, DEFAULTS, DEFAULT_KEYS) or {}
