"""When the recorded afternoon was seen, and the text that no page may ever run."""

from __future__ import annotations

NOW = 1_790_000_000.0
MALICIOUS = "<img src=x onerror=\"document.title='owned'\">"
