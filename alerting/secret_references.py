"""Secrets by reference: the name of an environment variable or of a file, never the secret; it keeps no copy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from telemetry.errors import ConfigError

_MAX_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a secret is: ``kind`` says whether ``name`` is an environment variable's or a file's."""

    kind: Literal["env", "file"]
    name: str

    def read(self, environ: Mapping[str, str] | None = None) -> str:
        """The secret as it is now, so that a rotated file counts at once; blanks around it are dropped.

        Raises:
            ConfigError: it is missing or empty. The message names the reference, never the value.
        """
        value = (
            self._from_file() if self.kind == "file" else (os.environ if environ is None else environ).get(self.name)
        )
        if value is None:
            raise ConfigError(f"the environment variable {self.name} is not set", remedy="set it before the start")
        if not value.strip():
            raise ConfigError(f"{self} is empty", remedy="put the secret there")
        return value.strip()

    def _from_file(self) -> str:
        path = Path(self.name)
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise ConfigError(f"{self} is too long for a secret", remedy="name the file that holds only the secret")
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{self} cannot be read: {error.strerror}", remedy="check path and permissions") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{self} is not text", remedy="name the file that holds only the secret") from None

    def __str__(self) -> str:
        return f"the environment variable {self.name}" if self.kind == "env" else f"the file {self.name}"
