"""Where in a YAML file a setting stands, for messages about it; it reads no values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def place_of(section: str, path: Sequence[int | str], file: Path | None) -> str:
    """``tailwatch.yaml:7: alerting.route.receiver``: with file and line where they are known.

    Args:
        section: the key of the file's section, such as ``alerting``; empty where it is the whole file.
        path: keys and list indices from there on, as far as they lead.
        file: the file; None when the settings came from elsewhere.
    """
    text = section
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    keys = [section, *path] if section else path
    return text if file is None else f"{file}:{_line(file, keys)}: {text or 'the file'}"


def _line(file: Path, path: Sequence[int | str]) -> int:
    """The line of the deepest part of ``path`` that is in the file."""
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return 1
    line = 1
    for part in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        else:
            return line
    return line
