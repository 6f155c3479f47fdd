"""The ``alerting:`` section of ``tailwatch.yaml``: checked at the edge, then plain values; it holds no secret.

::

    alerting:
      external_url: https://tailwatch.example.com     # the dashboard, as people reach it
      receivers:
        - name: oncall
          slack: {webhook_url_env: SLACK_WEBHOOK_URL}
        - name: tickets
          webhook: {url: https://tickets.example.com/hook, secret_file: /run/secrets/hook, format: tailwatch}
          send_resolved: false
      route:                                          # Alertmanager's tree
        receiver: oncall
        routes:
          - matchers: ['severity="ticket"']
            receiver: tickets
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from alerting.alertmanager_forms import in_our_words
from alerting.config_access import access_of, reference
from alerting.config_crossings import crossings
from alerting.config_models import AlertingModel, RouteModel
from alerting.config_places import place_of
from alerting.config_problems import sentence, sentences
from alerting.config_receivers import receivers_of
from alerting.hooks.config import rules_of
from alerting.hooks.hook import NO_HOOKS, Hook, HookRules
from alerting.inhibition import InhibitRule
from alerting.mirror import AlertmanagerTarget
from alerting.noise import NoiseBudget
from alerting.posted import RESOLVE_TIMEOUT_NS
from alerting.receivers.protocol import Receiver
from alerting.receivers.trust import PUBLIC_ONLY, Trust
from alerting.routing import Escalation, GroupTiming, Route
from alerting.secret_references import SecretReference
from alerting.state import AlertTiming
from alerting.time_intervals import NamedIntervals
from telemetry.errors import ConfigError
from telemetry.windows import NANOS

DEFAULT_CORRELATION_NS = 5 * 60 * NANOS


@dataclass(frozen=True, slots=True)
class AlertingConfig:
    """What alerting is set up to do; the default tells nobody, but opens incidents.

    Attributes:
        route: the root of the route tree; None without receivers.
        inhibit_rules: which alerts keep which others quiet.
        alertmanagers: who gets every alert, beside the receivers.
        escalations: who is told when nobody acknowledges.
        correlation_ns: how far apart the onsets of one fault's alerts may lie.
        depends_on: by service, the services that it calls; their faults are its faults.
        learn_depends_on: whether whoever sees the traces may add to ``depends_on``.
        noise_budgets: how much which receiver shall be told at most.
        runbooks: the user's own folder.
        external_url: where people reach the dashboard; empty when it is not configured.
        resolve_timeout_ns: how long an alert that others posted without an end holds.
        unheard: receivers that have no way to be told; routes may lead there, as in Alertmanager.
        unused: what is set and does nothing here, by its place, and why.
        trust: where receivers may be, and whose certificates count.
        hooks: what may be called when something happens to an incident.
    """

    receivers: tuple[Receiver, ...] = ()
    route: Route | None = None
    inhibit_rules: tuple[InhibitRule, ...] = ()
    alertmanagers: tuple[AlertmanagerTarget, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    timing: AlertTiming = field(default_factory=AlertTiming)
    correlation_ns: int = DEFAULT_CORRELATION_NS
    runbooks: Path | None = None
    external_url: str = ""
    trust: Trust = PUBLIC_ONLY
    depends_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    learn_depends_on: bool = True
    noise_budgets: tuple[NoiseBudget, ...] = ()
    hooks: HookRules = NO_HOOKS
    resolve_timeout_ns: int = RESOLVE_TIMEOUT_NS
    unheard: tuple[str, ...] = ()
    unused: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def receiver_names(self) -> tuple[str, ...]:
        """Every receiver that routes may name, once; ``receivers`` has one entry for each way of telling it."""
        return tuple(dict.fromkeys([*(receiver.name for receiver in self.receivers), *self.unheard]))

    def changes_since(self, before: AlertingConfig) -> str:
        """What is different from ``before``, for people; empty when nothing is."""
        if self == before:
            return ""
        old, new = ({receiver.id for receiver in config.receivers} for config in (before, self))
        told = {"new receivers": new - old, "removed": old - new}
        parts = [f"{what} {', '.join(sorted(names))}" for what, names in told.items() if names]
        return f"alerting changed ({'; '.join(parts)})" if parts else "alerting changed"


def parse_alerting(
    document: Mapping[str, Any] | None, *, folder: Path, where: str = "alerting", file: Path | None = None
) -> AlertingConfig:
    """The section as values; what an ``alertmanager.yml`` says is understood too.

    Args:
        document: the section as YAML gives it; None or empty for the defaults.
        folder: of the configuration file; relative paths start there.
        where: the section's key; empty where ``file`` holds nothing else.
        file: the configuration file, for messages to name with the line.

    Raises:
        ConfigError: every problem, one sentence a line. No value that may be a secret is repeated.
    """
    if document is not None and not isinstance(document, Mapping):
        raise ConfigError(
            "this is not a mapping", where=place_of(where, (), file), remedy="write receivers: and route: below it"
        )
    ours, problems = in_our_words(document or {})
    wrong = [sentence(problem, where, file) for problem in (*problems.wrong, *crossings(ours))]
    try:
        model = AlertingModel.model_validate(ours)
    except ValidationError as error:
        raise ConfigError("\n".join(dict.fromkeys([*wrong, *sentences(error, where, file, ours, problems)]))) from None
    if wrong:
        raise ConfigError("\n".join(dict.fromkeys(wrong)))
    trust = Trust(model.allow_private, folder / model.ca_file if model.ca_file else None)
    receivers = tuple(receiver for entry in model.receivers for receiver in receivers_of(entry, folder, trust))
    return AlertingConfig(
        receivers=receivers,
        route=_root(model),
        inhibit_rules=tuple(
            InhibitRule(rule.source_matchers, rule.target_matchers, rule.equal) for rule in model.inhibit_rules
        ),
        alertmanagers=tuple(
            AlertmanagerTarget(
                one.url,
                reference(one.bearer_token_env, one.bearer_token_file, folder),
                trust,
                one.timeout / NANOS,
                access_of(one.http_config, folder),
            )
            for one in model.alertmanagers
        ),
        escalations=tuple(Escalation(one.receiver, one.after, one.matchers) for one in model.escalations),
        timing=AlertTiming(model.pending_for, model.keep_firing_for, model.reopen_within, model.renotify_after),
        correlation_ns=model.correlation_window,
        depends_on=dict(model.depends_on),
        learn_depends_on=model.learn_depends_on,
        noise_budgets=tuple(
            NoiseBudget(one.receiver, one.pages_per_day, one.notifications_per_day) for one in model.noise_budgets
        ),
        runbooks=folder / model.runbooks if model.runbooks else None,
        external_url=(model.external_url or "").rstrip("/"),
        hooks=rules_of(model.hooks, folder),
        trust=trust,
        resolve_timeout_ns=model.resolve_timeout,
        unheard=_unheard(model, receivers),
        unused=tuple((place_of(where, path, file), what) for path, what in problems.unused),
    )


def _unheard(model: AlertingModel, receivers: tuple[Receiver, ...]) -> tuple[str, ...]:
    told = {receiver.name for receiver in receivers}
    return tuple(entry.name for entry in model.receivers if entry.name not in told)


def check_receivers(config: AlertingConfig) -> list[ConfigError]:
    """What stands in the way of telling the receivers, such as missing secrets; empty when nothing does."""
    problems: list[ConfigError] = []
    named = [(f"receiver {receiver.id}", receiver.check) for receiver in config.receivers]
    named += [(f"alertmanager {target.url}", target.check) for target in config.alertmanagers]
    named.append(("alerting", config.trust.check))
    named += [(f"hook {hook.name}", partial(_check_hook, config.hooks, hook)) for hook in config.hooks.hooks]
    for name, check in named:
        try:
            check()
        except ConfigError as error:
            problems.append(ConfigError(error.what, where=name, remedy=error.remedy))
    return problems


def _check_hook(rules: HookRules, hook: Hook) -> None:
    for secret in hook.secrets():
        secret.read()
    if isinstance(hook.url, SecretReference) and not rules.allows(hook.url.read()):
        raise ConfigError(
            f"{hook.url} holds a URL of a host that hooks may not call", remedy="list its HOST:PORT under allow:"
        )


def _root(model: AlertingModel) -> Route | None:
    if not model.receivers:
        return None
    if model.route is None:
        return Route(receiver=model.receivers[0].name)
    assert model.route.receiver is not None, "the model demands it of the root"
    intervals = {
        entry.name: NamedIntervals(entry.name, tuple(part.interval() for part in entry.time_intervals))
        for entry in model.time_intervals
    }
    return _route(model.route, Route(receiver=model.route.receiver), intervals)


def _route(node: RouteModel, above: Route, intervals: Mapping[str, NamedIntervals]) -> Route:
    timing = GroupTiming(
        above.timing.group_wait_ns if node.group_wait is None else node.group_wait,
        above.timing.group_interval_ns if node.group_interval is None else node.group_interval,
        above.timing.repeat_interval_ns if node.repeat_interval is None else node.repeat_interval,
    )
    own = Route(
        receiver=node.receiver or above.receiver,
        matchers=node.matchers,
        go_on=node.go_on,
        group_by=above.group_by if node.group_by is None else tuple(node.group_by),
        timing=timing,
        muted_in=tuple(intervals[name] for name in node.mute_time_intervals),
        active_in=tuple(intervals[name] for name in node.active_time_intervals),
    )
    return replace(own, routes=tuple(_route(child, own, intervals) for child in node.routes))
