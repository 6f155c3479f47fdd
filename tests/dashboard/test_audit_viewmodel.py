"""The table of the audit log: the person before the token, filters, and nothing that is empty."""

from __future__ import annotations

from datetime import UTC
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.documents.audit import AuditEntry, AuditPage
from dashboard.viewmodels import audit
from dashboard.views import page

NOW = 1_760_000_000.0


def entry(number: int, action: str, actor: str = "dashboard", **detail: Any) -> AuditEntry:
    subject = "INC-7" if action.startswith("incident") else "ci"
    return AuditEntry(
        id=number, at=NOW - number, actor=actor, address="192.0.2.7", action=action, subject=subject, detail=detail
    )


ENTRIES = [
    entry(1, "incident.acknowledge", author="maria", text="looking at it", until=None),
    entry(2, "token.create", "root (command line)", scopes=["ingest", "read"], expires=None),
    entry(3, "silence.create", author=""),
]


def test_who_acted_stands_before_the_token_that_they_acted_through() -> None:
    grid = audit.grid(ENTRIES, NOW, UTC)
    who = [row.cells[1] for row in grid.rows]
    assert [(cell.text, cell.sub) for cell in who] == [
        ("maria", "by dashboard from 192.0.2.7"), ("root (command line)", "from 192.0.2.7"),
        ("dashboard", "from 192.0.2.7"),
    ]  # fmt: skip
    assert [row.cells[4].text for row in grid.rows] == ["text: looking at it", "scopes: ingest, read", ""]
    places = [row.place for row in grid.rows]
    assert places[0] is not None
    assert places[0].params == {"incident": "INC-7"}
    assert places[1:] == [None, None]


def test_times_are_told_and_what_a_hook_did_leads_to_its_incident() -> None:
    entries = [
        entry(1, "silence.create", until=NOW + 3600.5), entry(2, "hook.run", incident="INC-3"),
        entry(3, "hook.off", incident=None),
    ]  # fmt: skip
    rows = audit.grid(entries, NOW, UTC).rows
    assert rows[0].cells[4].text == "until: 09:53:20"
    assert [row.place and row.place.params for row in rows] == [None, {"incident": "INC-3"}, None]


def test_filters() -> None:
    assert audit.kinds(ENTRIES) == ["incident", "silence", "token"]
    assert audit.filtered(ENTRIES, kind="token", wanted="") == [ENTRIES[1]]
    assert audit.filtered(ENTRIES, kind=None, wanted="MARIA inc-7") == [ENTRIES[0]]
    assert audit.filtered(ENTRIES, kind="token", wanted="maria") == []
    assert audit.filtered(ENTRIES, kind=None, wanted="192.0.2.7") == ENTRIES


def test_a_long_detail_is_cut() -> None:
    (row,) = audit.grid([entry(1, "incident.comment", text="x" * 5000)], NOW, UTC).rows
    assert len(row.cells[4].text) == 300


def test_the_document_of_the_api_is_read() -> None:
    page = AuditPage.model_validate({"entries": [ENTRIES[0].model_dump()], "next": None})
    assert page.entries == ENTRIES[:1]


def test_the_reader_is_whom_the_proxy_names_and_only_where_that_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = {"X-Forwarded-User": " maria@example.com "}
    monkeypatch.setattr(page.st, "context", SimpleNamespace(headers=sent))
    monkeypatch.delenv("TAILWATCH_USER_HEADER", raising=False)
    assert page.signed_in() is None
    monkeypatch.setenv("TAILWATCH_USER_HEADER", "X-Forwarded-User")
    assert page.signed_in() == "maria@example.com"
    monkeypatch.setenv("TAILWATCH_USER_HEADER", "X-Auth-Request-Email")
    assert page.signed_in() == "", "nobody, and nobody can say otherwise"
