"""Response hooks at work: queues a run when something happens to an incident or a person asks; it sends nothing.

A run is stored, with its row of the outbox, in the transaction that changes its incident: both happen or neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, slots=True)
class _Begun:
    """A run that begins for an incident; ``message`` is what it sends, None where nothing is sent yet."""

    incident: Incident
    run: Run
    message: Notification | None


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
        begun: list[_Begun] = []
        for incident, event in due:
            if used[incident.number] >= hook.per_incident:
                continue
            why_not = runs.stopped(self.rules, hook, known, switches, now_ns) or runs.too_often(hook, known, now_ns)
            alerts = members.get(incident.number, ())
            begun.append(self._begin(hook, incident, alerts, event=event, why_not=why_not, now_ns=now_ns))
            if begun[-1].run.counts:
                known.append(begun[-1].run)
        stored = runs.add(connection, [one.run for one in begun])
        self._follow(connection, hook, [replace(one, run=run) for one, run in zip(begun, stored, strict=True)], now_ns)

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
        begun = self._begin(hook, incident, members, event=BY_HAND, why_not="", now_ns=now_ns, author=author)
        if waiting is None:
            (run,) = runs.add(connection, [begun.run])
        else:
            changes = {name: getattr(begun.run, name) for name in ("event", "author", "state", "note", "asked_ns")}
            runs.change(connection, waiting.id, **changes)
            run = replace(waiting, **changes)
        self._follow(connection, hook, [replace(begun, run=run)], now_ns)
        return run

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
        hook: Hook,
        incident: Incident,
        members: Sequence[Alert],
        *,
        event: str,
        why_not: str,
        now_ns: int,
        author: str = MACHINE,
    ) -> _Begun:
        """A run in the state that it begins in; nothing is stored."""
        message = None if why_not else self._message(hook, incident, members, event, now_ns)
        state: State = "refused"
        note = why_not
        if message is not None:
            state, note = _first_state(hook, message, event, author)
        run = runs.new(hook.name, incident.number, event=event, author=author, state=state, note=note, now_ns=now_ns)
        return _Begun(incident, run, message if state == "queued" else None)

    def _follow(self, connection: Connection, hook: Hook, begun: Sequence[_Begun], now_ns: int) -> None:
        """Let runs that were stored be sent, or say in timelines and audit log why not."""
        outbox.enqueue(connection, (_queued(hook, one, one.message, now_ns) for one in begun if one.message))
        others = [one.run for one in begun if one.message is None]
        _note_all(connection, ((run.incident, _said(hook, run)) for run in others), now_ns)
        runs.record_all(connection, others, hook.target, now_ns)

    def _message(
        self, hook: Hook, incident: Incident, members: Sequence[Alert], event: str, now_ns: int
    ) -> Notification:
        return compose(
            _REASONS.get(event, "updated"), Group(incident, tuple(members)), shown(incident, members),
            receiver=hook.name, group_key="", group_labels={"incident": incident.id, "hook": hook.name, "event": event},
            runbook={"name": incident.runbook, "title": "", "first_step": ""}, external_url=self._external_url,
            now_ns=now_ns,
        )  # fmt: skip


def _queued(hook: Hook, begun: _Begun, message: Notification, now_ns: int) -> Queued:
    incident, key = begun.incident, group_key(begun.run.id)
    known = Told(message.phase, incident.severity, frozenset(), now_ns, 1)
    told = replace(message, group_key=key)
    return Queued(incident.number, incident.opened_ns, hook.receiver, key, told.reason, known, notification=told)


def _said(hook: Hook, run: Run) -> str:
    words = {"dry run": "would have run", "waiting": "waits for approval"}.get(run.state, "did not run")
    return f"Hook {hook.name} {words} ({run.event}, {hook.target}): {run.note}"


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
    _note_all(connection, [(incident, text)], now_ns, author)


def _note_all(connection: Connection, texts: Iterable[tuple[int, str]], now_ns: int, author: str = MACHINE) -> None:
    """A text in the timeline of each of these incidents."""
    repository.append_events(
        connection, ((incident, TimelineEvent(now_ns, "hook", author, text)) for incident, text in texts)
    )
