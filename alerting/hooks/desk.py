"""Response hooks at work: queues a run when something happens to an incident or a person asks; it sends nothing.

A run is stored, with its row of the outbox, in the transaction that changes its incident: both happen or neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from alerting import outbox, repository
from alerting.hooks import runs
from alerting.hooks.caller import HookCaller, body_of, group_key
from alerting.hooks.hook import BY_HAND, Event, Hook, HookRules, events
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
_SEE = "GET /api/v1/hooks says what each hook does and whether it runs"


class HookDesk:
    """The hooks of one configuration."""

    def __init__(self, rules: HookRules, external_url: str) -> None:
        self.rules = rules
        self._external_url = external_url

    def callers(self, database: Database, trust: Trust) -> tuple[HookCaller, ...]:
        """Who sends the runs out of the outbox."""
        return tuple(HookCaller(hook, self.rules, database, trust) for hook in self.rules.hooks)

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
        give_up_waiting(connection, [one for one in changed if one.status == "resolved"], now_ns)
        if not changed or not self.rules.hooks or not self.rules.enabled:
            return
        switches = runs.load_switches(connection)
        for hook in self.rules.hooks:
            due: list[tuple[Incident, Event]] = []
            for incident in changed:
                found = events(before.get(incident.number), incident, hook.min_confidence)
                event = next((one for one in found if one in hook.on), None)
                if event is not None and hook.accepts(incident, members.get(incident.number, ())):
                    due.append((incident, event))
            if due:
                self._begin_all(connection, hook, due, members, switches, now_ns)

    def _begin_all(
        self,
        connection: Connection,
        hook: Hook,
        due: Sequence[tuple[Incident, Event]],
        members: Mapping[int, Sequence[Alert]],
        switches: Mapping[str, Switch],
        now_ns: int,
    ) -> None:
        used = runs.used(connection, hook.name, {incident.number for incident, _ in due})
        known = runs.counted(connection, hook, now_ns)
        for incident, event in due:
            if used[incident.number] >= hook.per_incident:
                continue
            why_not = runs.stopped(self.rules, hook, known, switches, now_ns) or runs.too_often(hook, known, now_ns)
            alerts = members.get(incident.number, ())
            run = self._begin(connection, hook, incident, alerts, event=event, why_not=why_not, now_ns=now_ns)
            if run.counts:
                known.append(run)

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
        if incident.status == "resolved" and "resolve" not in hook.on:
            raise ConflictError(f"{incident.id} is resolved", remedy="a hook acts on what goes on; call it elsewhere")
        if not hook.accepts(incident, members):
            raise ConflictError(f"hook {name} is not for {incident.id}: its match does not accept it", remedy=_SEE)
        known = runs.counted(connection, hook, now_ns)
        waiting = _waiting(connection, incident, name)
        why_not = runs.stopped(self.rules, hook, known, runs.load_switches(connection), now_ns)
        used = runs.used(connection, name, [incident.number])[incident.number] - (waiting is not None)
        if not why_not and used >= hook.per_incident:
            why_not = f"it has run for {incident.id} as often as it may (per_incident: {hook.per_incident})"
        why_not = why_not or runs.too_often(hook, [run for run in known if run != waiting], now_ns)
        if why_not:
            raise ConflictError(f"hook {name} does not run: {why_not}", remedy=_SEE)
        said = f"Hook {name} {'approved' if waiting else 'asked for'}{f': {comment}' if comment else ''}"
        action = "hook.approve" if waiting else "hook.request"
        _write_down(connection, action, name, incident, said, author=author, comment=comment, actor=actor, at_ns=now_ns)
        return self._begin(
            connection, hook, incident, members,
            event=BY_HAND, why_not="", now_ns=now_ns, author=author, waiting=waiting,
        )  # fmt: skip

    def deny(
        self, connection: Connection, name: str, incident: Incident, *,
        author: str, comment: str, actor: str, now_ns: int,
    ) -> Run:  # fmt: skip
        """Have the run that waits for approval not be made, because a person says so.

        Raises:
            NotFoundError: there is no such hook.
            ConflictError: none of its runs waits for this incident.
        """
        self._named(name)
        waiting = _waiting(connection, incident, name)
        if waiting is None:
            raise ConflictError(f"no run of hook {name} waits for approval for {incident.id}", remedy=_SEE)
        why = f": {comment}" if comment else ""
        note = f"denied by {author}{why}"
        runs.change(connection, waiting.id, state="refused", note=note)
        said = f"Hook {name} denied{why}"
        _write_down(
            connection, "hook.deny", name, incident, said, author=author, comment=comment, actor=actor, at_ns=now_ns
        )
        return replace(waiting, state="refused", note=note)

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

    def _named(self, name: str) -> Hook:
        hook = self.rules.named(name)
        if hook is None:
            known = ", ".join(one.name for one in self.rules.hooks) or "none is configured"
            raise NotFoundError(f"there is no hook {name[:100]!r}", where="hooks", remedy=f"the hooks are: {known}")
        return hook

    def _begin(
        self,
        connection: Connection,
        hook: Hook,
        incident: Incident,
        members: Sequence[Alert],
        *,
        event: str,
        why_not: str,
        now_ns: int,
        author: str = MACHINE,
        waiting: Run | None = None,
    ) -> Run:
        """Store a run in the state that it begins in, and what the timeline says of it."""
        message = None if why_not else self._message(hook, incident, members, event, now_ns)
        state: State = "refused"
        note = why_not
        if message is not None:
            state, note = _first_state(hook, message, event, author)
        if waiting is None:
            run = runs.add(
                connection, hook.name, incident.number,
                event=event, author=author, state=state, note=note, now_ns=now_ns,
            )  # fmt: skip
        else:
            run = replace(waiting, event=event, author=author, state=state, note=note, asked_ns=now_ns)
            runs.change(connection, run.id, event=event, author=author, state=state, note=note, asked_ns=now_ns)
        if state == "queued" and message is not None:
            key = group_key(run.id)
            known = Told(message.phase, incident.severity, frozenset(), now_ns, 1)
            message = replace(message, group_key=key)
            queued = Queued(
                incident.number, incident.opened_ns, hook.receiver, key, message.reason, known, notification=message
            )
            outbox.enqueue(connection, [queued])
            return run
        words = {"dry run": "would have run", "waiting": "waits for approval"}.get(state, "did not run")
        _note(connection, incident.number, now_ns, f"Hook {hook.name} {words} ({event}, {hook.target}): {note}")
        runs.record(connection, run, hook.target, now_ns)
        return run

    def _message(
        self, hook: Hook, incident: Incident, members: Sequence[Alert], event: str, now_ns: int
    ) -> Notification:
        return compose(
            _REASONS.get(event, "updated"), Group(incident, tuple(members)), shown(incident, members),
            receiver=hook.name, group_key="", group_labels={"incident": incident.id, "hook": hook.name, "event": event},
            runbook={"name": incident.runbook, "title": "", "first_step": ""}, external_url=self._external_url,
            now_ns=now_ns,
        )  # fmt: skip


def give_up_waiting(connection: Connection, ended: Sequence[Incident], now_ns: int) -> None:
    """Conclude the runs that wait for a person to approve of them for incidents that have ended."""
    note = "the incident ended before anybody approved of it"
    for run in runs.waiting(connection, [incident.number for incident in ended]):
        # What acts on the end of an incident has only begun to wait.
        if run.event != "resolve":
            runs.change(connection, run.id, state="refused", note=note)
            _note(connection, run.incident, now_ns, f"Hook {run.hook} did not run ({run.event}): {note}")
            runs.record(connection, replace(run, state="refused", note=note), "", now_ns)


def _waiting(connection: Connection, incident: Incident, hook: str) -> Run | None:
    return next((run for run in runs.waiting(connection, [incident.number]) if run.hook == hook), None)


def _first_state(hook: Hook, message: Notification, event: str, author: str) -> tuple[State, str]:
    if hook.approval and event != BY_HAND:
        return "waiting", "approve it on the incident's page, or with tailwatch hooks run"
    if not hook.dry_run:
        return "queued", ""
    try:
        body = body_of(hook, message, event, author)
    except FAULTS as error:
        return "dry run", cut(f"its template fails: {type(error).__name__}: {flat(error)}", _MAX_SHOWN)
    return "dry run", f"dry_run is on, nothing was sent; body: {cut(flat(body, _MAX_SHOWN), _MAX_SHOWN) or 'none'}"


def _write_down(
    connection: Connection, action: str, hook: str, incident: Incident, said: str, *,
    author: str, comment: str, actor: str, at_ns: int,
) -> None:  # fmt: skip
    """What a person has said about a run, in the timeline and in the audit log."""
    _note(connection, incident.number, at_ns, said, author)
    audit.record(
        connection, at_ns=at_ns, actor=actor, action=action, subject=hook,
        detail={"incident": incident.id, "author": author, "comment": comment},
    )  # fmt: skip


def _note(connection: Connection, incident: int, now_ns: int, text: str, author: str = MACHINE) -> None:
    repository.append_events(connection, [(incident, TimelineEvent(now_ns, "hook", author, text))])
