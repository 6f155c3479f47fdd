"""Alertmanager's ``http_config`` as Tailwatch writes it, which is nearly the same; it takes over no secret in clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from alerting.config_problems import Path, Problems

BOT_URL: Final = "https://slack.com/api/chat.postMessage"
"""An ``api_url`` of Slack's that is no secret: who writes there does so with a token, as a bot."""

_REFUSED: Final = {
    "oauth2": "Tailwatch fetches no tokens by OAuth 2.0; write authorization: {credentials_file: PATH}, and let "
    "whoever fetches them write that file, which is read each time",
    "proxy_connect_header": "Tailwatch tells proxies nothing of your own; where one wants a password write "
    "proxy_url_file: PATH, a file that holds http://USER:PASSWORD@HOST:PORT",
}
_NO_REDIRECTS: Final = (
    "Tailwatch follows no redirects, which may take secrets elsewhere; write false, and the address that they lead to"
)
_NO_HTTP_2: Final = "Tailwatch speaks HTTP/1.1, as every server does"


def http_in_our_words(given: Any, path: Path, problems: Problems) -> Any:
    """The settings as Tailwatch writes them; what is no mapping is left for the check of the section to name."""
    if not isinstance(given, Mapping):
        return given
    found = {str(key): _without_nothing(value) for key, value in given.items() if value not in (None, "")}
    for key, remedy in _REFUSED.items():
        if found.pop(key, None):
            problems.wrong.append(((*path, key), remedy))
    if found.pop("follow_redirects", False) is not False:
        problems.wrong.append(((*path, "follow_redirects"), _NO_REDIRECTS))
    if found.pop("enable_http2", False) is not False:
        problems.unused.append(((*path, "enable_http2"), _NO_HTTP_2))
    return found


def bot_of(entry: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """One of ``slack_configs`` where a bot whose token stands in ``http_config`` has it under a name of its own."""
    found = {str(key): value for key, value in entry.items()}
    inherits = not any(found.get(key) for key in ("api_url", "api_url_file", "app_token", "app_token_file"))
    http = found.get("http_config") or shared.get("http_config") or {}
    url = shared.get("slack_api_url") if inherits else found.get("api_url")
    if url != BOT_URL or not isinstance(http, Mapping):
        return found
    found.pop("api_url", None)
    rest = {key: value for key, value in http.items() if key not in ("authorization", "bearer_token_file")}
    bearer = http.get("authorization")
    if isinstance(bearer, Mapping):
        names = {"credentials_file": "app_token_file", "credentials": "app_token"}
        found |= {name: bearer[key] for key, name in names.items() if bearer.get(key)}
    elif http.get("bearer_token_file"):
        found["app_token_file"] = http["bearer_token_file"]
    return found | {"http_config": rest}


def _without_nothing(value: Any) -> Any:
    """A mapping without the keys that have no value, which mean in Alertmanager that they are not there."""
    if not isinstance(value, Mapping):
        return value
    return {str(key): _without_nothing(one) for key, one in value.items() if one not in (None, "")}
