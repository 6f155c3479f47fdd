"""The migrations are numbered in one line, and give exactly the declared tables on either engine."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Index

import alerting.tables  # noqa: F401  # declares its tables on the metadata
import storage.metric_tables  # noqa: F401  # as above
from storage.database import Database
from storage.tables import metadata
from storage.versions import MIGRATIONS, VERSION_TABLE, newest_version


def _script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config)


def test_file_names_begin_with_the_revision_and_form_one_line():
    script = _script()
    revisions = list(script.walk_revisions())
    assert script.get_heads() == [newest_version()]
    for revision in revisions:
        assert revision.path.rsplit("/", 1)[1].startswith(f"{revision.revision}_")
    assert [revision.revision for revision in reversed(revisions)] == [
        f"{number:04}" for number in range(1, len(revisions) + 1)
    ]


def _belongs(item: object, dialect: str) -> bool:
    """Whether the engine has this object, and it is no partition's: Alembic does not look at ``ddl_if``."""
    if str(getattr(item, "table", item)).endswith("_default"):
        return False
    return not (isinstance(item, Index) and dialect == "sqlite" and str(item.name).endswith("_transaction_id"))


def test_migrations_give_the_declared_tables(database: Database):
    with database.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": VERSION_TABLE,
                "compare_type": True,
                "include_object": lambda item, *_: _belongs(item, database.dialect),
            },
        )
        assert compare_metadata(context, metadata) == []
