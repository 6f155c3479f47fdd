"""Tokens: what they may do, for how long, and the digests of their secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", _ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("expires_ns", sa.BigInteger),
        sa.Column("last_used_ns", sa.BigInteger),
        sa.Column("revoked_ns", sa.BigInteger),
        sqlite_autoincrement=True,
    )
