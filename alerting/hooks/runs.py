"""The runs of hooks as they are stored, what they count for, and why another may not follow; it calls nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, update

from alerting.documents import seconds_of
from alerting.evidence import clean
from alerting.hooks.hook import Hook, HookRules
from alerting.incidents import MACHINE, format_id
from alerting.tables import hook_runs, hook_switches, incidents
from storage import audit
from storage.statements import chunks, insert_rows
from telemetry.windows import NANOS, format_duration

State = Literal["waiting", "queued", "sent", "failed", "refused", "dry run"]
"""``waiting`` for a person's approval; ``refused`` by a limit or a stop, so that nothing was sent."""

ALL: Final = "*"
"""All hooks together, as a name."""
_COUNTED: Final = ("waiting", "queued", "sent", "failed", "dry run")
"""States that use up what a hook may do."""
_HOUR_NS: Final = 3600 * NANOS
_MAX_LISTED: Final = 20
_MAX_NOTE: Final = 1000
_ADDED: Final = ("hook", "incident", "event", "author", "asked_ns", "state", "attempts", "note", "sent_ns")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a hook for an incident.

    Attributes:
        event: why; ``by hand`` when a person asked for it.
        author: who caused it: a person, or Tailwatch.
        note: what was answered, or why it did not run.
        sent_ns: when it was answered well; None if it was not.
        resolved_ns: when its incident was resolved; None while it is not.
    """

    id: int
    hook: str
    incident: int
    event: str
    author: str
    asked_ns: int
    state: State
    attempts: int
    note: str
    sent_ns: int | None
    resolved_ns: int | None

    @property
    def counts(self) -> bool:
        """Whether it uses up what its hook may do."""
        return self.state in _COUNTED

    def document(self) -> dict[str, Any]:
        """The run as the HTTP API gives it; times in seconds since the epoch."""
        return {
            "id": self.id, "hook": self.hook, "incident": format_id(self.incident), "event": self.event,
            "author": self.author, "asked_at": seconds_of(self.asked_ns), "state": self.state,
            "attempts": self.attempts, "note": self.note, "sent_at": seconds_of(self.sent_ns),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Switch:
    """What somebody last said about a hook, or all of them."""

    off: bool
    at_ns: int
    author: str
    comment: str


def load_run(connection: Connection, number: int) -> Run | None:
    """One run; None when there is none of that number."""
    return next(iter(_load(connection, hook_runs.c.id == number)), None)


def of_incident(connection: Connection, number: int) -> list[Run]:
    """The runs for an incident, the oldest first."""
    return _load(connection, hook_runs.c.incident == number)


def waiting(connection: Connection, numbers: Iterable[int]) -> list[Run]:
    """The runs for these incidents that wait for approval, the oldest first."""
    ours = sorted(numbers)
    return [
        run
        for chunk in chunks(ours)
        for run in _load(connection, and_(hook_runs.c.incident.in_(chunk), hook_runs.c.state == "waiting"))
    ]


def used(connection: Connection, hook: str, numbers: Iterable[int]) -> Counter[int]:
    """How many runs of a hook count for each of these incidents."""
    found: Counter[int] = Counter()
    for chunk in chunks(sorted(numbers)):
        query = (
            select(hook_runs.c.incident, func.count())
            .where(hook_runs.c.incident.in_(chunk), hook_runs.c.hook == hook, hook_runs.c.state.in_(_COUNTED))
            .group_by(hook_runs.c.incident)
        )
        found.update({row[0]: row[1] for row in connection.execute(query)})
    return found


def counted(connection: Connection, hook: Hook, now_ns: int) -> list[Run]:
    """The runs of a hook that count for its limits or its pause now, the oldest first; as many as those allow."""
    lately = and_(hook_runs.c.asked_ns > now_ns - _HOUR_NS, hook_runs.c.state.in_(_COUNTED))
    last = (
        select(hook_runs.c.id)
        .where(hook_runs.c.hook == hook.name, hook_runs.c.state == "sent")
        .order_by(hook_runs.c.id.desc())
        .limit(2 * hook.pause_after)
    )
    return _load(connection, and_(hook_runs.c.hook == hook.name, lately | hook_runs.c.id.in_(last)))


def latest(connection: Connection, hook: Hook) -> list[Run]:
    """The last runs of a hook, the oldest first."""
    last = (
        select(hook_runs.c.id).where(hook_runs.c.hook == hook.name).order_by(hook_runs.c.id.desc()).limit(_MAX_LISTED)
    )
    return _load(connection, hook_runs.c.id.in_(last))


def _load(connection: Connection, condition: ColumnElement[bool]) -> list[Run]:
    query = (
        select(hook_runs, incidents.c.resolved_ns)
        .join(incidents, incidents.c.number == hook_runs.c.incident)
        .where(condition)
        .order_by(hook_runs.c.id)
    )
    return [Run(**row) for row in connection.execute(query).mappings()]


def new(hook: str, incident: int, *, event: str, author: str, state: State, note: str, now_ns: int) -> Run:
    """A run that is not stored yet, and has no id."""
    return Run(
        id=0, hook=hook, incident=incident, event=event, author=clean(author), asked_ns=now_ns, state=state, attempts=0,
        note=clean(note)[:_MAX_NOTE], sent_ns=None, resolved_ns=None,
    )  # fmt: skip


def add(connection: Connection, made: Sequence[Run]) -> list[Run]:
    """Store new runs, in this order; they with their ids. Whoever adds any has the turn to change incidents."""
    last = connection.execute(select(func.max(hook_runs.c.id))).scalar_one() or 0
    insert_rows(connection, hook_runs, _ADDED, map(attrgetter(*_ADDED), made))
    ids = connection.execute(select(hook_runs.c.id).where(hook_runs.c.id > last).order_by(hook_runs.c.id)).scalars()
    return [replace(run, id=number) for number, run in zip(ids, made, strict=True)]


def change(connection: Connection, number: int, **values: Any) -> None:
    """Set what has changed about a run."""
    if "note" in values:
        values["note"] = clean(values["note"])[:_MAX_NOTE]
    connection.execute(update(hook_runs).where(hook_runs.c.id == number).values(**values))


def record(connection: Connection, run: Run, target: str, now_ns: int) -> None:
    """Say in the audit log how a run stands: Tailwatch made it, or did not, whoever asked for it."""
    record_all(connection, [run], target, now_ns)


def record_all(connection: Connection, made: Iterable[Run], target: str, now_ns: int) -> None:
    """Say so of each of these."""
    entries = (
        (
            run.hook,
            {"run": run.id, "incident": format_id(run.incident), "event": run.event, "author": run.author,
             "target": target, "attempt": run.attempts, "state": run.state, "note": run.note},
        )
        for run in made
    )  # fmt: skip
    audit.record_all(connection, entries, at_ns=now_ns, actor=MACHINE, action="hook.run")


def load_switches(connection: Connection) -> dict[str, Switch]:
    """What people last said, by the hook's name."""
    return {
        row.hook: Switch(row.off, row.at_ns, row.author, row.comment)
        for row in connection.execute(select(hook_switches))
    }


