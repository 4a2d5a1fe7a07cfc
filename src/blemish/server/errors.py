"""Why the server takes no more at the moment: the queue, the disk, the memory."""

from __future__ import annotations

import errno
import sqlite3

from blemish.core.errors import BlemishError, UsageError


class FieldError(UsageError):
    """A value of a request cannot be used.

    Attributes:
        field: its name in the body.
    """

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_SQLITE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR | 19 << 8})
"""The second: the file of the shared index cannot grow, SQLITE_IOERR_SHMSIZE."""

_FULL_POSTGRESQL = "53100"


def shortage(error: BaseException) -> tuple[int, str] | None:
    """The HTTP status and the sentence for an error that a full disk or too little memory has caused; else None."""
    cause: BaseException | None = error
    while cause is not None:
        if _is_full(cause):
            said = str(error) if isinstance(error, BlemishError) else ""
            return 507, said or "The server's disk is full: free some space on it, and send this again."
        if isinstance(cause, MemoryError):
            return (
                503,
                "The server has too little memory for this: send fewer or smaller photographs at once.",
            )
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None


def _is_full(error: BaseException) -> bool:
    """Whether a full disk is what the system or a database says."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) in _FULL_SQLITE
    said = error.args[0] if error.args else None
    return isinstance(said, dict) and said.get("C") == _FULL_POSTGRESQL
