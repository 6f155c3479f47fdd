"""Runs migrations on the connection, and within the transaction, that ``Database.upgrade`` hands over."""

from alembic import context

from storage.tables import metadata
from storage.versions import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
