"""The kinds of SLI by their key, and the ``sli`` of a file read by the one it names. It judges no sense (lint does)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import yaml

from detectors.slo.kinds.accuracy import Accuracy
from detectors.slo.kinds.composite import Composite
from detectors.slo.kinds.cost import Cost
from detectors.slo.kinds.drift import Drift
from detectors.slo.kinds.errors import Errors
from detectors.slo.kinds.freshness import Freshness
from detectors.slo.kinds.latency import Latency
from detectors.slo.kinds.protocol import Sli
from detectors.slo.kinds.quality import Quality
from detectors.slo.kinds.quantile import Quantile
from detectors.slo.kinds.saturation import Saturation
from detectors.slo.kinds.spend import Spend
from detectors.slo.kinds.values import Values
from detectors.slo.nodes import Reader, kind_of, suggestion

KINDS: Final[Mapping[str, type[Sli]]] = {
    kind.kind: kind
    for kind in (
        Errors,
        Latency,
        Quantile,
        Cost,
        Drift,
        Quality,
        Saturation,
        Freshness,
        Accuracy,
        Spend,
        Composite,
    )
}


def may_be_empty(kind: type[Sli]) -> bool:
    """Whether ``errors:`` with nothing after it says all that is needed."""
    return not any(key.required for key in kind.keys)


def read_sli(reader: Reader, node: yaml.Node, field: str) -> Sli | None:
    """The SLI at ``field``, or None when it has a problem, which goes to ``reader``."""
    pairs = reader.pairs(node, field)
    if pairs is None:
        return None
    names = list(KINDS)
    for name, key, _ in pairs:
        if name not in KINDS:
            reader.note(key, f"{field}.{name}", "unknown kind of SLI", suggestion(name, names))
    if len(pairs) != 1:
        reader.note(node, field, f"has {len(pairs)} kinds", f"give exactly one of {' | '.join(names)}")
    for name, _, value in pairs:
        if name in KINDS:
            return _read(KINDS[name], reader, value, f"{field}.{name}")
    return None


def _read(kind: type[Sli], reader: Reader, node: yaml.Node, field: str) -> Sli | None:
    empty = kind_of(node) == "null" and may_be_empty(kind)
    nodes = {} if empty else reader.mapping(node, field, kind.keys)
    return None if nodes is None else kind.read(Values(reader, field, nodes))
