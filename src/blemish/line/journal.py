"""The results of a run as they come, a line of JSON each: what is left of a run that ended too early."""

from __future__ import annotations

import errno
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from blemish.core.image_files import JOURNAL
from blemish.core.storage import write_error

_SYNCED_EVERY = 2.0
"""Seconds of results that a power failure may take."""

State = list[int]
"""What tells that a file is the one it was: size in bytes, and when it and what is known of it last changed, in ns."""


def state_of(path: Path) -> State | None:
    """The state of a file; None if it cannot be asked."""
    with suppress(OSError, ValueError):
        status = path.stat()
        return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    return None


class Journal:
    """The file in which results lie as soon as they are there.

    Its first line says which inspector judged; each further line is a file's path, its state and its result. A line
    that a fault has cut short is left away.

    Args:
        folder: of the results.
        judge: what results depend on besides the photograph, JSON-ready.
        resume: whether to go on with what lies there, if it is of the same judge.

    Attributes:
        earlier: whether there was a journal to go on with; None if it is of another judge.
        trouble: why results are not written any more; empty while they are.

    Raises:
        BlemishError: the folder cannot be written.
    """

    def __init__(self, folder: Path, judge: dict[str, Any], resume: bool) -> None:
        self._path = folder / JOURNAL
        self._lines: dict[str, bytes] = {}
        self._synced = time.monotonic()
        self._stream: IO[bytes] | None = None
        self.earlier: bool | None = False
        self.trouble = ""
        end = self._read(judge) if resume else 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._stream = self._path.open("r+b" if self.earlier else "wb", buffering=0)
            if self.earlier:  # what was cut short goes
                self._stream.truncate(end)
                self._stream.seek(end)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise write_error(self._path, error) from error
            self.trouble = str(write_error(self._path, error))
        if not self.earlier:
            self._write(judge)

    def result_of(self, path: Path, state: State | None) -> dict[str, Any] | None:
        """The earlier result of a file that is still in this state; None if there is none, or only an error."""
        line = self._lines.get(str(path.absolute()))
        if line is None or state is None:
            return None
        row = json.loads(line)
        return row["result"] if row["state"] == state and "error" not in row["result"] else None

    def add(self, path: Path, state: State | None, result: dict[str, Any]) -> None:
        """Write one more result."""
        self._write({"file": str(path.absolute()), "state": state, "result": result})

    def close(self) -> None:
        """Write no more."""
        if self._stream is not None:
            with suppress(OSError):
                os.fsync(self._stream.fileno())
            self._stream.close()
            self._stream = None

    def _read(self, judge: dict[str, Any]) -> int:
        """Read what lies there; where in the file the last whole line ends."""
        end = 0
        with suppress(OSError, ValueError, KeyError, TypeError), self._path.open("rb") as stream:
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                row: dict[str, Any] = json.loads(line)
                if end == 0:
                    self.earlier = True if row == judge else None
                    if not self.earlier:
                        return 0
                else:
                    self._lines[row["file"]] = line
                end += len(line)
        return end

    def _write(self, row: dict[str, Any]) -> None:
        """Add a line; the first failure is kept in words, and ends the writing."""
        if self._stream is None:
            return
        try:
            line = json.dumps(row, allow_nan=False).encode() + b"\n"
            if self._stream.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if time.monotonic() - self._synced >= _SYNCED_EVERY:
                os.fsync(self._stream.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            self.trouble = str(write_error(self._path, error))
            self.close()
