"""What an engine looks back on: counts, slices, distributions and drift references, loaded after a start."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from types import MappingProxyType
from typing import Final

from detectors.slo.compile import compile_rules, slices_rule_id
from detectors.slo.distribution_slices import FixedReference
from detectors.slo.engine import Engine
from detectors.slo.kinds.drift import Drift
from detectors.slo.reference import FirstReference
from detectors.slo.spec import Slo
from storage.database import Database, Moment
from storage.distributions import decode, encode
from storage.positions import Position
from storage.rollups import DistributionSeries, SliSeries, load, load_sli
from storage.settings import read_settings, write_setting
from telemetry.deltas import DistributionDelta, SliColumns, group_labels
from telemetry.rules import SERIES_RULE_ID
from telemetry.windows import NANOS

_REFERENCE: Final = "drift reference "
_FOREVER_NS: Final = 2**63 - 1
"""Records that are ahead of our clock were accepted; they count once their time has come."""
_HEARD_NS: Final = 3600 * NANOS
_ABSORBED_ROWS: Final = 1_000_000
"""So many counters wait at most, beside the buckets that they are counted in."""


def load_history(
    database: Database | Moment, engine: Engine, now_ns: int, ends_ns: Mapping[str, int] = MappingProxyType({})
) -> Position:
    """Hand ``engine`` everything stored that it looks back on, as of one moment; where to read on from.

    ``ends_ns``: rules of which only buckets before a time (ns) are wanted.

    Raises:
        StorageError: the database cannot be used.
    """
    references = load_references(database)
    engine.restore_references(references)
    rules = [*(rule.id for rule in engine.rules), *(slices_rule_id(slo) for slo in engine.slos.slos)]
    start_ns, recent_ns = now_ns - engine.history_ns, now_ns - engine.distribution_history_ns
    loaded = load(
        database, rules, start_ns, _FOREVER_NS, distributions_start_ns=recent_ns, older_distributions_of=_sliced(engine)
    )
    sli = [_cut(series, ends_ns.get(series.rule, _FOREVER_NS)) for series in loaded.sli]
    waiting = 0
    for series in sli:
        engine.ingest_sli(_counts(series))
        waiting += len(series.bucket_ns)
        if waiting > _ABSORBED_ROWS:
            engine.absorb(now_ns)
            waiting = 0
    recent = (delta for series in loaded.distributions for delta in _distributions(series))
    unjudged = _unjudged(engine, references, sli, loaded.older)
    engine.ingest_distributions(
        delta for delta in chain(recent, unjudged) if delta.bucket_ns < ends_ns.get(delta.rule, _FOREVER_NS)
    )
    return loaded.position


def last_heard(database: Database, now_ns: int) -> dict[str, int]:
    """When each service last sent an inference call (ns), for those that did within the hour before ``now_ns``.

    Raises:
        StorageError: the database cannot be used.
    """
    heard: dict[str, int] = {}
    for series in load_sli(database, [SERIES_RULE_ID], now_ns - _HEARD_NS, _FOREVER_NS):
        service = group_labels(series.group).get("service", "")
        heard[service] = max(heard.get(service, 0), int(series.bucket_ns[-1]))
    return heard


def load_references(database: Database | Moment) -> list[FixedReference]:
    """The references that drift is measured against, as they were fixed.

    Raises:
        StorageError: the database cannot be used.
    """
    return [_reference(json.loads(text)) for text in read_settings(database, _REFERENCE).values()]


def save_references(database: Database, references: Sequence[FixedReference]) -> None:
    """Keep references for good: what they were made from is folded and deleted in time.

    Raises:
        StorageError: the database cannot be used.
    """
    for reference in references:
        stored = encode([*reference.distributions.values()])
        document = {
            "rule": reference.rule,
            "group": reference.group,
            "end_ns": reference.end_ns,
            "fields": {
                name: [kind, base64.b64encode(body).decode()]
                for name, (kind, body) in zip(reference.distributions, stored, strict=True)
            },
        }
        write_setting(database, f"{_REFERENCE}{reference.rule} {reference.group}", json.dumps(document))


def _reference(document: dict[str, object]) -> FixedReference:
    fields = document["fields"]
    assert isinstance(fields, dict)
    return FixedReference(
        str(document["rule"]),
        str(document["group"]),
        int(str(document["end_ns"])),
        {name: decode(kind, base64.b64decode(body)) for name, (kind, body) in fields.items()},
    )


def _sliced(engine: Engine) -> dict[str, Slo]:
    """SLOs whose slices of time are judged by distributions, by the rule that gathers them."""
    sliced = (slo for slo in engine.slos.slos if slo.sli.slice_ns is not None)
    return {rule.id: slo for slo in sliced for rule in compile_rules(slo) if rule.distributions}


def _unjudged(
    engine: Engine,
    references: Sequence[FixedReference],
    sli: Sequence[SliSeries],
    older: Sequence[DistributionSeries],
) -> Iterator[DistributionDelta]:
    """Older distributions that no verdict covers, as after an import, or that a fixed reference still waits for."""
    known = {(reference.rule, reference.group) for reference in references}
    judged_ns = {(series.rule, series.group): int(series.bucket_ns.max(initial=-1)) for series in sli}
    sliced = _sliced(engine)
    for series in older:
        slo = sliced[series.rule]
        key = slices_rule_id(slo), series.group
        fixed = isinstance(slo.sli, Drift) and isinstance(slo.sli.reference, FirstReference)
        floor_ns = -1 if fixed and key not in known else judged_ns.get(key, -1)
        yield from (delta for delta in _distributions(series) if delta.bucket_ns > floor_ns)


def _cut(series: SliSeries, end_ns: int) -> SliSeries:
    if not len(series.bucket_ns) or series.bucket_ns[-1] < end_ns:
        return series
    kept = slice(int(series.bucket_ns.searchsorted(end_ns)))
    arrays = {name: getattr(series, name)[kept] for name in ("bucket_ns", "width_ns", "good", "total")}
    return replace(series, **arrays)


def _counts(series: SliSeries) -> SliColumns:
    rows = len(series.bucket_ns)
    return SliColumns([series.rule] * rows, [series.group] * rows, series.bucket_ns, series.good, series.total)


def _distributions(series: DistributionSeries) -> Iterator[DistributionDelta]:
    for bucket_ns, distribution in zip(series.bucket_ns.tolist(), series.distributions, strict=True):
        yield DistributionDelta(series.rule, series.group, bucket_ns, series.field, distribution)
