"""What the engine knows beyond the counts, kept over restarts: as compressed arrays, one document a layout."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from detectors.slo.memory import Arrays, Memory
from storage.database import Database, Moment
from storage.memories import load_memories, save_memories

_EVIDENCE: Final = "evidence."
_ALERTS: Final = "alerts."

_log = logging.getLogger(__name__)


def keep(database: Database, memories: Iterable[Memory]) -> None:
    """Store ``memories`` in place of those that are stored.

    Raises:
        StorageError: the database cannot be used.
    """
    save_memories(database, {memory.layout: _packed(memory) for memory in memories})


def kept(database: Database | Moment) -> list[Memory]:
    """What was stored last; a document that cannot be read is left out, and the log tells.

    Raises:
        StorageError: the database cannot be used.
    """
    memories = []
    for layout, body in load_memories(database).items():
        try:
            memories.append(_unpacked(layout, body))
        except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
            _log.warning("what evaluations knew is damaged; they begin with the counts of six hours: %s", error)
    return memories


def _packed(memory: Memory) -> bytes:
    document = {"groups": [*memory.groups], "at_ns": memory.at_ns, "settled_ns": memory.settled_ns}
    arrays = {
        "about": np.frombuffer(json.dumps(document).encode(), dtype=np.uint8),
        **{_EVIDENCE + name: array for name, array in memory.evidence.items()},
        **{_ALERTS + name: array for name, array in memory.alerts.items()},
    }
    body = io.BytesIO()
    np.savez_compressed(body, allow_pickle=False, **arrays)
    return body.getvalue()


def _unpacked(layout: str, body: bytes) -> Memory:
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        about = json.loads(arrays["about"].tobytes())
        groups = [(str(rule), str(group)) for rule, group in about["groups"]]
        evidence, alerts = _named(arrays, _EVIDENCE), _named(arrays, _ALERTS)
        if any(len(array) != len(groups) for array in (*evidence.values(), *alerts.values())):
            raise ValueError("its arrays are not as long as its list of groups")
        return Memory(layout, groups, about["at_ns"], about["settled_ns"], evidence, alerts)


def _named(arrays: Mapping[str, np.ndarray], prefix: str) -> Arrays:
    return {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)}
