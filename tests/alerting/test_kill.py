"""A delivering process that is killed again and again loses no state change, and never tells one under two keys."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import defaultdict

from sqlalchemy import func, select

from alerting.service import Alerting
from alerting.tables import outbox
from telemetry.clock import SystemClock
from telemetry.windows import NANOS
from tests.alerting.hook_server import raw, status
from tests.alerting.killed_courier import config_for, deliver_for_ever
from tests.alerting.makers import SHIPPED, finding, undiagnosed

INCIDENTS = 5
KILLS_A_ROUND = 5
PATIENCE_S = 60


def test_killed_at_any_moment_each_change_is_told_under_one_key_and_in_order(lite, hook):
    moments = random.Random(7)
    flaky = [status(500), raw(b""), status(200), status(503), status(200), raw(b"\x00garbage")]
    hook.answers = flaky * 5
    alerting = Alerting(lite, config_for(hook.url), SystemClock(), SHIPPED)
    services = [f"service-{number}" for number in range(INCIDENTS)]
    past_ns = SystemClock().now_ns() - 100 * NANOS
    alerting.apply([finding(service=service, slo=service) for service in services], undiagnosed, past_ns)
    for _ in range(KILLS_A_ROUND):
        kill_while_delivering(lite, hook, moments)
    for seconds in (1, 62):  # absent, and absent for longer than the keeping
        alerting.apply([], undiagnosed, past_ns + seconds * NANOS)
    for _ in range(KILLS_A_ROUND):
        kill_while_delivering(lite, hook, moments)
    with courier(lite, hook):
        wait_for(lambda: pending(lite) == 0)

    told = [(sent.document, sent.headers["idempotency-key"]) for sent in hook.requests]
    keys, order = defaultdict(set), defaultdict(list)
    for document, key in told:
        keys[document["incident"]["id"], document["reason"]].add(key)
        order[document["incident"]["id"]].append(document["reason"])
    expected = {(f"INC-{number + 1}", reason) for number in range(INCIDENTS) for reason in ("opened", "resolved")}
    assert set(keys) == expected
    assert all(len(known) == 1 for known in keys.values()), "a change is told under one key, however often"
    assert len({key for known in keys.values() for key in known}) == len(expected)
    assert all(reasons == sorted(reasons) for reasons in order.values()), "opened comes before resolved, always"
    assert len(told) > len(expected), "the faults did force repeats"


class courier:  # noqa: N801  (reads as a context)
    """A process that delivers, and is killed at the end of the block."""

    # A fork server imports once what each process needs; forking this process, with its threads, would not be safe.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.alerting.killed_courier"])

    def __init__(self, database, hook):
        self.process = self.context.Process(
            target=deliver_for_ever, args=(f"sqlite:///{database.name}", hook.url), daemon=True
        )

    def __enter__(self):
        self.process.start()
        return self.process

    def __exit__(self, *_error):
        self.process.kill()
        self.process.join(10)


def kill_while_delivering(database, hook, moments):
    """Let it make some requests, then kill it within the next milliseconds, in the midst of whatever it does."""
    enough = len(hook.requests) + moments.randint(1, 4)
    with courier(database, hook):
        wait_for(lambda: len(hook.requests) >= enough or pending(database) == 0)
        time.sleep(moments.uniform(0.0, 0.03))  # not to wait for anything: to hit any instruction


def pending(database):
    with database.read() as connection:
        query = select(func.count()).select_from(outbox).where(outbox.c.status == "pending")
        return connection.execute(query).scalar_one()


def wait_for(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "the courier does not deliver"
        time.sleep(0.005)
