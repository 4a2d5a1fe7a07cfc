"""Digests of photographs' files, remembered: a file that has not changed is not read again to be known."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

_SETTLED_NS = 2_000_000_000
"""A file that changed within two seconds may change again without another time: clocks of file systems are coarse."""

_MOST = 100_000
_known: dict[tuple[int, ...], str] = {}


def known_digest(path: Path) -> str | None:
    """SHA-256 of a file that was read before and has not changed since; None of any other."""
    identity = _identity(path)
    return None if identity is None else _known.get(identity)


def digest_of(path: Path, content: bytes) -> str:
    """SHA-256 of what was just read of a file; kept for `known_digest`."""
    digest = hashlib.sha256(content).hexdigest()
    identity = _identity(path)
    if identity is not None:
        if len(_known) >= _MOST:
            _known.clear()
        _known[identity] = digest
    return digest


def _identity(path: Path) -> tuple[int, ...] | None:
    """What changes whenever a file does; None where that cannot be told."""
    try:
        status = path.stat()
    except OSError:
        return None
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    if time.time_ns() - changed < _SETTLED_NS:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
