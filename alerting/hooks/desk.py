"""Response hooks at work: queues a run when something happens to an incident or a person asks; it sends nothing.

A run is stored, with its row of the outbox, in the transaction that changes its incident: both happen or neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from alerting import outbox, repository
from alerting.hooks import runs
from alerting.hooks.caller import HookCaller, body_of, group_key
from alerting.hooks.hook import BY_HAND, Hook, HookRules, events, labels_of
from alerting.hooks.runs import ALL, Run, State, Switch
from alerting.incidents import MACHINE, Alert, Incident, TimelineEvent
from alerting.notifications import Group, Notification, Reason, Told, compose, shown
from alerting.outbox import Queued
from alerting.receivers.trust import Trust
from alerting.sandbox import FAULTS
from alerting.texts import cut, flat
from storage import audit
from storage.database import Database
from telemetry.errors import ConflictError, NotFoundError

_REASONS: Mapping[str, Reason] = {"open": "opened", "resolve": "resolved"}
_MAX_SHOWN = 400


class HookDesk:
    """The hooks of one configuration."""

    def __init__(self, rules: HookRules, external_url: str) -> None:
        self._rules = rules
        self._external_url = external_url

    def callers(self, database: Database, trust: Trust) -> tuple[HookCaller, ...]:
        """Who sends the runs out of the outbox."""
        return tuple(HookCaller(hook, self._rules, database, trust) for hook in self._rules.hooks)

    def react(
        self,
        connection: Connection,
        before: Mapping[int, Incident],
        after: Iterable[Incident],
        members: Mapping[int, Sequence[Alert]],
        now_ns: int,
    ) -> None:
        """Queue what waits for what has happened to these incidents, within the transaction that stores it."""
        changed = [incident for incident in after if incident != before.get(incident.number)]
        if not changed or not self._rules.hooks or not self._rules.enabled:
            return
        switches = runs.load_switches(connection)
        for hook in self._rules.hooks:
            for incident in changed:
                found = events(before.get(incident.number), incident, hook.min_confidence)
                due = [event for event in found if event in hook.on]
                if not due or not _accepts(hook, incident, members):
                    continue
                known = runs.recent(connection, hook, now_ns)
                own = [run for run in runs.of_incidents(connection, [incident.number]) if run.hook == hook.name]
                if runs.used(incident.number, own) >= hook.per_incident:
                    continue
                why_not = runs.stopped(self._rules, hook, known, switches, now_ns) or runs.too_often(
                    hook, known, now_ns
                )
                self._begin(connection, hook, incident, members, event=due[0], why_not=why_not, now_ns=now_ns)

    def run(
        self, connection: Connection, name: str, incident: Incident, members: Sequence[Alert], *,
        author: str, comment: str, actor: str, now_ns: int,
    ) -> Run:  # fmt: skip
        """Run a hook because a person asks for it, or approves of it.

        Raises:
            NotFoundError: there is no such hook.
            ConflictError: it is not for this incident, is off, or has run as often as it may.
        """
        hook = self._named(name)
        group = {incident.number: members}
        if incident.status == "resolved" and "resolve" not in hook.on:
            raise ConflictError(f"{incident.id} is resolved", remedy="a hook acts on what goes on; call it elsewhere")
        if not _accepts(hook, incident, group):
            raise ConflictError(f"hook {name} is not for {incident.id}: its match does not accept it", remedy=_SEE)
        known = runs.recent(connection, hook, now_ns)
        own = [run for run in runs.of_incidents(connection, [incident.number]) if run.hook == name]
        waiting = next((run for run in own if run.state == "waiting"), None)
        others = [run for run in own if run is not waiting]
        why_not = runs.stopped(self._rules, hook, known, runs.load_switches(connection), now_ns)
        if not why_not and runs.used(incident.number, others) >= hook.per_incident:
            why_not = f"it has run for {incident.id} as often as it may (per_incident: {hook.per_incident})"
        why_not = why_not or runs.too_often(hook, [run for run in known if run != waiting], now_ns)
        if why_not:
            raise ConflictError(f"hook {name} does not run: {why_not}", remedy=_SEE)
        audit.record(
            connection, at_ns=now_ns, actor=actor, action="hook.request", subject=name,
            detail={"incident": incident.id, "author": author, "comment": comment},
        )  # fmt: skip
        said = f"Hook {name} {'approved' if waiting else 'asked for'}{f': {comment}' if comment else ''}"
        _note(connection, incident, now_ns, said, author)
        number = self._begin(
            connection, hook, incident, group, event=BY_HAND, why_not="", now_ns=now_ns, author=author, waiting=waiting
        )
        found = runs.load_run(connection, number)
        assert found is not None, "it was stored in this transaction"
        return found

    def switch(
        self, connection: Connection, name: str, *, off: bool, author: str, comment: str, actor: str, now_ns: int
    ) -> None:
        """Stop a hook, or all of them (``*``), or let them run again.

        Raises:
            NotFoundError: there is no such hook.
        """
        if name != ALL:
            self._named(name)
        runs.save_switch(connection, name, Switch(off, now_ns, author, comment))
        audit.record(
            connection, at_ns=now_ns, actor=actor, action="hook.off" if off else "hook.on", subject=name,
            detail={"author": author, "comment": comment},
        )  # fmt: skip

    def documents(self, connection: Connection, now_ns: int) -> dict[str, Any]:
        """Every hook: what it does, whether it runs, and its latest runs."""
        switches = runs.load_switches(connection)
        every = switches.get(ALL)
        return {
            "enabled": self._rules.enabled and not (every is not None and every.off),
            "allow": list(self._rules.allow),
            "hooks": [self._document(connection, hook, switches, now_ns) for hook in self._rules.hooks],
        }

    def of_incident(self, connection: Connection, incident: Incident, members: Sequence[Alert]) -> dict[str, Any]:
        """What may be run for an incident by hand, and what was run."""
        own = runs.of_incidents(connection, [incident.number])
        offered = []
        for hook in self._rules.hooks:
            if incident.status == "resolved" or not _accepts(hook, incident, {incident.number: members}):
                continue
            mine = [run for run in own if run.hook == hook.name]
            waiting = any(run.state == "waiting" for run in mine)
            left = hook.per_incident - runs.used(incident.number, mine) + waiting
            offered.append(
                {"name": hook.name, "target": hook.target, "dry_run": hook.dry_run, "waiting": waiting, "left": left}
            )
        return {"hooks": offered, "hook_runs": [run.document() for run in own]}

    def _named(self, name: str) -> Hook:
        hook = self._rules.named(name)
        if hook is None:
            known = ", ".join(one.name for one in self._rules.hooks) or "none is configured"
            raise NotFoundError(f"there is no hook {name[:100]!r}", where="hooks", remedy=f"the hooks are: {known}")
        return hook

    def _document(self, connection: Connection, hook: Hook, switches: dict[str, Switch], now_ns: int) -> dict[str, Any]:
        known = runs.recent(connection, hook, now_ns)
        return {
            "name": hook.name, "target": hook.target, "on": list(hook.on),
            "match": [str(matcher) for matcher in hook.match.items], "approval": hook.approval,
            "dry_run": hook.dry_run, "stopped": runs.stopped(self._rules, hook, known, switches, now_ns),
            "runs": [run.document() for run in known],
        }  # fmt: skip

    def _begin(
        self,
        connection: Connection,
        hook: Hook,
        incident: Incident,
        members: Mapping[int, Sequence[Alert]],
        *,
        event: str,
        why_not: str,
        now_ns: int,
        author: str = MACHINE,
        waiting: Run | None = None,
    ) -> int:
        """Store a run in the state that it begins in, and what the timeline says of it; its number."""
        message = self._message(hook, incident, members.get(incident.number, ()), event, now_ns)
        state, note = _first_state(hook, message, event, author, why_not)
        if waiting is None:
            number = runs.add(
                connection,
                hook.name,
                incident.number,
                event=event,
                author=author,
                state=state,
                note=note,
                now_ns=now_ns,
            )
        else:
            number = waiting.id
            runs.change(connection, number, event=event, author=author, state=state, note=note, asked_ns=now_ns)
        if state == "queued":
            known, key = Told(message.phase, incident.severity, frozenset(), now_ns, 1), group_key(number)
            queued = Queued(
                incident.number, incident.opened_ns, hook.receiver, key, message.reason, known,
                notification=replace(message, group_key=key),
            )  # fmt: skip
            outbox.enqueue(connection, [queued])
            return number
        words = {"dry run": "would have run", "waiting": "waits for approval"}.get(state, "did not run")
        _note(connection, incident, now_ns, f"Hook {hook.name} {words} ({event}, {hook.target}): {note}", MACHINE)
        audit.record(
            connection, at_ns=now_ns, actor=author, action="hook.run", subject=hook.name,
            detail={"run": number, "incident": incident.number, "event": event, "target": hook.target, "attempt": 0,
                    "state": state, "note": note},
        )  # fmt: skip
        return number

    def _message(
        self, hook: Hook, incident: Incident, members: Sequence[Alert], event: str, now_ns: int
    ) -> Notification:
        return compose(
            _REASONS.get(event, "updated"), Group(incident, tuple(members)), shown(incident, members),
            receiver=hook.name, group_key="", group_labels={"incident": incident.id, "hook": hook.name, "event": event},
            runbook={"name": incident.runbook, "title": "", "first_step": ""}, external_url=self._external_url,
            now_ns=now_ns,
        )  # fmt: skip


def offered(rules: HookRules, incident: Incident, members: Sequence[Alert]) -> tuple[str, ...]:
    """The hooks that want a person's approval and fit an incident that goes on."""
    if incident.status == "resolved" or not rules.enabled:
        return ()
    fits = (hook for hook in rules.hooks if hook.approval and _accepts(hook, incident, {incident.number: members}))
    return tuple(hook.name for hook in fits)


_SEE = "GET /api/v1/hooks says what each hook does and whether it runs"


def _first_state(hook: Hook, message: Notification, event: str, author: str, why_not: str) -> tuple[State, str]:
    if why_not:
        return "refused", why_not
    if hook.approval and event != BY_HAND:
        return "waiting", "approve it on the incident's page, or with tailwatch hooks run"
    if not hook.dry_run:
        return "queued", ""
    try:
        body = body_of(hook, message, event, author)
    except FAULTS as error:
        return "dry run", cut(f"its template fails: {type(error).__name__}: {flat(error)}", _MAX_SHOWN)
    return "dry run", f"dry_run is on, nothing was sent; body: {cut(flat(body, _MAX_SHOWN), _MAX_SHOWN) or 'none'}"


def _accepts(hook: Hook, incident: Incident, members: Mapping[int, Sequence[Alert]]) -> bool:
    speaking = next((one.labels for one in members.get(incident.number, ()) if one.fingerprint == incident.primary), {})
    return hook.match.accepts(labels_of(incident, speaking))


def _note(connection: Connection, incident: Incident, now_ns: int, text: str, author: str) -> None:
    repository.append_events(connection, [(incident.number, TimelineEvent(now_ns, "hook", author, text))])
