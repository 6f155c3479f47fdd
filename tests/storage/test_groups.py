"""The groups and texts that counters hold are found again, each with when it was counted last."""

from __future__ import annotations

from storage.database import Database
from storage.groups import counted_groups, counted_texts
from storage.increments import insert_distributions, insert_sli
from telemetry.deltas import DistributionDelta, SliDelta
from telemetry.sketches import DDSketch
from telemetry.windows import BUCKET_NS

BUCKET = 1000 * BUCKET_NS


def test_groups_come_by_rule_the_longest_unseen_first(database: Database):
    with database.write() as connection:
        insert_sli(
            connection,
            [
                SliDelta("errors", "a", BUCKET + 3 * BUCKET_NS, 1, 1),
                SliDelta("errors", "b", BUCKET + BUCKET_NS, 1, 1),
                SliDelta("errors", "a", BUCKET, 1, 1),
                SliDelta("errors", "old", BUCKET - BUCKET_NS, 1, 1),
                SliDelta("other", "c", BUCKET, 0, 1),
                SliDelta("unasked", "d", BUCKET, 0, 1),
            ],
        )
    found = counted_groups(database, ["errors", "other", "nothing"], BUCKET)
    assert {rule: list(seen.items()) for rule, seen in found.items()} == {
        "errors": [("b", BUCKET + BUCKET_NS), ("a", BUCKET + 3 * BUCKET_NS)],
        "other": [("c", BUCKET)],
    }


def test_texts_come_by_rule_and_field_and_numbers_are_none(database: Database):
    with database.write() as connection:
        insert_distributions(
            connection,
            [
                DistributionDelta("drift", "g", BUCKET, "model", {"x": 2, "é": 1}),
                DistributionDelta("drift", "h", BUCKET + BUCKET_NS, "model", {"x": 1}),
                DistributionDelta("drift", "g", BUCKET, "tokens_in", DDSketch.of([1.0])),
                DistributionDelta("drift", "g", BUCKET - BUCKET_NS, "model", {"old": 1}),
                DistributionDelta("unasked", "g", BUCKET, "model", {"y": 1}),
            ],
        )
    found = counted_texts(database, ["drift"], BUCKET)
    assert {key: list(seen.items()) for key, seen in found.items()} == {
        ("drift", "model"): [("é", BUCKET), ("x", BUCKET + BUCKET_NS)]
    }
