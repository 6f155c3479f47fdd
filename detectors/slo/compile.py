"""SLOs compiled to the rules that the collector counts by; it names what is counted and counts nothing.

A rule's id is ``name@<8 hex digits of the meaning>``. The meaning is what decides which events are counted and which
of them are good: service, SLI, conditions and grouping, and the slices of a budget for slices. A changed objective,
window, alert or description judges the same counts anew, so it keeps the id and with it the history.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from typing import Any

from detectors.slo.spec import Occurrences, Slo
from telemetry.matchers import Matcher, Matchers
from telemetry.rules import RollupRule


def rule_id(slo: Slo) -> str:
    """``name@<8 hex digits>``, stable over processes and over the order of ``where`` and ``per``."""
    meaning: dict[str, Any] = {
        "service": slo.service,
        "kind": slo.kind,
        "sli": _counted(slo),
        "where": sorted(str(matcher) for matcher in slo.where.items),
        "per": sorted(slo.per),
    }
    if not isinstance(slo.budgeting, Occurrences):
        # Verdicts over slices need the events at their full resolution, so they are counted anew from the rows.
        meaning["budgeting"] = {"method": slo.budgeting.method, **asdict(slo.budgeting)}
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
    return f"{slo.name}@{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def beside_rule_id(slo: Slo) -> str | None:
    """Id of the rule that counts what is shown beside the SLI and never judged, ``<rule id>:<what>``; None without."""
    beside = compile_rules(slo)[1:] if slo.sli.slice_ns is None else ()
    return beside[0].id if beside else None


def slices_rule_id(slo: Slo) -> str:
    """Id of the deltas that count an SLO's judged slices; no collector counts by it, the engine makes them."""
    return verdicts_of(rule_id(slo))


def verdicts_of(rule: str) -> str:
    """Id of the deltas that count the judged slices of what ``rule`` gathers."""
    return f"{rule}:slices"


def compile_rules(slo: Slo) -> tuple[RollupRule, ...]:
    """The rules of the SLI, see :meth:`detectors.slo.kinds.protocol.Sli.rules`."""
    where = Matchers((Matcher("service", "=", slo.service), *slo.where.items))
    return slo.sli.rules(rule_id(slo), where, slo.per)


def _counted(slo: Slo) -> dict[str, Any]:
    """The fields of the SLI that decide what is counted."""
    whole = asdict(slo.sli)
    return {one.name: whole[one.name] for one in fields(slo.sli) if one.metadata.get("counted", True)}
