"""Alertmanager's receivers (``slack_configs``, ``email_configs``, ...) as Tailwatch writes them; it repeats no secret.

A secret in clear is never taken over: its ``_file`` is asked for. What shapes a message has no counterpart, since
Tailwatch writes its messages itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from alerting.alertmanager_http import bot_of, http_in_our_words
from alerting.config_problems import Path, Problems


@dataclass(frozen=True, slots=True)
class _Form:
    """One kind of Alertmanager's integrations.

    Attributes:
        way: what Tailwatch calls it.
        same: what its keys are called here.
        in_clear: keys that hold a secret, and the one that names a file instead.
        inherited: which key is taken from which one under ``global``.
        send_resolved: Alertmanager's default.
    """

    way: str
    same: Mapping[str, str]
    in_clear: Mapping[str, str] = field(default_factory=dict)
    inherited: Mapping[str, str] = field(default_factory=dict)
    send_resolved: bool = True


_FORMS: Final = {
    "slack_configs": _Form(
        "slack",
        {
            "api_url_file": "webhook_url_file", "app_token_file": "bot_token_file", "channel": "channel",
            "app_url": "api_url", "timeout": "timeout", "http_config": "http_config",
        },
        {"api_url": "api_url_file", "app_token": "app_token_file"},
        {
            "api_url_file": "slack_api_url_file", "app_token_file": "slack_app_token_file",
            "api_url": "slack_api_url", "app_token": "slack_app_token", "app_url": "slack_app_url",
            "http_config": "http_config",
        },
        send_resolved=False,
    ),
    "webhook_configs": _Form(
        "webhook",
        {
            "url": "url", "url_file": "url_file", "max_alerts": "max_alerts", "timeout": "timeout",
            "http_config": "http_config",
        },
        inherited={"http_config": "http_config"},
    ),
    "pagerduty_configs": _Form(
        "pagerduty",
        {"routing_key_file": "routing_key_file", "url": "url", "timeout": "timeout", "http_config": "http_config"},
        {"routing_key": "routing_key_file"},
        {"url": "pagerduty_url", "http_config": "http_config"},
    ),
    "msteamsv2_configs": _Form(
        "teams",
        {"webhook_url_file": "webhook_url_file", "http_config": "http_config"},
        {"webhook_url": "webhook_url_file"},
        {"http_config": "http_config"},
    ),
    "email_configs": _Form(
        "email",
        {
            "to": "to", "from": "from", "smarthost": "smarthost", "auth_username": "user",
            "auth_password_file": "password_file", "hello": "hello", "tls_config": "tls_config",
        },
        {"auth_password": "auth_password_file"},
        {
            "from": "smtp_from", "smarthost": "smtp_smarthost", "auth_username": "smtp_auth_username",
            "auth_password_file": "smtp_auth_password_file", "auth_password": "smtp_auth_password",
            "require_tls": "smtp_require_tls", "force_implicit_tls": "smtp_force_implicit_tls",
            "hello": "smtp_hello", "tls_config": "smtp_tls_config",
        },
        send_resolved=False,
    ),
}  # fmt: skip

GLOBALS: Final = frozenset(name for form in _FORMS.values() for name in form.inherited.values())
"""What is taken from ``global``."""

_OTHERS: Final = {
    "opsgenie_configs": "Opsgenie", "victorops_configs": "VictorOps", "pushover_configs": "Pushover",
    "wechat_configs": "WeChat", "sns_configs": "Amazon SNS", "telegram_configs": "Telegram",
    "discord_configs": "Discord", "webex_configs": "Webex", "jira_configs": "Jira", "rocketchat_configs": "Rocket.Chat",
    "mattermost_configs": "Mattermost", "incidentio_configs": "incident.io",
    "msteams_configs": "connectors of Microsoft Teams, which are retired,",
}  # fmt: skip
"""Whom Alertmanager tells and Tailwatch does not."""

_REMEDIES: Final = {
    "service_key": "speaks PagerDuty's Events API v2; make an integration of that kind and write routing_key_file",
    "service_key_file": "speaks PagerDuty's Events API v2; make an integration of that kind and write routing_key_file",
    "auth_secret": "logs in at mail servers with a password; write auth_username and auth_password_file",
    "auth_secret_file": "logs in at mail servers with a password; write auth_username and auth_password_file",
    "auth_identity": "logs in at mail servers as the user; remove auth_identity",
    "payload": "fills in no templates of Alertmanager's; write template: with this URL and a body of your own",
}
"""Settings of Alertmanager's that are no matter of the message, and what Tailwatch does instead."""

_OTHERWISE: Final = {
    "update_message": "a message is never changed; what follows goes into a bot's thread",
    "threading": "the mails of an incident are always one thread",
}
"""Settings of Alertmanager's that shape what is done anyhow."""

_MESSAGE: Final = frozenset({
    "text", "title", "title_link", "pretext", "color", "fallback", "username", "icon_emoji", "icon_url",
    "image_url", "thumb_url", "fields", "actions", "short_fields", "footer", "callback_id", "link_names",
    "mrkdwn_in", "message_text", "html", "headers", "client",
    "client_url", "description", "severity", "details", "images", "links", "class", "component", "group",
    "source",
})  # fmt: skip
"""Settings of Alertmanager's that shape messages, which Tailwatch writes itself."""


