"""The demo's closed loop: what it adds to its configuration, and the load under which a release can be judged soon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from reference_model.drills import DRILLS
from reference_model.load.traffic import Arrivals, Traffic

_EARLY_ONLY: Final = [{"sequential": {"severity": "page", "arl": "1d"}}]
_SOON: Final = {"reference": {"first": 60}, "slice": "30s", "min_events": 10, "alpha": 0.01}
"""Few requests a slice: one that is called bad by chance once in a hundred times is what the objective allows."""


@dataclass(frozen=True, slots=True)
class Loop:
    """How the release of a model that an SLO shows is rolled back.

    Attributes:
        hook: the name of the response hook.
        model: what it rolls back.
        traffic: enough for the model to be judged by half a minute of it, and less than half of what two busy cores
            can serve, so that only the fault can be the trouble.
    """

    hook: str
    model: str
    traffic: Traffic


_LOOPS: Final[Mapping[str, Loop]] = {
    # A generation takes a second where a classification takes a hundredth.
    "confidence-drift": Loop(
        "rollback-chat",
        "smollm2-135m-instruct",
        Traffic(arrivals=Arrivals(rate=0.8), operations={"chat": 1.0}, max_tokens=4),
    ),
    "prediction-drift": Loop(
        "rollback-classifier",
        "minilm-topic-classifier",
        Traffic(arrivals=Arrivals(rate=4.0), operations={"classify": 0.9, "chat": 0.05, "embeddings": 0.05}),
    ),
}
"""By the SLO that shows a bad release."""

DRILLS_OF_RELEASES: Final = tuple(sorted(name for name, drill in DRILLS.items() if drill.truth.slo in _LOOPS))


def loop_of(slo: str) -> Loop:
    """The loop that a drill closes which is seen in this SLO; it is one of :data:`DRILLS_OF_RELEASES`."""
    return _LOOPS[slo]


def hooks_section(reference: str) -> dict[str, Any]:
    """The section ``alerting: hooks:`` that rolls back what the reference service at this address serves."""
    return {
        "allow": [reference.removeprefix("http://")],
        "actions": [
            {
                "name": loop.hook,
                "on": ["verdict"],
                "match": ['cause="bad-release"', f'slo="{slo}"'],
                "url": f"{reference}/admin/rollback",
                "body": f'{{"model": "{loop.model}", "version": {{{{ incident.slice.model_version | tojson }}}}}}',
            }
            for slo, loop in _LOOPS.items()
        ],
    }


def quick_to_end(slos: str) -> str:
    """The SLO file for this loop: what a release changes, with early alarms alone and for less traffic.

    Early alarms end minutes after the trouble, while a ticket over days outlasts a demo.
    """
    document = yaml.safe_load(slos)
    document["slos"] = [slo for slo in document["slos"] if slo["name"] in _LOOPS]
    for slo in document["slos"]:
        slo["alert"] = _EARLY_ONLY
        slo["sli"]["drift"] |= _SOON
    return yaml.safe_dump(document, sort_keys=False)
