"""Hooks and their runs as people see them: over HTTP, with an incident, in notifications; it changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from alerting.hooks import runs
from alerting.hooks.hook import Hook, HookRules
from alerting.hooks.runs import ALL, Switch
from alerting.incidents import Alert, Incident


def all_hooks(connection: Connection, rules: HookRules, now_ns: int) -> dict[str, Any]:
    """Every hook: what it does, whether it runs, and its latest runs."""
    switches = runs.load_switches(connection)
    every = switches.get(ALL)
    return {
        "enabled": rules.enabled and not (every is not None and every.off),
        "allow": list(rules.allow),
        "hooks": [_document(connection, rules, hook, switches, now_ns) for hook in rules.hooks],
    }


def _document(
    connection: Connection, rules: HookRules, hook: Hook, switches: Mapping[str, Switch], now_ns: int
) -> dict[str, Any]:
    counted = runs.counted(connection, hook, now_ns)
    return {
        "name": hook.name, "target": hook.target, "on": list(hook.on),
        "match": [str(matcher) for matcher in hook.match.items], "approval": hook.approval,
        "dry_run": hook.dry_run, "stopped": runs.stopped(rules, hook, counted, switches, now_ns),
        "runs": [run.document() for run in runs.latest(connection, hook)],
    }  # fmt: skip


def of_incident(
    connection: Connection, rules: HookRules, incident: Incident, members: Sequence[Alert]
) -> dict[str, Any]:
    """What may be run for an incident by hand, and what was run."""
    own = runs.of_incident(connection, incident.number)
    offered = []
    for hook in rules.hooks:
        if incident.status == "resolved" or not hook.accepts(incident, members):
            continue
        mine = [run for run in own if run.hook == hook.name]
        waiting = any(run.state == "waiting" for run in mine)
        left = hook.per_incident - sum(run.counts for run in mine) + waiting
        offered.append(
            {"name": hook.name, "target": hook.target, "dry_run": hook.dry_run, "waiting": waiting, "left": left}
        )
    return {"hooks": offered, "hook_runs": [run.document() for run in own]}


def to_approve(connection: Connection, rules: HookRules, incident: int) -> tuple[str, ...]:
    """The hooks of which a run for the incident waits for a person's approval."""
    waiting = {run.hook for run in runs.waiting(connection, [incident])}
    return tuple(hook.name for hook in rules.hooks if rules.enabled and hook.name in waiting)
