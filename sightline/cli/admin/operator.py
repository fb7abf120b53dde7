"""Writing what a command changes into the audit log, as the user of the operating system."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from search_core.access.audit_log import Action, AuditLog
from search_core.settings import Settings


def record(
    settings: Settings, action: Action, library: str = "", detail: Mapping[str, Any] | None = None
) -> None:
    """Write down what is about to be done; raises AuditUnavailable, and then it is not done."""
    with closing(AuditLog(settings.audit_path)) as log:
        log.record(who(), action, library, {**(detail or {}), "by": "command"})


def who() -> str:
    """Return the user of the operating system, with "@" and the machine after it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an id that this machine has no name for, as in containers
        name = "somebody"
    return f"{name}@{socket.gethostname()}"
