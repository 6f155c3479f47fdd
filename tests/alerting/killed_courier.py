"""A process that delivers without end, until it is killed; ``test_kill.py`` starts it."""

from __future__ import annotations

from alerting.config import AlertingConfig
from alerting.delivery import DeliveryPolicy
from alerting.outcomes import Backoff
from alerting.receivers.trust import Trust, networks_of
from alerting.receivers.webhook import WebhookReceiver
from alerting.routing import Route
from alerting.service import Alerting
from storage.database import Database
from telemetry.clock import SystemClock


def config_for(hook_url: str) -> AlertingConfig:
    """One receiver, told everything."""
    receiver = WebhookReceiver(
        "hook", hook_url, format="tailwatch", deadline_s=2.0, trust=Trust(networks_of(["127.0.0.0/8"]))
    )
    return AlertingConfig(receivers=(receiver,), route=Route("hook"))


def deliver_for_ever(database_url: str, hook_url: str) -> None:
    """Deliver, tick after tick, with short leases, so that the next process need not wait long for a dead one's.

    A lease is longer than the receiver takes at its most, as always; nothing is overtaken, so that each change counts.
    """
    policy = DeliveryPolicy(lease_s=3.0, stale_s=1e6, backoff=Backoff(base_s=0.01, cap_s=0.05))
    clock = SystemClock()
    with Database(database_url) as database:
        alerting = Alerting(database, config_for(hook_url), clock, delivery=policy)
        while True:
            alerting.deliver(clock.now_ns())