def save_switch(connection: Connection, hook: str, said: Switch) -> None:
    """Remember what somebody said about a hook, or about all."""
    values = {
        "off": said.off, "at_ns": said.at_ns, "author": clean(said.author), "comment": clean(said.comment),
    }  # fmt: skip
    if not connection.execute(update(hook_switches).where(hook_switches.c.hook == hook).values(**values)).rowcount:
        connection.execute(insert(hook_switches).values(hook=hook, **values))


def stopped(rules: HookRules, hook: Hook, runs: Sequence[Run], switches: Mapping[str, Switch], now_ns: int) -> str:
    """Why the hook does not run at all now; empty when it does.

    A hook pauses itself when the last ``pause_after`` of its runs that were answered well, since somebody last
    switched it on, all left their incident unresolved for ``better_within``: it does not help, or does harm.
    """
    if not rules.enabled:
        return "hooks are switched off in the configuration (alerting: hooks: enabled: false)"
    for name, who in ((ALL, "all hooks are"), (hook.name, "it is")):
        said = switches.get(name)
        if said is not None and said.off:
            return f"{who} switched off by {said.author}{f': {said.comment}' if said.comment else ''}"
    on_again_ns = max((switches[name].at_ns for name in (ALL, hook.name) if name in switches), default=0)
    judged = [_helped(run, hook, now_ns) for run in runs if run.sent_ns is not None and run.sent_ns > on_again_ns]
    last = [helped for helped in judged if helped is not None][-hook.pause_after :]
    if len(last) == hook.pause_after and not any(last):
        within = format_duration(hook.better_within_ns)
        return f"it paused itself: after each of its last {len(last)} runs the incident went on for over {within}"
    return ""


def _helped(run: Run, hook: Hook, now_ns: int) -> bool | None:
    """Whether the incident ended soon after the run; None while that is open."""
    assert run.sent_ns is not None, "only runs that were answered are judged"
    if run.event == "resolve":
        return None
    until_ns = run.sent_ns + hook.better_within_ns
    if run.resolved_ns is not None and run.resolved_ns >= run.asked_ns:
        return run.resolved_ns <= until_ns
    return None if now_ns <= until_ns else False


def too_often(hook: Hook, runs: Iterable[Run], now_ns: int) -> str:
    """Why another run within this hour may not be; empty when it may."""
    lately = sum(run.counts and run.asked_ns > now_ns - _HOUR_NS for run in runs)
    return f"it has run {lately} times within an hour, as often as it may" if lately >= hook.per_hour else ""
