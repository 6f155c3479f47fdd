"""Who runs a command that changes the database, for the audit log."""

from __future__ import annotations

import getpass
import socket

from storage.audit import Actor


def person() -> Actor:
    """The user's name on this machine, as from this machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        name = "unknown user"
    return Actor(f"{name} (command line)", socket.gethostname())
