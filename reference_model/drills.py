"""The drills: a fault or a change of the load, and the truth that Tailwatch should find. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from reference_model.load.traffic import LoadChange


@dataclass(frozen=True, slots=True)
class Truth:
    """What a correct diagnosis says: the SLO that suffers, the cause, the guilty slice, the runbook to open."""

    slo: str
    cause: str
    slice: Mapping[str, str]
    runbook: str


@dataclass(frozen=True, slots=True)
class Drill:
    """One exercise. ``fault`` is started by POST /admin/faults; ``load`` is applied to the load generator."""

    name: str
    summary: str
    truth: Truth
    fault: str | None = None
    parameters: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    load: LoadChange | None = None


def _truth(slo: str, cause: str, **slice_: str) -> Truth:
    return Truth(slo, cause, slice_, cause)


_ALL: Final = (
    Drill(
        "tail-spike",
        "1 in 50 classifications waits 2.5 to 5 s for a slow dependency; the average hardly moves",
        _truth("classify-latency", "tail-spike", operation="classify"),
        fault="tail-spike",
        parameters={"delay_s": 2.5},
    ),
    Drill(
        "errors-by-input-type",
        "the tokenizer that serves input type code was deployed with a truncated vocabulary",
        _truth("request-errors", "slice-errors", input_type="code"),
        fault="errors-by-input-type",
    ),
    Drill(
        "queue-saturation",
        "the encoder serves seven requests a second while half as many again as usual arrive",
        _truth("queue-wait", "queue-saturation"),
        fault="queue-saturation",
        parameters={"seconds_per_item": 0.14},
        load=LoadChange(rate_factor=1.5),
    ),
    Drill(
        "input-drift",
        "users ask about trivia and sports only, four questions at once",
        _truth("input-drift", "input-drift"),
        load=LoadChange(
            fields={
                "topics": ("trivia", "sports"),
                "sentences": (4, 6),
                "input_types": {"chat": 1.0},
            }
        ),
    ),
    Drill(
        "cost-explosion",
        "the limit on the output is lost: every generation writes 24 tokens instead of at most 8",
        _truth("generation-cost", "cost-explosion"),
        fault="cost-explosion",
        parameters={"tokens": 24},
    ),
    Drill(
        "bad-canary",
        "half of the chat traffic goes to v3, which is quantised too coarsely",
        _truth("confidence-drift", "bad-release", model_version="v3"),
        fault="bad-canary",
    ),
    Drill(
        "broken-canary",
        "half of the classifications come from a release that pools the vectors in another way than its head expects",
        _truth("prediction-drift", "bad-release", model_version="cls"),
        fault="broken-canary",
    ),
)

DRILLS: Final[Mapping[str, Drill]] = {drill.name: drill for drill in _ALL}