_NO_TEMPLATES: Final = (
    "this is a template of Alertmanager's, and Tailwatch fills in none; write what it comes to, in a receiver and a "
    "route for each"
)


def receiver_in_our_words(
    shared: Mapping[str, Any], entry: Mapping[str, Any], path: Path, problems: Problems
) -> dict[str, Any]:
    """A receiver as Tailwatch writes it, where ``global`` holds ``shared``."""
    found = {str(key): value for key, value in entry.items() if not (str(key).endswith("_configs") and not value)}
    for key in [key for key in found if key in _FORMS or key in _OTHERS]:
        _integration(key, found, shared, path, problems)
    return found


def _integration(key: str, found: dict[str, Any], shared: Mapping[str, Any], path: Path, problems: Problems) -> None:
    """Replace one of Alertmanager's lists of integrations by the way to tell that it means."""
    entries = found.pop(key)
    here = (*path, key)
    form = _FORMS.get(key)
    if form is None:
        what = f"Tailwatch does not tell {_OTHERS[key]} itself; write template: with its URL and body"
        problems.wrong.append((here, f"{what}, or keep an Alertmanager for it and name that under alertmanagers:"))
    elif not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        problems.wrong.append((here, f"this is not a list of mappings; write {form.way}: with the settings below it"))
    elif form.way in found:
        problems.wrong.append((here, f"this receiver has {form.way}: already; keep one of the two"))
    else:
        problems.written[(*path, form.way)] = here
        found[form.way] = [
            _way(form, entry, shared, (*here, place), problems) for place, entry in enumerate(entries)
        ]  # fmt: skip


def _way(
    form: _Form, entry: Mapping[str, Any], shared: Mapping[str, Any], path: Path, problems: Problems
) -> dict[str, Any]:
    entry = bot_of(entry, shared) if form.way == "slack" else entry
    given = _given(form, entry, shared)
    way: dict[str, Any] = {"send_resolved": given.pop("send_resolved", form.send_resolved)}
    shapes = []
    for key, value in given.items():
        place = (*path, key) if key in entry else ("global", form.inherited[key])
        if key in form.same:
            _take_over(form.same[key], value, way, place, (*path[:-2], form.way, path[-1]), problems)
        elif key in form.in_clear:
            what = f"{key} is a secret, and secrets may not stand in this file"
            at = path if key in entry else place
            problems.wrong.append((at, f"{what}; write {_named(form, key, entry)}: PATH"))
            way.setdefault(form.same[form.in_clear[key]], "PATH")  # so that it is not said to be missing, too
        elif key in _REMEDIES:
            problems.wrong.append((place, f"Tailwatch {_REMEDIES[key]}"))
        elif key in _OTHERWISE:
            problems.unused.append((place, _OTHERWISE[key]))
        elif key in _MESSAGE:
            shapes.append(key)
        elif form.way != "email" or key not in ("require_tls", "force_implicit_tls"):
            problems.wrong.append((place, "there is no such setting; correct its name or remove it"))
    if shapes:
        what = f"{', '.join(shapes)}: Tailwatch writes its messages itself; write template: for one of your own"
        problems.unused.append((path, what))
    if form.way == "email":
        _mail(way, given, path, problems)
    return way


def _given(form: _Form, entry: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """What an integration has of its own, and what it inherits; what means the same as nothing is left out."""
    given = {str(key): value for key, value in entry.items() if value not in (None, "")}
    inherited = {key: shared[name] for key, name in form.inherited.items() if shared.get(name) not in (None, "")}
    # Either of two spellings of one secret overrides both of those that everybody inherits.
    if any(key in given for key in form.in_clear) or any(key in given for key in form.in_clear.values()):
        inherited = {k: v for k, v in inherited.items() if k not in form.in_clear and k not in form.in_clear.values()}
    found = inherited | given
    if "app_url" not in given and not {"app_token", "app_token_file"} & found.keys():
        found.pop("app_url", None)
    if found.get("timeout") in (0, "0", "0s"):
        del found["timeout"]
    if found.get("update_message") is False:
        del found["update_message"]
    return found


def _take_over(name: str, value: Any, way: dict[str, Any], place: Path, ours: Path, problems: Problems) -> None:
    """Let a setting that stands at ``place`` be ``name`` among ``ours``, and be found where it stands."""
    way[name] = http_in_our_words(value, place, problems) if name == "http_config" else value
    problems.written[(*ours, name)] = place
    if isinstance(value, str) and "{{" in value:
        problems.wrong.append((place, _NO_TEMPLATES))


def _named(form: _Form, key: str, entry: Mapping[str, Any]) -> str:
    instead = form.in_clear[key]
    return instead if key in entry else form.inherited[instead]


def _mail(way: dict[str, Any], given: Mapping[str, Any], path: Path, problems: Problems) -> None:
    """What Alertmanager says otherwise of mail: the addresses as one text, and TLS."""
    if isinstance(way.get("to"), str):
        way["to"] = [address.strip() for address in way["to"].split(",")]
    implicit = given.get("force_implicit_tls", str(way.get("smarthost", "")).endswith(":465"))
    way["security"] = "tls" if implicit else "starttls" if given.get("require_tls", True) else "none"
    for key, name in (("smarthost", "smtp_smarthost"), ("from", "smtp_from")):
        if key not in way:
            problems.wrong.append((path, f"there is no {key}; write {key}: here or {name}: under global:"))
