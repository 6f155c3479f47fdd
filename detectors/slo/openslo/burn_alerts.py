"""OpenSLO's alert policies as ours; what our burn windows cannot represent becomes a warning and no alert."""

from __future__ import annotations

import math
from typing import Final

from detectors.slo.openslo.alerting import AlertPolicy, Condition
from detectors.slo.openslo.objects import Objects
from detectors.slo.openslo.references import Reference
from detectors.slo.openslo.slo_document import SloDocument
from detectors.slo.policy import POLICY_NAMES, named_policy
from detectors.slo.spec import BurnPair, Policy
from telemetry.findings import Severity

NAME: Final = "openslo"
_TICKETS: Final = (
    "ticket", "warning", "warn", "info", "low", "medium", "minor",
    "sev2", "sev3", "sev4", "sev5", "p2", "p3", "p4", "p5",
)  # fmt: skip


def policy_of(slo: SloDocument, objects: Objects, window_ns: int, gate: bool) -> tuple[Policy, tuple[str, ...]]:
    """What is alerted for an SLO, and the names of its notification targets, sorted.

    A name of a shipped policy that no file defines means the shipped one, scaled to ``window_ns``.
    """
    pairs: list[BurnPair] = []
    targets: set[str] = set()
    sequential = None
    for given in slo.policies:
        if _is_shipped(given, objects):
            shipped = named_policy(given.name, window_ns)
            pairs.extend(shipped.pairs)
            sequential = sequential or shipped.sequential
            continue
        policy = objects.policy(given)
        if policy is None:
            continue
        pairs.extend(_pairs(policy, objects))
        found = [objects.target(target) for target in policy.targets]
        targets.update(target.name for target in found if target is not None)
        targets.update(target.name for target in policy.targets if isinstance(target, Reference))
    return Policy(NAME, tuple(dict.fromkeys(pairs)), sequential, gate), tuple(sorted(targets))


def _is_shipped(given: AlertPolicy | Reference, objects: Objects) -> bool:
    return isinstance(given, Reference) and given.name in set(POLICY_NAMES) - set(objects.index.names("AlertPolicy"))


def _pairs(policy: AlertPolicy, objects: Objects) -> list[BurnPair]:
    if policy.no_data:
        message = "is not executed here: silence is a state (no_telemetry, no_traffic), not an alert"
        policy.reader.warn(policy.node, f"{policy.field}.alertWhenNoData", message, "write false")
    if policy.breaching is False:
        message = "is false: this policy alerts nothing here"
        policy.reader.warn(policy.node, f"{policy.field}.alertWhenBreaching", message, "write true")
        return []
    conditions = [objects.condition(condition) for condition in policy.conditions]
    pairs = [_pair(condition) for condition in conditions if condition is not None]
    return [pair for pair in pairs if pair is not None]


def _pair(condition: Condition) -> BurnPair | None:
    if condition.op not in ("gt", "gte"):
        message = f"{condition.op} alerts while the budget burns slowly, which is not executed here: no alert"
        condition.reader.warn(condition.node, f"{condition.field}.op", message, "write gt or gte")
        return None
    if condition.threshold <= 0:
        message = f"a burn is above {condition.threshold:g} with the first bad event: no alert"
        condition.reader.warn(condition.node, f"{condition.field}.threshold", message, "write a burn rate, such as 2")
        return None
    long_ns = condition.lookback.length_ns
    short_ns = condition.after.length_ns or long_ns
    if condition.after.count:
        message = f"the burn over the last {condition.after} is compared too; nothing waits that long"
        if short_ns > long_ns:
            message = f"is longer than lookbackWindow: the burn over the last {condition.lookback} alone is compared"
            short_ns = long_ns
        condition.reader.warn(condition.node, f"{condition.field}.alertAfter", message, "leave it out for one window")
    factor = condition.threshold if condition.op == "gt" else math.nextafter(condition.threshold, 0.0)
    return BurnPair(_severity(condition), long_ns, short_ns, factor)


def _severity(condition: Condition) -> Severity:
    """``page`` or ``ticket``; a severity that is not known as a lesser one pages, since a lost page costs more."""
    stated = condition.severity.lower()
    severity: Severity = "ticket" if stated in _TICKETS else "page"
    if stated != severity:
        message = f"{condition.severity!r} is executed as {severity}"
        condition.reader.warn(condition.node, f"{condition.field}.severity", message, "write page or ticket")
    return severity
