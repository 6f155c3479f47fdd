"""Deliverers that are killed again and again lose no state change, and never tell one under two keys."""

from __future__ import annotations

import pytest

from storage.database import Database
from tests.alerting.hook_server import Request
from tests.alerting.kill_trial import judge, run_trial
from tests.alerting.makers import notification

KILLS = 10


pytestmark = pytest.mark.timeout(300)  # processes, and a receiver that says nothing


def test_killed_at_any_moment_each_change_is_told_under_one_key_and_in_order(migrated_sqlite_url, hook):
    check(migrated_sqlite_url, hook, couriers=1)


def test_several_deliverers_share_an_outbox_on_postgresql(migrated_postgres_url, hook):
    check(migrated_postgres_url, hook, couriers=3)


def check(url, hook, couriers):
    with Database(url) as database:
        verdict = run_trial(url, database, hook, kills=KILLS, couriers=couriers, seed=7)
    assert verdict.clean, verdict
    assert verdict.changes == 2 * KILLS
    assert verdict.requests > verdict.changes, "the faults did force repeats"


def request(incident, reason, key):
    told = notification(incident={**notification().incident, "id": incident}, reason=reason)
    return Request("POST / HTTP/1.1", {"idempotency-key": key}, told.to_json().encode())


def test_the_judge_sees_what_is_wrong():
    opened, resolved = request("INC-1", "opened", "a"), request("INC-1", "resolved", "b")
    assert judge([opened, opened, resolved], 1).clean
    assert judge([opened], 1).lost == [("INC-1", "resolved")]
    assert judge([resolved, opened], 1).disordered == ["INC-1"]
    assert judge([opened, resolved, request("INC-1", "opened", "c")], 1).second_keys == [("INC-1", "opened")]
    assert judge([opened, request("INC-1", "resolved", "a")], 1).shared_keys == ["a"]
