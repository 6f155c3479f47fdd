"""What the demo adds to its configuration to have a bad release rolled back: a response hook for each model."""

from __future__ import annotations

from typing import Any, Final

import yaml

_HOOKED: Final = {
    "confidence-drift": ("rollback-chat", "smollm2-135m-instruct"),
    "prediction-drift": ("rollback-classifier", "minilm-topic-classifier"),
}
"""By the SLO that shows it: the hook, and the model that it rolls back."""
_EARLY_ONLY: Final = [{"sequential": {"severity": "page", "arl": "1d"}}]


def hooks_section(reference: str) -> dict[str, Any]:
    """The section ``alerting: hooks:`` that rolls back what the reference service at this address serves."""
    return {
        "allow": [reference.removeprefix("http://")],
        "actions": [
            {
                "name": name,
                "on": ["verdict"],
                "match": ['cause="bad-release"', f'slo="{slo}"'],
                "url": f"{reference}/admin/rollback",
                "body": f'{{"model": "{model}", "version": {{{{ incident.slice.model_version | tojson }}}}}}',
            }
            for slo, (name, model) in _HOOKED.items()
        ],
    }


def quick_to_end(slos: str) -> str:
    """The SLO file for this loop: what a release changes, with early alarms alone and for less traffic.

    Early alarms end minutes after the trouble, while a ticket over days outlasts a demo.
    """
    document = yaml.safe_load(slos)
    document["slos"] = [slo for slo in document["slos"] if slo["name"] in _HOOKED]
    for slo in document["slos"]:
        slo["alert"] = _EARLY_ONLY
        # A generation takes a second where a classification takes a hundredth: a busy machine answers few of them.
        slice_ = "1m" if slo["name"] == "confidence-drift" else "30s"
        slo["sli"]["drift"] |= {"reference": {"first": 60}, "slice": slice_, "min_events": 10}
    return yaml.safe_dump(document, sort_keys=False)
