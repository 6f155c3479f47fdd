"""The shape of the ``alerting:`` section, for pydantic to check; only ``alerting.config`` uses it."""

from __future__ import annotations

import re
from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from alerting.config_receiver_models import AlertmanagerModel, ReceiverModel
from alerting.config_strict import Duration, MatcherList, Networks, OpenUrl, Strict, Text
from alerting.config_times import TimeIntervalsModel
from alerting.hooks.models import HooksModel
from alerting.posted import RESOLVE_TIMEOUT_NS
from alerting.routing import ALL_LABELS
from telemetry.matchers import Matchers
from telemetry.windows import NANOS

_LABEL: Final = re.compile(r"[^\W\d][\w.]*|\.\.\.")


class RouteModel(Strict):
    """A node of the route tree; what is left out is inherited."""

    receiver: str | None = None
    matchers: MatcherList = Matchers()
    go_on: bool = Field(default=False, alias="continue")
    group_by: list[str] | None = None
    group_wait: Duration | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    routes: tuple[RouteModel, ...] = ()

    @field_validator("group_by")
    @classmethod
    def _labels(cls, names: list[str] | None) -> list[str] | None:
        for name in names or ():
            if not _LABEL.fullmatch(name):
                raise ValueError(f"{name[:100]!r} is no label; write names such as [slo, service], or ['...'] for all")
        twice = next((name for place, name in enumerate(names or ()) if name in (names or ())[:place]), None)
        if twice is not None:
            raise ValueError(f"{twice!r} is there twice; remove one")
        if ALL_LABELS in (names or ()) and len(names or ()) > 1:
            raise ValueError("'...' is every label, and others stand beside it; write ['...'] alone")
        return names

    @field_validator("group_interval")
    @classmethod
    def _not_at_once(cls, interval: int | None) -> int | None:
        if interval == 0:
            raise ValueError("a group cannot be told again all the time; write 1s or more")
        return interval

    @field_validator("repeat_interval")
    @classmethod
    def _not_all_the_time(cls, interval: int | None) -> int | None:
        if interval is not None and interval < 60 * NANOS:
            raise ValueError("reminders more often than once a minute help nobody; write 1m or more")
        return interval


class InhibitRuleModel(Strict):
    """While a source is active, targets are quiet."""

    source_matchers: MatcherList
    target_matchers: MatcherList
    equal: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _some_condition(self) -> Self:
        if not self.source_matchers.items or not self.target_matchers.items:
            raise ValueError(
                "a rule without matchers would keep everything quiet; write both source and target matchers"
            )
        return self


class EscalationModel(Strict):
    """Who is told, too, when nobody acknowledges."""

    receiver: Text
    after: Duration
    matchers: MatcherList = Matchers()


class NoiseBudgetModel(Strict):
    """How much a receiver shall be told at most within any 24 hours."""

    receiver: Text
    pages_per_day: int | None = Field(default=None, ge=0, le=100_000)
    notifications_per_day: int | None = Field(default=None, ge=0, le=100_000)

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if self.pages_per_day is None and self.notifications_per_day is None:
            raise ValueError("this budget limits nothing; write pages_per_day: 4, notifications_per_day: 20, or both")
        return self


class AlertingModel(Strict):
    """The section."""

    external_url: OpenUrl | None = None
    receivers: tuple[ReceiverModel, ...] = ()
    route: RouteModel | None = None
    inhibit_rules: tuple[InhibitRuleModel, ...] = ()
    time_intervals: tuple[TimeIntervalsModel, ...] = ()
    alertmanagers: tuple[AlertmanagerModel, ...] = ()
    escalations: tuple[EscalationModel, ...] = ()
    resolve_timeout: Duration = RESOLVE_TIMEOUT_NS
    pending_for: Duration = 0
    keep_firing_for: Duration = 60 * NANOS
    reopen_within: Duration = 30 * 60 * NANOS
    renotify_after: Duration = 5 * 60 * NANOS
    correlation_window: Duration = 5 * 60 * NANOS
    depends_on: dict[Text, tuple[Text, ...]] = Field(default_factory=dict)
    learn_depends_on: bool = True
    noise_budgets: tuple[NoiseBudgetModel, ...] = ()
    hooks: HooksModel = HooksModel()
    runbooks: Text | None = None
    allow_private: Networks = ()
    ca_file: Text | None = None
