"""A database with the user's rules in force: upgraded, new SLOs counted from history, ready to be written to."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from collector.cardinality import CardinalityGuard
from collector.committer import Commit
from collector.limits import MIB, Limits
from collector.metrics.places import SeriesPlaces
from collector.pipeline import Pipeline
from collector.scrape.targets import Target, load_targets
from storage.database import Database
from storage.ingest import Kind, PreparedPayload, commit
from storage.metrics import known_series
from storage.settings import read_setting, settle_setting
from tailwatch.backfill import backfill
from tailwatch.catalogue import Catalogue, load_catalogue
from tailwatch.places import REMEMBERED_NS, seed
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
    targets: tuple[Target, ...] = ()


@contextmanager
def open_store(settings: Settings, clock: Clock) -> Iterator[Store]:
    """Open the database of ``settings`` and bring schema and counters up to date.

    Raises:
        FileProblemsError: the SLO, price or scrape files hold mistakes.
        ConfigError: a file is missing.
        StorageError: the database cannot be used.
    """
    catalogue = load_catalogue(settings)
    targets = () if settings.scrape_file is None else load_targets(settings.scrape_file, os.environ)
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
            places=_places(database, settings.max_groups, clock.now_ns()),
            limits=replace(Limits(), body_bytes=settings.max_body_mib * MIB, future_ns=settings.future_horizon),
            keep_rows=bool(settings.kept & {"span", "log"}),
            fingerprint_key=_fingerprint_key(database),
        )
        yield Store(database, catalogue, pipeline, partial(_commit, database, clock, settings.kept), targets)
    finally:
        database.close()


def _commit(database: Database, clock: Clock, kept: frozenset[Kind], payloads: Sequence[PreparedPayload]) -> None:
    commit(database, payloads, clock.now_ns(), kept)


def _places(database: Database, limit: int, now_ns: int) -> SeriesPlaces:
    """Places for metric series, those of the last day given back: newcomers must not take them after a restart."""
    places = SeriesPlaces(limit)
    places.seed(known_series(database, now_ns - REMEMBERED_NS), now_ns)
    return places


def _fingerprint_key(database: Database) -> bytes:
    """The installation's key for prompt fingerprints: made once, kept beside the prompts' fingerprints themselves."""
    stored = read_setting(database, _FINGERPRINT_KEY)
    return bytes.fromhex(stored or settle_setting(database, _FINGERPRINT_KEY, secrets.token_hex(32)))
