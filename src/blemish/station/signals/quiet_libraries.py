"""What libraries say of every failed try is said once by us, in one sentence; their own logs hold payloads."""

from __future__ import annotations

import logging


def quieten(*names: str) -> None:
    """Let loggers of these names say nothing, unless somebody has set their level."""
    for name in names:
        found = logging.getLogger(name)
        if found.level == logging.NOTSET:
            found.setLevel(logging.CRITICAL + 1)
