"""Hooks made from their checked configuration; only ``alerting.config`` uses it."""

from __future__ import annotations

from pathlib import Path

from alerting.config_access import reference
from alerting.hooks.hook import Hook, HookRules
from alerting.hooks.models import HookModel, HooksModel
from alerting.secret_references import SecretReference
from telemetry.windows import NANOS

_MIN_CONFIDENCE = 0.8


def rules_of(model: HooksModel, folder: Path) -> HookRules:
    """The section as values; relative paths start at ``folder``."""
    return HookRules(tuple(_hook(action, folder) for action in model.actions), model.allow, model.enabled)


def _hook(model: HookModel, folder: Path) -> Hook:
    headers: dict[str, str | SecretReference] = dict(model.headers)
    for name, place in model.secret_headers.items():
        found = reference(place.env, place.file, folder)
        assert found is not None, "the model demands one of the two"
        headers[name] = found
    url = model.url or reference(model.url_env, model.url_file, folder)
    assert url is not None, "the model demands one of the three"
    return Hook(
        name=model.name,
        url=url,
        on=model.on,
        match=model.match,
        min_confidence=_MIN_CONFIDENCE if model.min_confidence is None else model.min_confidence,
        method=model.method,
        body=model.body,
        content_type=model.content_type,
        headers=headers,
        bearer=reference(model.bearer_token_env, model.bearer_token_file, folder),
        secret=reference(model.secret_env, model.secret_file, folder),
        approval=model.approval,
        dry_run=model.dry_run,
        per_incident=model.per_incident,
        per_hour=model.per_hour,
        timeout_s=model.timeout / NANOS,
        expires_ns=model.expires_after,
        pause_after=model.pause_after,
        better_within_ns=model.better_within,
    )
