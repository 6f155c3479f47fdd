"""What people do to incidents: each action is one transaction with its entry in the timeline and in the audit log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection

from alerting import incidents as transitions
from alerting import repository
from alerting.composing import notification
from alerting.dispatch import Dispatch
from alerting.documents import incident_document
from alerting.hooks.desk import give_up_waiting
from alerting.incidents import Alert, Incident, TimelineEvent, parse_id
from alerting.merging import check_unmerged, merge
from alerting.notifications import Notification
from alerting.quiet_now import load_quieting
from alerting.telling import Setup, due, queue
from storage import audit
from storage.database import Database
from telemetry.errors import NotFoundError, PayloadError
from telemetry.findings import Severity

MAX_AUTHOR: Final = 200
MAX_COMMENT: Final = 10_000

Transition = Callable[[Incident, str, str, int], tuple[Incident, TimelineEvent]]


class Actions:
    """The actions, over one database.

    Each returns the incident's ``INC`` afterwards, and raises NotFoundError when there is no such incident,
    ConflictError when it does not allow that as it stands (it is resolved, or was merged into another), PayloadError
    when there is no author. ``author`` is who acts, for people; ``actor`` whom the audit log names, None for what
    Tailwatch does by itself and what needs no record.
    """

    _database: Database
    _setup: Setup
    _deliver_soon: Callable[[], None]

    def acknowledge(
        self, incident_id: str, author: str, comment: str, now_ns: int, *, actor: str | None = None
    ) -> dict[str, Any]:
        """Say that somebody works on it: reminders stop."""
        return self._act("acknowledge", incident_id, author, comment, now_ns, transitions.acknowledge, actor)

    def resolve(
        self, incident_id: str, author: str, comment: str, now_ns: int, *, actor: str | None = None
    ) -> dict[str, Any]:
        """Say that it is over; if its alerts keep firing, it is re-opened after ``reopen_within``."""
        return self._act("resolve", incident_id, author, comment, now_ns, transitions.resolve, actor)

    def reopen(
        self, incident_id: str, author: str, comment: str, now_ns: int, *, actor: str | None = None
    ) -> dict[str, Any]:
        """Say that it is not over after all."""
        return self._act("reopen", incident_id, author, comment, now_ns, transitions.reopen, actor)

    def snooze(
        self, incident_id: str, author: str, comment: str, until_ns: int, now_ns: int, *, actor: str | None = None
    ) -> dict[str, Any]:
        """Acknowledge it until a time; if it still goes on then, it is open again, and told."""
        transition = partial(transitions.snooze, until_ns=until_ns)
        return self._act("snooze", incident_id, author, comment, now_ns, transition, actor)

    def comment(
        self, incident_id: str, author: str, comment: str, now_ns: int, *, actor: str | None = None
    ) -> dict[str, Any]:
        """Add to its timeline, also when it is over.

        Raises:
            PayloadError: there is no comment.
        """
        if not comment.strip():
            raise PayloadError("the comment is empty", status=422, where="comment", remedy="write something")
        return self._act("comment", incident_id, author, comment, now_ns, transitions.comment_on, actor)

    def assign(
        self, incident_id: str, author: str, assignee: str | None, now_ns: int, *, actor: str | None = None
    ) -> dict[str, Any]:
        """Put somebody in charge, or nobody any more.

        Raises:
            PayloadError: the assignee's name is blank.
        """
        whom = "" if assignee is None else person(assignee, "assignee")
        return self._act("assign", incident_id, author, whom, now_ns, transitions.assign, actor)

    def reclassify(
        self,
        incident_id: str,
        author: str,
        severity: Severity,
        comment: str,
        now_ns: int,
        *,
        actor: str | None = None,
    ) -> dict[str, Any]:
        """Say that it is worth a page, or only a ticket; a page that joins later makes it a page again."""
        transition = partial(transitions.reclassify, severity=severity)
        return self._act("reclassify", incident_id, author, comment, now_ns, transition, actor)

    def merge(
        self, incident_id: str, into: str, author: str, comment: str, now_ns: int, *, actor: str | None = None
    ) -> dict[str, Any]:
        """Let another incident go on with everything that this one has.

        Receivers hear the end of this one under the keys and threads by which they know it, and what follows under
        the other's.

        Raises:
            ConflictError: one of them is resolved or was merged, or both are the same.
        """
        who, said = person(author, "author"), comment.strip()[:MAX_COMMENT]
        with self._database.write() as connection:
            repository.lock(connection)
            source, target = find_incident(connection, incident_id), find_incident(connection, into)
            members = repository.load_members(connection, {source.number, target.number})
            merged = merge(source, target, members, who, said, now_ns)
            ended = due(self._setup, connection, {source.number: merged.source}, members, now_ns)
            repository.save_merged(connection, merged)
            give_up_waiting(connection, [merged.source], now_ns)
            after = {target.number: merged.alerts}
            queue(connection, ended, partial(self._told_now, merged.source, members[source.number]))
            queue(connection, due(self._setup, connection, {target.number: merged.target}, after, now_ns))
            if actor is not None:
                detail = {"into": target.id, "author": who, "comment": said}
                audit.record(
                    connection, at_ns=now_ns, actor=actor, action="incident.merge", subject=source.id, detail=detail
                )
        self._deliver_soon()
        return incident_document(merged.source, ())

    def _told_now(self, incident: Incident, alerts: Sequence[Alert], one: Dispatch) -> Notification:
        return notification(
            self._setup, incident, alerts, receiver=one.receiver, group_key=one.group_key, reason=one.reason,
            decided_ns=one.known.at_ns, figures=one.figures,
        )  # fmt: skip

    def _act(
        self,
        verb: str,
        incident_id: str,
        author: str,
        text: str,
        now_ns: int,
        transition: Transition,
        actor: str | None,
    ) -> dict[str, Any]:
        who, said = person(author, "author"), text.strip()[:MAX_COMMENT]
        with self._database.write() as connection:
            repository.lock(connection)
            before = find_incident(connection, incident_id)
            if verb != "comment":
                check_unmerged(before)
            incident, event = transition(before, who, said, now_ns)
            repository.save_incident(connection, incident)
            repository.append_events(connection, [(incident.number, event)])
            members = repository.load_members(connection, [incident.number])
            queue(connection, due(self._setup, connection, {incident.number: incident}, members, now_ns))
            quieting = load_quieting(connection, self._setup.config.route, now_ns, members[incident.number])
            self._setup.hooks.react(connection, {before.number: before}, [incident], members, now_ns)
            if actor is not None:
                detail = {"author": who, "text": event.text}
                audit.record(
                    connection, at_ns=now_ns, actor=actor, action=f"incident.{verb}", subject=incident.id, detail=detail
                )
        self._deliver_soon()
        return incident_document(incident, members[incident.number]) | quieting.summary(members[incident.number])


def find_incident(connection: Connection, incident_id: str) -> Incident:
    """The incident of that id.

    Raises:
        NotFoundError: there is none.
    """
    number = parse_id(incident_id)
    incident = None if number is None else repository.load_incident(connection, number)
    if incident is None:
        raise NotFoundError(
            f"there is no incident {incident_id[:50]!r}", remedy="take an id from the list of incidents"
        )
    return incident


def person(name: str, field: str) -> str:
    """A person's name on one line.

    Raises:
        PayloadError: it is empty.
    """
    cleaned = " ".join(name.split())[:MAX_AUTHOR]
    if not cleaned:
        raise PayloadError(f"the {field} is empty", status=422, where=field, remedy="give a name")
    return cleaned
