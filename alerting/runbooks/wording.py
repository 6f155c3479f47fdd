"""What runbooks call an incident's service, SLO and trouble; an alert that was posted may have none of them to name.

Alerts that others evaluate arrive with the labels that their owners gave them, at the least with a name. A runbook
then speaks of the alert, and never of an SLO or a service without a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alerting.runbooks import fragments
from alerting.runbooks.markdown import Markdown, code


def service(incident: Mapping[str, Any]) -> Markdown:
    """The service, as a phrase within a sentence."""
    return code(incident["service"]) if incident.get("service") else Markdown("the service")


def trouble(incident: Mapping[str, Any]) -> Markdown:
    """What is wrong, as the beginning of a sentence: the SLO is violated, or the alert fires."""
    of = f" of {code(incident['service'])}" if incident.get("service") else ""
    if incident.get("slo"):
        return Markdown(f"The SLO {code(incident['slo'])}{of} is violated")
    return Markdown(f"{_alert(incident)}{of} fires")


def budget(incident: Mapping[str, Any], evidence: Mapping[str, Any]) -> Markdown:
    """What is left of the error budget, as a sentence; that there is none where no SLO is concerned."""
    if incident.get("slo"):
        return fragments.budget(evidence)
    return Markdown(f"{_alert(incident)} belongs to no SLO, so no error budget says how bad it is.")


def slo_page(incident: Mapping[str, Any], page: Callable[..., Markdown]) -> Markdown:
    """A link to the page of the SLO; without one, to that of the service."""
    if incident.get("slo"):
        return page("the SLO's page", "slo", slo=incident["slo"])
    return page("the service's page", "services", service=incident.get("service"))


def _alert(incident: Mapping[str, Any]) -> Markdown:
    # A merged incident has handed its alerts on.
    name = next((one["name"] for one in incident.get("alerts", ())), "")
    return Markdown(f"The alert {code(name)}" if name else "The alert")
