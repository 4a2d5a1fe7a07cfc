"""The log of a station, in files of a bounded size, and on standard error for systemd's journal or a person."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import gmtime

LOG_NAME = "station.log"

_LOGGER = "blemish"


@contextmanager
def logging_to(folder: Path, megabytes: float, files: int, alone: bool = False) -> Iterator[None]:
    """Let what the station says go to `station.log` in a folder, and to standard error.

    Args:
        folder: that exists.
        megabytes: that a file takes at most.
        files: how many there are at most, the present one among them.
        alone: whether standard error stays silent.
    """
    logger = logging.getLogger(_LOGGER)
    before = logger.level, logger.propagate
    handlers: list[logging.Handler] = [
        _QuietFile(
            folder / LOG_NAME,
            maxBytes=int(1e6 * megabytes),
            backupCount=files - 1,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        ),
        *([] if alone else [logging.StreamHandler(sys.stderr)]),
    ]
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = gmtime
    for handler in handlers:
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(before[0])
        logger.propagate = before[1]


class _QuietFile(logging.handlers.RotatingFileHandler):
    """A log that a full disk does not let print a traceback for each line; it goes on when there is room."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's own name)
        """Pass over what cannot be written: standard error has it."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)
