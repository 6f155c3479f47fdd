"""Every setting of Alertmanager's integrations and of ``http_config``: honoured or told of, none ignored."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from alerting.config import parse_alerting
from alerting.lint import lint
from alerting.mirror import AlertmanagerTarget
from alerting.receivers.access import Access, Credentials, Proxy
from alerting.receivers.slack_bot import SlackBotReceiver
from alerting.receivers.tls import Tls
from alerting.receivers.trust import PUBLIC_ONLY
from alerting.receivers.webhook import WebhookReceiver
from alerting.secret_references import SecretReference
from telemetry.errors import ConfigError
from tests.alerting.makers import parse
from tests.external import require_program

URL = "http://hooks.example.com/"
LEAST = {
    "webhook_configs": {"url": URL},
    "slack_configs": {"app_token_file": "/t", "channel": "#a"},
    "pagerduty_configs": {"routing_key_file": "/k"},
    "email_configs": {"to": "a@x.example", "from": "b@x.example", "smarthost": "m.example:25"},
    "msteamsv2_configs": {"webhook_url_file": "/u"},
}
HTTP = {"tls_config": {"server_name": "x.example"}}
THEIRS = {
    "webhook_configs": {
        "send_resolved": False, "http_config": HTTP, "url": "http://b.example/", "url_file": "/u", "max_alerts": 3,
        "timeout": "5s", "payload": {"a": "b"},
    },
    "slack_configs": {
        "send_resolved": True, "http_config": HTTP, "api_url": "https://s3cr3t", "api_url_file": "/u",
        "app_token": "s3cr3t", "app_token_file": "/v", "app_url": "https://slack-gov.example/api/chat.postMessage",
        "channel": "#b", "username": "x", "color": "x", "title": "x", "title_link": "x", "pretext": "x", "text": "x",
        "message_text": "x", "fields": [{"title": "x", "value": "y"}], "short_fields": True, "footer": "x",
        "fallback": "x", "callback_id": "x", "icon_emoji": "x", "icon_url": "x", "image_url": "x", "thumb_url": "x",
        "link_names": True, "mrkdwn_in": ["text"], "actions": [{"type": "button", "text": "x", "url": "y"}],
        "update_message": True, "timeout": "5s",
    },
    "pagerduty_configs": {
        "send_resolved": False, "http_config": HTTP, "service_key": "s3cr3t", "service_key_file": "/k",
        "routing_key": "s3cr3t", "routing_key_file": "/l", "url": "https://pd.example/", "client": "x",
        "client_url": "x", "description": "x", "details": {"a": "b"}, "images": [{"src": "x"}],
        "links": [{"href": "x"}], "source": "x", "severity": "x", "class": "x", "component": "x", "group": "x",
        "timeout": "5s",
    },
    "email_configs": {
        "send_resolved": True, "to": "c@x.example", "from": "d@x.example", "hello": "h.example",
        "smarthost": "n.example:25", "auth_username": "u", "auth_password": "s3cr3t", "auth_password_file": "/p",
        "auth_secret": "s3cr3t", "auth_secret_file": "/s", "auth_identity": "i", "headers": {"Subject": "x"},
        "html": "x", "text": "x", "require_tls": False, "tls_config": HTTP["tls_config"], "force_implicit_tls": True,
        "threading": {"enabled": True, "thread_by_date": "daily"},
    },
    "msteamsv2_configs": {
        "send_resolved": False, "http_config": HTTP, "webhook_url": "https://s3cr3t", "webhook_url_file": "/v",
        "title": "x", "text": "x",
    },
}  # fmt: skip
"""The keys of each, after ``config/notifiers.go`` and ``notify/*/config.go`` of Alertmanager 0.34."""
HTTP_KEYS = {
    "basic_auth": {"username": "a", "password_file": "/p"}, "authorization": {"credentials_file": "/c"},
    "oauth2": {"client_id": "a"}, "bearer_token": "s3cr3t", "bearer_token_file": "/b", "tls_config": {"ca_file": "/c"},
    "follow_redirects": True, "enable_http2": True, "proxy_url": "http://p.example:3128", "no_proxy": "x.example",
    "proxy_from_environment": False, "proxy_connect_header": {"X": ["s3cr3t"]},
    "http_headers": {"X-A": {"values": ["b"]}},
}  # fmt: skip
TLS_KEYS = {
    "ca": "x", "cert": "x", "key": "s3cr3t", "ca_file": "/c", "cert_file": "/c", "key_file": "/k",
    "server_name": "x.example", "insecure_skip_verify": True, "min_version": "TLS13", "max_version": "TLS12",
}  # fmt: skip


def receiver(kind, *entries, **shared):
    found = {"receivers": [{"name": "a", kind: list(entries)}], "route": {"receiver": "a"}}
    return found | ({"global": shared} if shared else {})


def honoured_or_said(before, after, key):
    """A setting changes what is done, or a sentence names it; no value of a secret is repeated."""
    unchanged = parse(before).receivers
    try:
        parsed = parse(after)
    except ConfigError as error:
        said = str(error)
    else:
        if parsed.receivers != unchanged:
            return True
        said = " ".join(f"{place} {what}" for place, what in parsed.unused)
    assert key in said
    assert "s3cr3t" not in said
    return False


WORKS = {"send_resolved", "http_config", "timeout", "max_alerts", "url", "channel", "to", "from", "smarthost", "hello"}
INSTEAD = {
    ("slack_configs", "api_url_file"): {"api_url_file": "/w"},
    ("email_configs", "auth_username"): LEAST["email_configs"] | {"auth_username": "v", "auth_password_file": "/q"},
    ("email_configs", "auth_password_file"): LEAST["email_configs"]
    | {"auth_username": "v", "auth_password_file": "/q"},
}
"""What the others go beside, where these go beside something else."""


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind in THEIRS for key in THEIRS[kind]])
def test_no_key_of_an_integration_is_ignored(kind, key):
    least = INSTEAD.get((kind, key), LEAST[kind])
    honoured = honoured_or_said(receiver(kind, least), receiver(kind, least | {key: THEIRS[kind][key]}), key)
    assert honoured or key not in WORKS


@pytest.mark.parametrize("key", HTTP_KEYS)
def test_no_key_of_http_config_is_ignored(key):
    least = LEAST["webhook_configs"]
    after = receiver("webhook_configs", least | {"http_config": {key: HTTP_KEYS[key]}})
    honoured_or_said(receiver("webhook_configs", least), after, key)


@pytest.mark.parametrize("key", TLS_KEYS)
def test_no_key_of_tls_config_is_ignored(key):
    least = LEAST["webhook_configs"]
    after = receiver("webhook_configs", least | {"http_config": {"tls_config": {key: TLS_KEYS[key]}}})
    honoured_or_said(receiver("webhook_configs", least), after, key)


WHOLE = """
global:
  http_config: {proxy_url: 'http://proxy.example.com:3128', no_proxy: 'example.org, 10.0.0.0/8'}
route: {receiver: all}
receivers:
  - name: all
    webhook_configs:
      - url: https://one.example.com/
        max_alerts: 5
        timeout: 7s
        http_config:
          authorization: {type: GenieKey, credentials_file: secrets/key}
          follow_redirects: false
          proxy_url: null
      - url: https://two.example.com/
        http_config:
          basic_auth: {username: ada, password_file: secrets/password}
          tls_config:
            {ca_file: ca.pem, cert_file: c.pem, key_file: k.pem, server_name: two, insecure_skip_verify: false}
          proxy_from_environment: true
          enable_http2: false
      - url: https://three.example.com/
      - {url: 'https://four.example.com/', http_config: {bearer_token_file: /run/token}}
    slack_configs:
      - api_url: https://slack.com/api/chat.postMessage
        channel: '#ops'
        http_config: {authorization: {credentials_file: /run/bot}, tls_config: {min_version: TLS13}}
"""


def test_all_of_it_means_what_it_means_there(tmp_path):
    bot, one, two, three, four = parse_alerting(yaml.safe_load(WHOLE), folder=tmp_path, where="").receivers
    exceptions = ("example.org", "10.0.0.0/8")
    assert one == WebhookReceiver(
        "all", "https://one.example.com/", send_resolved=True, max_alerts=5, deadline_s=7.0,
        access=Access(Credentials(SecretReference("file", str(tmp_path / "secrets/key")), "GenieKey")),
    )  # fmt: skip
    password = SecretReference("file", str(tmp_path / "secrets/password"))
    tls = Tls(tmp_path / "ca.pem", tmp_path / "c.pem", tmp_path / "k.pem", "two")
    assert two == WebhookReceiver(
        "all", "https://two.example.com/", part="2", access=Access(Credentials(password, "Basic", "ada"), tls=tls)
    )
    inherited = Proxy("http://proxy.example.com:3128", environment=False, bypassed_for=exceptions)
    assert three == WebhookReceiver("all", "https://three.example.com/", part="3", access=Access(proxy=inherited))
    token = Credentials(SecretReference("file", "/run/token"))
    assert four == WebhookReceiver("all", "https://four.example.com/", part="4", access=Access(token))
    assert bot == SlackBotReceiver(
        "all", SecretReference("file", "/run/bot"), "#ops", send_resolved=False,
        access=Access(tls=Tls(min_version="TLS13")),
    )  # fmt: skip


def test_alertmanager_takes_that_file_too(tmp_path):
    for name in ("ca.pem", "c.pem", "k.pem"):
        (tmp_path / name).write_text("")
    # Debian's is of 2023, and knows no exceptions from proxies.
    newer = (
        "        timeout: 7s\n",
        ", no_proxy: 'example.org, 10.0.0.0/8'",
        "          proxy_from_environment: true\n",
    )
    text = WHOLE
    for part in newer:
        assert part in text
        text = text.replace(part, "")
    (tmp_path / "alertmanager.yml").write_text(text)
    amtool = require_program("amtool", "prometheus-alertmanager")
    done = subprocess.run(
        [amtool, "check-config", "alertmanager.yml"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert "SUCCESS" in done.stdout, done.stdout + done.stderr


EXAMPLE = Path(__file__).parents[2] / "examples" / "alertmanager" / "alertmanager.yml"


def test_the_example_is_taken_as_it_is_by_both(tmp_path):
    parsed = parse_alerting(yaml.safe_load(EXAMPLE.read_text()), folder=EXAMPLE.parent, where="", file=EXAMPLE)
    assert parsed.unused == ()
    assert [receiver.id for receiver in parsed.receivers] == [
        "oncall/slack", "oncall/slack/2", "oncall/webhook", "oncall/webhook/2", "oncall/pagerduty", "tickets/email",
        "tickets/email/2",
    ]  # fmt: skip
    assert {warning.where for warning in lint(parsed)} <= {f"receiver {one.id}" for one in parsed.receivers}, "secrets"
    amtool = require_program("amtool", "prometheus-alertmanager")
    done = subprocess.run([amtool, "check-config", str(EXAMPLE)], capture_output=True, text=True, check=False)
    assert "SUCCESS" in done.stdout, done.stdout + done.stderr


def test_lint_says_which_addresses_are_not_called():
    urls = ["http://127.0.0.1:5001/", "http://localhost:5001/", "http://10.1.2.3/", "https://hooks.example.com/"]
    document = receiver("webhook_configs", *({"url": url} for url in urls))
    said = {one.where: str(one) for one in lint(parse(document)) if "is not public" in one.what}
    assert sorted(said) == ["receiver a/webhook", "receiver a/webhook/2", "receiver a/webhook/3"]
    assert "write allow_private: [10.1.2.3] beside receivers:" in said["receiver a/webhook/3"]
    assert lint(parse(document | {"allow_private": ["127.0.0.1", "10.0.0.0/8"]})) == []


def webhook(**http):
    return receiver("webhook_configs", {"url": URL, "http_config": http})


REFUSED = [
    (webhook(basic_auth={"username": "a", "password": "s3cr3t"}), "basic_auth.password: secr", "password_file: PATH"),
    (webhook(basic_auth={"username": "a"}), "basic_auth: exactly one of password_env", "password_file"),
    (webhook(basic_auth={"username": "a:b", "password_file": "/p"}), "cannot have a colon", "correct it"),
    (webhook(authorization={"credentials": "s3cr3t"}), "authorization.credentials: secrets", "credentials_file: PATH"),
    (webhook(authorization={"type": "Basic", "credentials_file": "/c"}), "a name and a password", "basic_auth:"),
    (webhook(authorization={"type": "a b", "credentials_file": "/c"}), "authorization.type: this name", "use letters"),
    (webhook(bearer_token="s3cr3t"), "http_config.bearer_token: secrets may not", "bearer_token_file: PATH"),
    (webhook(bearer_token_file="/b", authorization={"credentials_file": "/c"}), "authorization and bear", "keep one"),
    (webhook(oauth2={"client_secret": "s3cr3t"}), "http_config.oauth2: Tailwatch fetches", "credentials_file"),
    (webhook(follow_redirects=True), "http_config.follow_redirects: Tailwatch follows no", "write false"),
    (webhook(proxy_url="http://u:s3cr3t@p:1"), "http_config.proxy_url: this URL holds credentials", "proxy_url_file"),
    (webhook(proxy_url="socks5://p:1"), "http_config.proxy_url: this is not a URL", "http://HOST"),
    (webhook(proxy_connect_header={"X": ["s3cr3t"]}), "http_config.proxy_connect_header: Tailwatch", "proxy_url_file"),
    (webhook(no_proxy="x"), "no_proxy says for whom proxy_url", "remove it"),
    (webhook(proxy_url="http://p:1", proxy_from_environment=True), "proxy_from_environment exclude", "keep one"),
    (webhook(http_headers={"X-Hook-Secret": {"values": ["s3cr3t"]}}), "X-Hook-Secret holds a secret", "files or env"),
    (webhook(http_headers={"X-Api-Key": {"values": ["s3cr3t"]}}), "X-Api-Key holds a secret", "files or env"),
    (webhook(http_headers={"X-A": {"secrets": ["s3cr3t"]}}), "http_headers.X-A.secrets: secrets may", "files: [PATH]"),
    (webhook(http_headers={"Host": {"values": ["x"]}}), "Host is Tailwatch's own", "remove it"),
    (webhook(http_headers={"authorization": {"files": ["/x"]}}), "Authorization has a place", "authorization:"),
    (webhook(http_headers={"X-A": {"values": ["a\r\nX-B: c"]}}), "a header is one line", "line break"),
    (webhook(http_headers={"X-A": {}}), "this header has no value", "values: [TEXT]"),
    (webhook(tls_config={"insecure_skip_verify": True}), "certificates are always verified", "ca_file: PATH"),
    (webhook(tls_config={"key": "s3cr3t"}), "tls_config.key: secrets may not stand", "key_file: PATH"),
    (webhook(tls_config={"cert_file": "/c"}), "of use with its key only", "cert_file and key_file"),
    (webhook(tls_config={"min_version": "TLS10"}), "min_version: this value is not known", "'TLS12' or 'TLS13'"),
    (webhook(tls_config={"min_version": "TLS13", "max_version": "TLS12"}), "min_version is above", "exchange"),
    (receiver("webhook_configs", {"url": URL, "timeout": "1m"}), "[0].timeout: an attempt may take 20s", "write 1s"),
    (receiver("webhook_configs", {"url": URL, "max_alerts": -1}), "webhook_configs[0].max_alerts: ", ""),
    (
        receiver("slack_configs", LEAST["slack_configs"] | {"http_config": {"bearer_token_file": "/b"}}),
        "a bot is known by its token", "remove bearer_token_file",
    ),
    (
        receiver("slack_configs", {"api_url_file": "/t", "app_url": "https://slack.example/"}),
        "api_url is where bots write to", "webhook_url_env",
    ),
    (
        receiver("webhook_configs", {"url": URL}, http_config={"follow_redirects": True}),
        "alerting.global.http_config.follow_redirects: Tailwatch follows no", "",
    ),
    (receiver("webhook_configs", {"url": URL, "http_config": [1]}), "[0].http_config: this is not a mapping", ""),
]  # fmt: skip


@pytest.mark.parametrize(("document", "what", "remedy"), REFUSED, ids=[what[:50] for _, what, _ in REFUSED])
def test_what_is_not_done_is_refused_where_it_stands_with_what_to_write(document, what, remedy):
    with pytest.raises(ConfigError) as caught:
        parse(document)
    said = str(caught.value)
    assert what in said
    assert remedy in said
    assert "s3cr3t" not in said


def test_a_bot_whose_token_stands_in_clear_is_told_what_to_write():
    bot = {"api_url": "https://slack.com/api/chat.postMessage", "channel": "#a"}
    http = {"authorization": {"credentials": "s3cr3t"}}
    with pytest.raises(ConfigError, match="app_token is a secret") as caught:
        parse(receiver("slack_configs", bot | {"http_config": http}))
    assert "s3cr3t" not in str(caught.value)
    shared = {"slack_api_url": bot["api_url"], "http_config": {"authorization": {"credentials_file": "/run/bot"}}}
    (told,) = parse(receiver("slack_configs", {"channel": "#a"}, **shared)).receivers
    assert told == SlackBotReceiver("a", SecretReference("file", "/run/bot"), "#a", send_resolved=False)


def test_our_own_sections_take_the_same_with_variables_too():
    http = {
        "authorization": {"credentials_env": "TOKEN"},
        "proxy_url_env": "PROXY",
        "http_headers": {"X": {"env": ["K"]}},
    }
    parsed = parse(
        {
            "receivers": [{"name": "a", "template": {"url": URL, "body": "x", "http_config": http, "timeout": "3s"}}],
            "alertmanagers": [{"url": URL, "http_config": http, "timeout": "4s"}],
        }
    )
    access = Access(
        Credentials(SecretReference("env", "TOKEN")), (("X", SecretReference("env", "K")),),
        Proxy(SecretReference("env", "PROXY"), environment=False),
    )  # fmt: skip
    (target,) = parsed.alertmanagers
    assert target == AlertmanagerTarget(URL, None, PUBLIC_ONLY, 4.0, access)
    (told,) = parsed.receivers
    assert isinstance(told.access, Access)
    assert (told.access, told.deadline_s) == (access, 3.0)
    twice = {"url": URL, "body": "x", "http_config": http, "bearer_token_env": "T"}
    with pytest.raises(ConfigError, match="a bearer token and authorization exclude each other"):
        parse({"receivers": [{"name": "a", "template": twice}]})


def test_the_line_that_is_named_is_the_line_in_their_file(tmp_path: Path):
    file = tmp_path / "alertmanager.yml"
    file.write_text(WHOLE.replace("insecure_skip_verify: false", "insecure_skip_verify: true"))
    with pytest.raises(ConfigError) as caught:
        parse_alerting(yaml.safe_load(file.read_text()), folder=tmp_path, where="", file=file)
    place = "receivers[0].webhook_configs[1].http_config.tls_config.insecure_skip_verify"
    assert str(caught.value).startswith(f"{file}:19: {place}: certificates are always verified")
