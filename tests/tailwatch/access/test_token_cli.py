"""Tokens and the audit log on the command line: no server runs, and a secret is shown once, to stdout alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tailwatch.access.secret import is_whole
from tailwatch.cli import main
from tests.tailwatch.running import write_config


@pytest.fixture
def tailwatch(tmp_path: Path, migrated_sqlite_url: str):
    config = write_config(tmp_path, {"database_url": migrated_sqlite_url})

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), *arguments])

    return run


def test_a_token_from_first_to_last(tailwatch) -> None:
    made = tailwatch("token", "create", "ci", "--scope", "read", "--scope", "ingest", "--expires", "90d")
    secret = made.stdout.strip()
    assert is_whole(secret)
    assert secret not in made.stderr
    assert "ci may ingest, read" in made.stderr
    renewed = tailwatch("token", "rotate", "ci", "--overlap", "2h").stdout.strip()
    assert is_whole(renewed)
    assert renewed != secret
    listed = tailwatch("token", "list", "--json").stdout
    old, new = json.loads(listed)["tokens"]
    assert (old["name"], old["scopes"], old["state"], new["state"]) == (
        "ci",
        ["ingest", "read"],
        "in force",
        "in force",
    )
    assert 7190 < old["expires"] - new["created"] < 7210
    assert new["expires"] - new["created"] == pytest.approx(90 * 86400)
    shown = tailwatch("token", "list").stdout
    assert ("ingest, read" in shown, "never" in shown) == (True, True)
    assert "within seconds" in tailwatch("token", "revoke", "ci").stdout
    assert json.loads(tailwatch("token", "list", "--json").stdout)["tokens"] == []
    assert {one["state"] for one in json.loads(tailwatch("token", "list", "--all", "--json").stdout)["tokens"]} == {
        "revoked"
    }
    log = tailwatch("audit", "--json").stdout
    entries = json.loads(log)["entries"]
    assert [one["action"] for one in entries] == ["token.revoke", "token.rotate", "token.create"]
    assert all(one["actor"].endswith(" (command line)") and one["address"] for one in entries)
    assert "token.rotate" in tailwatch("audit", "--since", "-1h", "--action", "token").stdout
    assert "token.rotate" not in tailwatch("audit", "--since", "+1h").stdout
    for text in (listed, shown, log):
        assert secret not in text
        assert renewed not in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("token", "create", "ci"), "Missing option '--scope'"),
        (("token", "create", "ci", "--scope", "write"), "'write' is not one of 'ingest', 'read', 'respond', 'admin'"),
        (("token", "create", " ", "--scope", "read"), "is no name for a token"),
        (("token", "create", "a\nb", "--scope", "read"), "is no name for a token"),
        (("token", "create", "ci", "--scope", "read", "--expires", "0"), "write how long it shall count"),
        (("token", "create", "ci", "--scope", "read", "--expires", "soon"), "soon"),
        (("token", "rotate", "nobody"), "there is no token nobody. tailwatch token list shows them"),
        (("token", "revoke", "nobody"), "there is no token nobody. tailwatch token list shows them"),
    ],
)
def test_mistakes_are_sentences(tailwatch, arguments: tuple[str, ...], says: str) -> None:
    done = tailwatch(*arguments)
    assert done.exit_code in (1, 2)
    assert says in done.stderr
    assert done.stdout == ""


def test_a_second_token_of_a_name_says_what_to_do(tailwatch) -> None:
    tailwatch("token", "create", "ci", "--scope", "read")
    again = tailwatch("token", "create", "ci", "--scope", "read")
    assert again.exit_code == 1
    assert "tailwatch token rotate ci" in again.stderr
