"""Commits payloads one after the other and prints the digest of each that is acknowledged, until it is killed.

Run as ``python -m tests.storage.committer URL NAME FIRST``; payload ``NAME-i`` carries three spans, one good event
of two, and one value.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from storage.database import Database
from storage.ingest import PreparedPayload, commit
from telemetry.columns import ByteColumn
from telemetry.sketches import DDSketch
from tests.storage.build import NOW_NS, payload, sli, span_columns, spread


def numbered(name: str, number: int) -> PreparedPayload:
    """The payload that is committed under this name and number."""
    columns = replace(span_columns(3, seed=number), raw=ByteColumn.of([f"{name}-{number}".encode()] * 3))
    deltas = sli(NOW_NS, 1, 2, rule=name), spread(NOW_NS, DDSketch.of([float(number + 1)]), rule=name)
    return payload(f"{name}-{number}", *deltas, columns=(columns,))


def main(url: str, name: str, first: int) -> None:
    """Commit in groups of four; a group's digests are printed once it is committed."""
    with Database(url) as database:
        number = first
        while True:
            group = [numbered(name, number + offset) for offset in range(4)]
            commit(database, group, NOW_NS)
            for given in group:
                sys.stdout.write(f"{given.digests[0].hex()}\n")
            sys.stdout.flush()
            number += 4


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
