"""The audit log as the API gives it, checked at the edge."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dashboard.documents.document import Document


class AuditEntry(Document):
    """One change."""

    id: int
    at: float
    actor: str
    address: str = ""
    action: str
    subject: str = ""
    detail: dict[str, Any] = Field(default_factory=dict)


class AuditPage(Document):
    """Changes, the newest first; `next` is where the older ones begin."""

    entries: list[AuditEntry]
    next: int | None = None
