"""A database with the user's rules in force: upgraded, new SLOs counted from history, ready to be written to."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from alerting.runbooks.library import RunbookLibrary
from collector.cardinality import CardinalityGuard
from collector.committer import Commit
from collector.limits import MIB, Limits
from collector.pipeline import Pipeline
from storage.database import Database
from storage.ingest import Kind, PreparedPayload, commit
from storage.settings import read_setting, settle_setting
from tailwatch.backfill import backfill
from tailwatch.catalogue import Catalogue, check_windows, load_catalogue
from tailwatch.places import seed
from tailwatch.settings import Settings
from telemetry.clock import Clock

_FINGERPRINT_KEY = "prompt_fingerprint_key"


@dataclass(frozen=True, slots=True)
class Store:
    """What the collector, the importer and the evaluator need of the database."""

    database: Database
    catalogue: Catalogue
    pipeline: Pipeline
    commit: Commit


@contextmanager
def open_store(settings: Settings, clock: Clock) -> Iterator[Store]:
    """Open the database of ``settings`` and bring schema and counters up to date.

    Raises:
        FileProblemsError: the SLO or price files hold mistakes.
        ConfigError: a file is missing.
        StorageError: the database cannot be used.
    """
    catalogue = load_catalogue(settings.slos, settings.prices, RunbookLibrary(settings.alerting.runbooks).names)
    check_windows(catalogue.slos, settings.rollup_retention)
    database = Database(settings.url)
    try:
        database.upgrade()
        guard = CardinalityGuard(settings.max_groups)
        seed(guard, database, catalogue.rules, clock.now_ns())
        backfill(database, catalogue.rules, guard, clock.now_ns())
        pipeline = Pipeline(
            rules=catalogue.rules,
            prices=catalogue.prices.table,
            guard=guard,
            limits=replace(Limits(), body_bytes=settings.max_body_mib * MIB, future_ns=settings.future_horizon),
            keep_rows=bool(settings.kept & {"span", "log"}),
            fingerprint_key=_fingerprint_key(database),
        )
        yield Store(database, catalogue, pipeline, partial(_commit, database, clock, settings.kept))
    finally:
        database.close()


def _commit(database: Database, clock: Clock, kept: frozenset[Kind], payloads: Sequence[PreparedPayload]) -> None:
    commit(database, payloads, clock.now_ns(), kept)


def _fingerprint_key(database: Database) -> bytes:
    """The installation's key for prompt fingerprints: made once, kept beside the prompts' fingerprints themselves."""
    stored = read_setting(database, _FINGERPRINT_KEY)
    return bytes.fromhex(stored or settle_setting(database, _FINGERPRINT_KEY, secrets.token_hex(32)))
