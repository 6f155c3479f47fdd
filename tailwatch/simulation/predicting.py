"""``predictions`` of a scenario, and what incidents do to their labels. It draws nothing."""

from __future__ import annotations

from typing import Final

import yaml

from detectors.slo.nodes import Reader
from detectors.slo.shapes import Key
from tailwatch.simulation.scenario import LabelTrouble, Predictions

_KEYS: Final = (
    Key("mistakes", {}, required=True), Key("labelled", {}), Key("delay", {}), Key("wrong", {}), Key("revised", {}),
)  # fmt: skip
_DELAY_KEYS: Final = (Key("median", {}, required=True), Key("sigma", {}))
_TROUBLE_KEYS: Final = (Key("lost", {}), Key("wrong", {}), Key("delay", {}))


_DEFAULT: Final = Predictions(0.0)


def read_predictions(reader: Reader, node: yaml.Node | None) -> Predictions | None:
    """What requests predict; None where the scenario says nothing of it."""
    values = None if node is None else reader.mapping(node, "predictions", _KEYS)
    if values is None or "mistakes" not in values:
        return None
    mistakes = read_share(reader, values["mistakes"], "predictions.mistakes", "5%")
    labelled = read_share(reader, values.get("labelled"), "predictions.labelled", "20%", _DEFAULT.labelled)
    wrong = read_share(reader, values.get("wrong"), "predictions.wrong", "2%", 0.0)
    revised_ns = reader.duration(values["revised"], "predictions.revised") if "revised" in values else None
    if "revised" in values and "wrong" not in values:
        reader.note(values["revised"], "predictions.revised", "no label is wrong", "add wrong:, or leave it out")
    delay = {} if "delay" not in values else reader.mapping(values["delay"], "predictions.delay", _DELAY_KEYS) or {}
    delay_ns: int | None = _DEFAULT.delay_ns
    if "median" in delay:
        delay_ns = reader.duration(delay["median"], "predictions.delay.median")
    sigma = reader.number(delay["sigma"], "predictions.delay.sigma") if "sigma" in delay else _DEFAULT.delay_sigma
    if mistakes is None or labelled is None or wrong is None or delay_ns is None or sigma is None:
        return None
    return Predictions(mistakes, labelled, delay_ns, sigma, wrong, revised_ns)


def read_trouble(reader: Reader, node: yaml.Node | None, field: str) -> LabelTrouble:
    """What an incident does to labels."""
    values = {} if node is None else reader.mapping(node, field, _TROUBLE_KEYS) or {}
    if node is not None and not values:
        reader.note(node, field, "changes nothing", "give it lost:, wrong: or delay:")
    lost = read_share(reader, values.get("lost"), f"{field}.lost", "50%", 0.0)
    wrong = read_share(reader, values.get("wrong"), f"{field}.wrong", "30%", 0.0)
    delay = reader.number(values["delay"], f"{field}.delay") if "delay" in values else 1.0
    return LabelTrouble(lost or 0.0, wrong or 0.0, delay or 1.0)


def read_share(
    reader: Reader, node: yaml.Node | None, field: str, example: str, default: float | None = None
) -> float | None:
    """A share within [0, 1]: here, other than in an objective, none and all can be meant."""
    if node is None:
        return default
    if isinstance(node, yaml.ScalarNode):
        text = str(node.value).strip()
        if text in ("0", "0%", "0.0"):
            return 0.0
        if text in ("100%", "1", "1.0"):
            return 1.0
    return reader.share(node, field, example)
