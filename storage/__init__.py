"""Everything that Tailwatch keeps, on SQLite or PostgreSQL: tables, transactions, reading and retention."""
