"""The shape of the ``alerting:`` section, for pydantic to check; only ``alerting.config`` uses it."""

from __future__ import annotations

import re
from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from alerting.config_receiver_models import AlertmanagerModel, ReceiverModel
from alerting.config_strict import Duration, MatcherList, Networks, Strict, Text, check_url
from alerting.config_times import TimeIntervalsModel
from alerting.hooks.models import HooksModel
from telemetry.matchers import Matchers
from telemetry.windows import NANOS

_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*|\.\.\.")
_MAX_DEPTH: Final = 20


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
        return names

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

    external_url: Text | None = None
    receivers: tuple[ReceiverModel, ...] = ()
    route: RouteModel | None = None
    inhibit_rules: tuple[InhibitRuleModel, ...] = ()
    time_intervals: tuple[TimeIntervalsModel, ...] = ()
    alertmanagers: tuple[AlertmanagerModel, ...] = ()
    escalations: tuple[EscalationModel, ...] = ()
    pending_for: Duration = 0
    keep_firing_for: Duration = 60 * NANOS
    reopen_within: Duration = 30 * 60 * NANOS
    renotify_after: Duration = 5 * 60 * NANOS
    correlation_window: Duration = 5 * 60 * NANOS
    depends_on: dict[Text, tuple[Text, ...]] = Field(default_factory=dict)
    noise_budgets: tuple[NoiseBudgetModel, ...] = ()
    hooks: HooksModel = HooksModel()
    runbooks: Text | None = None
    allow_private: Networks = ()
    ca_file: Text | None = None

    @field_validator("external_url")
    @classmethod
    def _plain_url(cls, url: str | None) -> str | None:
        if url is not None:
            check_url(url, None)
        return url

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Self:
        names = [receiver.name for receiver in self.receivers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two receivers are named {twice[0]!r}; rename one")
        for place, escalation in enumerate(self.escalations):
            _check_name(escalation.receiver, frozenset(names), f"escalations[{place}].receiver", "receiver")
        budgeted = [budget.receiver for budget in self.noise_budgets]
        for place, name in enumerate(budgeted):
            _check_name(name, frozenset(names), f"noise_budgets[{place}].receiver", "receiver")
            if name in budgeted[:place]:
                raise ValueError(f"two noise budgets are for {name!r}; write both limits into one")
        if self.route is None:
            if len(names) > 1:
                raise ValueError("there are several receivers and no route; write route: {receiver: NAME}")
            return self
        if self.route.receiver is None:
            raise ValueError("route has no receiver; the root must name one, so that every alert reaches somebody")
        if self.route.matchers.items or self.route.go_on:
            raise ValueError("the root route has matchers or continue; put them into its routes:")
        if self.route.mute_time_intervals or self.route.active_time_intervals:
            raise ValueError("the root route has time intervals; put them into its routes:")
        _check_route(self.route, frozenset(names), self._interval_names(), "route")
        return self

    def _interval_names(self) -> frozenset[str]:
        names = [entry.name for entry in self.time_intervals]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two time intervals are named {twice[0]!r}; rename one")
        return frozenset(names)


def _check_route(node: RouteModel, receivers: frozenset[str], intervals: frozenset[str], where: str) -> None:
    if where.count(".routes[") > _MAX_DEPTH:
        raise ValueError(f"{where} is nested more than {_MAX_DEPTH} deep; flatten the tree")
    if node.receiver is not None:
        _check_name(node.receiver, receivers, f"{where}.receiver", "receiver")
    for key in ("mute_time_intervals", "active_time_intervals"):
        for name in getattr(node, key):
            _check_name(name, intervals, f"{where}.{key}", "time interval")
    for place, child in enumerate(node.routes):
        _check_route(child, receivers, intervals, f"{where}.routes[{place}]")


def _check_name(name: str, defined: frozenset[str], where: str, kind: str) -> None:
    if name not in defined:
        known = ", ".join(sorted(defined)) or "none is defined"
        raise ValueError(f"{where} names {name[:100]!r}, which is no {kind} ({known}); define it or correct the name")
