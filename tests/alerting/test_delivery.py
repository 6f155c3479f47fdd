"""However many receivers are slow, over real HTTP, the others are told meanwhile."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from alerting.config import AlertingConfig
from alerting.delivery import DeliveryPolicy, DeliveryReport
from alerting.receivers.webhook import WebhookReceiver
from alerting.routing import GroupTiming, Route
from alerting.service import Alerting
from telemetry.clock import SystemClock
from tests.alerting.hook_server import HookServer, silence, status
from tests.alerting.makers import LOOPBACK, SHIPPED, at, finding, undiagnosed

MANY = 24
THREE = [finding(slo=f"{name}-errors", service=name) for name in ("chat", "search", "speech")]


@pytest.fixture
def servers():
    with ExitStack() as stack:
        yield [stack.enter_context(HookServer()) for _ in range(MANY)]


def telling(database, servers, deadline_s=20.0, **policy) -> Alerting:
    """Alerting that tells all of the servers of everything, and works by the time that really passes."""
    receivers = tuple(
        WebhookReceiver(f"r{place:02}", server.url, deadline_s=deadline_s, trust=LOOPBACK)
        for place, server in enumerate(servers)
    )
    everybody = tuple(Route(receiver.name, timing=GroupTiming(), go_on=True) for receiver in receivers)
    config = AlertingConfig(receivers=receivers, route=Route(receivers[0].name, routes=everybody))
    return Alerting(database, config, SystemClock(), SHIPPED, delivery=DeliveryPolicy(**policy))


def test_a_pass_tells_the_last_receiver_while_all_others_hang(lite, servers):
    *slow, healthy = servers
    told = threading.Event()

    def once_the_healthy_is_told(connection, closing):
        assert told.wait(15)
        status(200)(connection, closing)

    def and_say_so(connection, closing):
        told.set()
        status(200)(connection, closing)

    healthy.otherwise = and_say_so
    for server in slow:
        server.otherwise = once_the_healthy_is_told
    alerting = telling(lite, servers)
    alerting.apply(THREE[:1], undiagnosed, at(0))
    assert alerting.deliver(at(0)) == DeliveryReport(delivered=MANY)


def test_a_pass_gives_up_who_hangs_at_the_first_attempt_and_who_answers_slowly_when_its_time_is_over(lite, servers):
    hanging, slow, healthy = servers[:3]
    hanging.otherwise = silence

    def after_a_while(connection, closing):
        closing.wait(0.2)
        status(200)(connection, closing)

    slow.otherwise = after_a_while
    alerting = telling(lite, servers[:3], deadline_s=1.0, pass_s=0.1)
    alerting.apply(THREE, undiagnosed, at(0))
    alerting.deliver(at(0))
    assert [len(server.requests) for server in (hanging, slow)] == [1, 1], "three wait for each"
    rounds = 1
    while len(healthy.requests) < 3 or len(slow.requests) < 3:
        rounds += 1
        assert rounds < 10
        alerting.deliver(at(rounds))
    assert {one.receiver: one.pending for one in alerting.health()} == {
        "r00/webhook": 3, "r01/webhook": 0, "r02/webhook": 0,
    }  # fmt: skip
