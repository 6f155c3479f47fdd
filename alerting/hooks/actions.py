"""What people do with response hooks: run one, approve of one, stop and start them; each is one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alerting import repository
from alerting.actions import find_incident, person
from alerting.hooks import documents
from alerting.hooks.runs import ALL
from alerting.telling import Setup
from storage.database import Database


class HookActions:
    """The actions, over one database. ``author`` is who acts, for people; ``actor`` whom the audit log names."""

    _database: Database
    _setup: Setup
    _deliver_soon: Callable[[], None]

    def hooks(self, now_ns: int) -> dict[str, Any]:
        """Every hook with what it does, whether it runs, and its latest runs.

        Raises:
            StorageError: the database cannot be used.
        """
        with self._database.read() as connection:
            return documents.all_hooks(connection, self._setup.config.hooks, now_ns)

    def run_hook(
        self, incident_id: str, name: str, author: str, comment: str, now_ns: int, *, actor: str
    ) -> dict[str, Any]:
        """Queue a run, or approve of the one that waits; its document.

        Raises:
            NotFoundError: there is no such incident or hook.
            ConflictError: the hook does not run, or not for this incident.
            PayloadError: there is no author.
        """
        with self._database.write() as connection:
            repository.lock(connection)
            incident = find_incident(connection, incident_id)
            members = repository.load_members(connection, [incident.number])[incident.number]
            run = self._setup.hooks.run(
                connection, name, incident, members,
                author=person(author, "author"), comment=comment.strip(), actor=actor, now_ns=now_ns,
            )  # fmt: skip
        self._deliver_soon()
        return run.document()

    def deny_hook(
        self, incident_id: str, name: str, author: str, comment: str, now_ns: int, *, actor: str
    ) -> dict[str, Any]:
        """Have the run that waits for approval not be made; its document.

        Raises:
            NotFoundError: there is no such incident or hook.
            ConflictError: none of its runs waits for this incident.
            PayloadError: there is no author.
        """
        with self._database.write() as connection:
            repository.lock(connection)
            run = self._setup.hooks.deny(
                connection, name, find_incident(connection, incident_id),
                author=person(author, "author"), comment=comment.strip(), actor=actor, now_ns=now_ns,
            )  # fmt: skip
        return run.document()

    def switch_hook(
        self, name: str, *, off: bool, author: str, comment: str, now_ns: int, actor: str
    ) -> dict[str, Any]:
        """Stop one hook, or all with ``*``, or let them run again, which also forgets why one paused itself.

        Raises:
            NotFoundError: there is no such hook.
            PayloadError: there is no author.
        """
        with self._database.write() as connection:
            self._setup.hooks.switch(
                connection, name or ALL,
                off=off, author=person(author, "author"), comment=comment.strip(), actor=actor, now_ns=now_ns,
            )  # fmt: skip
            return documents.all_hooks(connection, self._setup.config.hooks, now_ns)
