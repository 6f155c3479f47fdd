"""A receiver of the tests that hears, is down, or hears and its answer is lost; and what it believes then."""

from __future__ import annotations

from collections import defaultdict

from alerting.outcomes import Outcome
from tests.alerting.makers import Recorder

MOODS = ["well", "down", "its answers are lost"]
_DOWN = Outcome("transient", "down")


class Listener(Recorder):
    """Hears, is down, or hears and its answer is lost; and believes what it has been told."""

    def __init__(self, name, send_resolved=True):
        super().__init__(name, send_resolved)
        self.mood = "well"
        self.said = {}

    def send(self, notification, idempotency_key, now_ns):
        if self.mood == "down":
            return _DOWN
        body = notification.to_json()
        assert self.said.setdefault(idempotency_key, body) == body, "a repeat says the same"
        if idempotency_key not in self.keys:
            self.keys.append(idempotency_key)
            self.heard.append(notification)
        return Outcome("delivered") if self.mood == "well" else _DOWN

    def believes(self):
        """Fingerprints of the alerts that it has been told of and of whose end it has not."""
        known = defaultdict(set)
        for told in self.heard:
            key = told.incident["id"], told.group_key
            firing = {alert["fingerprint"] for alert in told.alerts if alert["state"] == "firing"}
            known[key] = set() if told.phase == "resolved" else known[key] | firing
        return set().union(*known.values())
