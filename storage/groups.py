"""Which groups and texts the counters hold, and when each was last counted: who had a place before a restart."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import func, select

from storage.database import Database
from storage.statements import chunks
from storage.tables import distribution_deltas, sli_deltas

LastSeen = Mapping[str, int]
"""The bucket (ns) in which a name was counted last, the oldest first."""


def counted_groups(db: Database, rules: Sequence[str], since_ns: int) -> dict[str, LastSeen]:
    """The group keys of each of ``rules`` that have events in buckets from ``since_ns`` on.

    Raises:
        StorageError: the database cannot be used.
    """
    columns = sli_deltas.c
    found: dict[str, dict[str, int]] = defaultdict(dict)
    with db.read() as connection:
        for chunk in chunks(rules):
            last = func.max(columns.bucket_ns)
            query = (
                select(columns.rule, columns.group_key, last)
                .where(columns.rule.in_(chunk), columns.bucket_ns >= since_ns)
                .group_by(columns.rule, columns.group_key)
                .order_by(last)
            )
            for rule, group, bucket_ns in connection.execute(query):
                found[rule][group] = bucket_ns
    return dict(found)


def counted_texts(db: Database, rules: Sequence[str], since_ns: int) -> dict[tuple[str, str], LastSeen]:
    """The texts in the distributions of each of ``rules`` and their fields, in buckets from ``since_ns`` on.

    Raises:
        StorageError: the database cannot be used.
    """
    columns = distribution_deltas.c
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    with db.read() as connection:
        for chunk in chunks(rules):
            query = (
                select(columns.rule, columns.field, columns.bucket_ns, columns.body)
                .where(columns.rule.in_(chunk), columns.bucket_ns >= since_ns, columns.kind == "counts")
                .order_by(columns.bucket_ns)
            )
            for rule, field, bucket_ns, body in connection.execute(query):
                seen = found[rule, field]
                for text in json.loads(body):
                    seen.pop(text, None)
                    seen[text] = bucket_ns
    return dict(found)
