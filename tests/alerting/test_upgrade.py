"""What waited to be delivered when Tailwatch was replaced by one that stores it otherwise."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from storage.database import Database
from storage.versions import MIGRATIONS
from tests.alerting.makers import Recorder, at, finding, outbox_rows, run, set_up


def upgrade_to(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_what_was_composed_when_it_was_queued_is_told_as_it_was(database_url, tmp_path):
    """Its row holds all that it says; a hook's holds what nobody could put together again."""
    told = Recorder()
    with Database(f"sqlite:///{tmp_path}/another.db") as another:
        another.upgrade()
        run(set_up(another, told), [finding()], 0, 10)
    (heard,) = told.heard
    with Database(database_url) as old:
        upgrade_to(old, "0011")
        with old.write() as connection:
            connection.execute(
                text(
                    "INSERT INTO incidents (number, title, status, severity, service, slo, primary_fingerprint, cause,"
                    " slice, runbook, evidence, opened_ns, onset_ns, last_onset_ns)"
                    " VALUES (1, 't', 'open', 'page', 'chat', 's', 'f', 'unknown', '{}', 'unknown', '{}', 0, 0, 0)"
                )
            )
            connection.execute(
                text(
                    "INSERT INTO outbox (incident, receiver, group_key, sequence, idempotency_key, reason, phase, body,"
                    " created_ns, due_ns, attempts, leased_until_ns, status)"
                    " VALUES (1, 'oncall/recorder', 'g', 1, 'k', 'opened', 'firing', :body, :at, :at, 0, 0, 'pending')"
                ),
                {"body": heard.to_json(), "at": at(0)},
            )
        old.upgrade()
        again = Recorder()
        set_up(old, again).deliver(at(1))
        assert again.heard == [heard]
        assert [row["status"] for row in outbox_rows(old)] == ["delivered"]
