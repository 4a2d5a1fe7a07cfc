"""Documents one a line in a file: appended and synced, begun anew by size and by day, mended after a crash."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from blemish.core.errors import MissingExtraError
from blemish.station.signals.settings import JsonLinesSink
from blemish.station.signals.signal import Signal
from blemish.station.signals.sink import SinkError

_TAIL_BYTES = 2**20  # longer than any line


class JsonLines:
    """The sink; see `JsonLinesSink` for its settings."""

    def __init__(self, settings: JsonLinesSink) -> None:
        self.name = settings.name
        self._settings = settings
        self._path = Path(settings.file).expanduser()
        self._stream: int | None = None
        self._lock: int | None = None
        self._size = 0
        self._day = ""

    def open(self) -> None:
        """Lock the file for this station alone, mend its last line, and go on behind it."""
        self.close()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._hold()
            self._begin()
        except OSError as error:
            self.close()
            raise self._error(error) from error

    def send(self, signals: Sequence[Signal]) -> None:
        """Append lines; they are on the disk when it returns."""
        lines = b"".join(signal.to_bytes() + b"\n" for signal in signals)
        try:
            if self._is_full(len(lines)):
                self._rotate()
            self._append(lines)
        except OSError as error:
            raise self._error(error) from error

    def check(self) -> None:
        """Notice that somebody has moved the file away, and begin a new one."""
        try:
            if not self._path.exists():
                self._begin()
        except OSError as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Close the file, and let others have it."""
        for descriptor in (self._stream, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._stream = self._lock = None

    def _hold(self) -> None:
        try:
            import portalocker
        except ModuleNotFoundError as error:
            raise MissingExtraError("A station", "station") from error
        path = self._path.with_name(f".{self._path.name}.lock")
        self._lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            portalocker.lock(self._lock, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.LockException as error:
            raise SinkError(
                f"{self._path} is written by another station: give the sink {self.name} a file of its own."
            ) from error

    def _begin(self) -> None:
        """Open the file for appending, without what a crash has left of a last line."""
        if self._stream is not None:
            os.close(self._stream)
            self._stream = None
        self._stream = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        self._size = _mend(self._stream)
        os.lseek(self._stream, self._size, os.SEEK_SET)
        written = datetime.fromtimestamp(os.fstat(self._stream).st_mtime, UTC)
        self._day = f"{written if self._size else datetime.now(UTC):%Y%m%d}"

    def _append(self, lines: bytes) -> None:
        assert self._stream is not None
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(self._stream, rest) :]
            os.fsync(self._stream)
        except OSError:
            # Half a line, as on a full disk, must not stand before the next one.
            os.ftruncate(self._stream, self._size)
            os.lseek(self._stream, self._size, os.SEEK_SET)
            raise
        self._size += len(lines)

    def _is_full(self, more: int) -> bool:
        if not self._size:
            self._day = f"{datetime.now(UTC):%Y%m%d}"
            return False
        limit = 1e6 * self._settings.megabytes
        if limit and self._size + more > limit:
            return True
        return self._settings.daily and f"{datetime.now(UTC):%Y%m%d}" != self._day

    def _rotate(self) -> None:
        """Give the full file a name with the day that it is of and a number, begin a new one, and let the oldest go."""
        taken = [number for day, number, _ in self._full_files() if day == self._day]
        number = max(taken, default=0) + 1
        self._path.rename(
            self._path.with_name(f"{self._path.stem}-{self._day}-{number:04d}{self._path.suffix}")
        )
        self._begin()
        keep = self._settings.keep
        if keep:
            for _, _, path in sorted(self._full_files())[:-keep]:
                path.unlink(missing_ok=True)

    def _full_files(self) -> list[tuple[str, int, Path]]:
        """Days, numbers and places of the files that are full."""
        found = []
        start = f"{self._path.stem}-"
        for path in self._path.parent.iterdir():
            if path.suffix != self._path.suffix or not path.stem.startswith(start):
                continue
            day, _, number = path.stem.removeprefix(start).partition("-")
            if len(day) == 8 and day.isdecimal() and number.isdecimal():
                found.append((day, int(number), path))
        return found

    def _error(self, error: OSError) -> SinkError:
        if error.errno == errno.ENOSPC:
            return SinkError(f"{self._path} cannot be written because the disk is full: free some space.")
        reason = (error.strerror or str(error)).lower()
        return SinkError(
            f"{self._path} cannot be written ({reason}): check the folder of the sink {self.name}."
        )


def _mend(stream: int) -> int:
    """Cut off what stands behind the last line's end, and return the size; a whole document gets its line's end.

    A signal whose line was torn has not been acknowledged, so it is sent once more.
    """
    size = os.fstat(stream).st_size
    tail = os.pread(stream, min(size, _TAIL_BYTES), max(0, size - _TAIL_BYTES))
    torn = tail.rpartition(b"\n")[2]
    if not torn:
        return size
    try:
        is_whole = isinstance(json.loads(torn), dict)
    except ValueError:
        is_whole = False
    if is_whole:
        os.pwrite(stream, b"\n", size)
        return size + 1
    size -= len(torn)
    os.ftruncate(stream, size)
    return size
