"""``corrections`` of a scenario: what is taken out of error budgets, known from the beginning. It takes nothing out."""

from __future__ import annotations

from typing import Final

import yaml

from detectors.slo.nodes import Reader, suggestion
from detectors.slo.shapes import Key
from detectors.slo.spec import SloSet
from tailwatch.simulation.times import read_time
from telemetry.corrections import Correction, NewCorrection
from telemetry.errors import TailwatchError
from telemetry.windows import format_duration

_KEYS: Final = (
    Key("start", {}, required=True), Key("duration", {}, required=True), Key("slos", {}), Key("match", {}),
    Key("reason", {}),
)  # fmt: skip


def read_corrections(
    reader: Reader, node: yaml.Node | None, *, start_ns: int, length_ns: int, service: str, slos: SloSet
) -> tuple[Correction, ...]:
    """The corrections of a run from ``start_ns`` on; one that names nobody is for every SLO of ``service``."""
    found: list[Correction] = []
    for field, entry in (reader.items(node, "corrections") or []) if node is not None else []:
        values = reader.mapping(entry, field, _KEYS)
        if values is None:
            continue
        begins_ns = read_time(reader, values.get("start"), f"{field}.start")
        lasts_ns = reader.duration(values["duration"], f"{field}.duration") if "duration" in values else None
        names = _texts(reader, values.get("slos"), f"{field}.slos")
        matchers = _texts(reader, values.get("match"), f"{field}.match")
        reason = reader.text(values["reason"], f"{field}.reason") if "reason" in values else "planned"
        known = [slo.name for slo in slos.slos]
        for name in names if known else []:
            if name not in known:
                reader.note(values["slos"], f"{field}.slos", f"there is no SLO {name!r}", suggestion(name, known))
        if begins_ns is None or lasts_ns is None or reason is None:
            continue
        if begins_ns + lasts_ns > length_ns:
            remedy = f"let it end within the {format_duration(length_ns)} of the simulation"
            reader.note(values["start"], f"{field}.start", "ends after the simulation", remedy)
        try:
            asked = NewCorrection.checked(
                start_ns=start_ns + begins_ns, end_ns=start_ns + begins_ns + lasts_ns, slos=names,
                matchers=matchers if names or matchers else [f'service="{service}"'], author="scenario", reason=reason,
            )  # fmt: skip
        except TailwatchError as error:
            reader.note(entry, field, error.what, error.remedy)
            continue
        found.append(Correction(len(found) + 1, asked, start_ns))
    return tuple(found)


def _texts(reader: Reader, node: yaml.Node | None, field: str) -> list[str]:
    if node is None:
        return []
    if isinstance(node, yaml.ScalarNode):
        text = reader.text(node, field)
        return [] if text is None else [text]
    return [text for _, _, text in reader.texts(node, field) or []]
