"""Standard input as a source: photographs one after another, or names of files, one a line."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from blemish.core.errors import ImageError
from blemish.core.file_names import escaped, shown
from blemish.core.image_files import read_content
from blemish.core.image_formats import FORMAT_SUFFIXES, image_format
from blemish.station.photograph import Photograph
from blemish.station.sources.arrival import Arrival, Known, SourceState, Tally
from blemish.station.sources.image_stream import ImageStream
from blemish.station.sources.settings import StandardInputSource

_AT_ONCE = 2**18  # bytes
_WAITING = 2
_LONGEST_NAME = 2**16  # bytes


class StandardInput:
    """Reads its own standard input; whoever writes into it waits while the station is busy.

    Args:
        settings: see there.
        descriptor: what is read; 0 is standard input.
    """

    def __init__(self, settings: StandardInputSource, descriptor: int = 0) -> None:
        self.name = settings.name
        self._settings, self._descriptor = settings, descriptor
        self._tally = Tally(settings.name)
        self._number = 0

    def state(self) -> SourceState:
        """How it fares now."""
        return self._tally.state()

    def arrivals(self, stop: threading.Event, known: Known) -> Iterator[Arrival]:
        """Photographs, to the end of the input; those of files have the key that a watched folder gives."""
        pieces: queue.Queue[bytes] = queue.Queue(_WAITING)
        ended = threading.Event()
        # On a thread of its own: a read of a pipe cannot be ended by anybody but the writer.
        threading.Thread(target=self._read, args=(pieces, ended), name=self.name, daemon=True).start()
        self._tally.connected()
        try:
            data = _first(pieces, stop)
            names = self._settings.content == "names" or (
                self._settings.content == "auto" and not data.startswith((b"\xff\xd8", b"\x89P"))
            )
            given = self._of_names if names else self._of_images
            yield from given(data, pieces, stop, known)
            self._tally.ended()
        finally:
            ended.set()

    def _read(self, pieces: queue.Queue[bytes], ended: threading.Event) -> None:
        while not ended.is_set():
            try:
                data = os.read(self._descriptor, _AT_ONCE)
            except OSError:
                data = b""
            while not ended.is_set():
                try:
                    pieces.put(data, timeout=0.5)
                    break
                except queue.Full:
                    continue
            if not data:
                return

    def _of_images(
        self, data: bytes, pieces: queue.Queue[bytes], stop: threading.Event, known: Known
    ) -> Iterator[Arrival]:
        stream = ImageStream(self._settings.max_bytes)
        refused = 0
        while data and not stop.is_set():
            for content in stream.feed(data):
                suffix = FORMAT_SUFFIXES[image_format(content) or "PNG"][0]
                self._number += 1
                file_name = f"{self.name}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{self._number:06d}{suffix}"
                self._tally.gave()
                yield Arrival(Photograph(content, file_name, self._settings.metadata.of_part()))
            refused = self._count_refused(stream, refused)
            data = _first(pieces, stop)
        stream.end()
        self._count_refused(stream, refused)

    def _count_refused(self, stream: ImageStream, before: int) -> int:
        for _ in range(stream.refused - before):
            self._tally.refused(
                "Some of standard input is no whole PNG or JPEG, or longer than max_bytes: write photographs one after "
                "another, as ffmpeg -f image2pipe -c:v png does."
            )
        return stream.refused

    def _of_names(
        self, data: bytes, pieces: queue.Queue[bytes], stop: threading.Event, known: Known
    ) -> Iterator[Arrival]:
        held = b""
        while not stop.is_set():
            *lines, held = (held + data).split(b"\n")
            if not data:
                lines, held = [held], b""
            for line in lines:
                if name := line.strip(b"\r\n"):
                    yield from self._of_file(Path(os.fsdecode(name)), known)
            if not data:
                return
            if len(held) > _LONGEST_NAME:
                self._tally.refused(
                    "A line of standard input is longer than any name: write one name a line."
                )
                held = b""
            data = _first(pieces, stop)

    def _of_file(self, path: Path, known: Known) -> Iterator[Arrival]:
        closed = time.monotonic()
        try:
            status = path.stat()
            key = f"{escaped(str(path.absolute()))}:{status.st_size}:{status.st_mtime_ns}"
            if known(key):
                return
            content = read_content(path, self._settings.max_bytes)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self._tally.refused(f"{shown(path)} cannot be read ({reason}): check the name.")
        except ImageError as error:
            self._tally.refused(shown(error))
        else:
            self._tally.connected()
            self._tally.gave()
            photograph = Photograph(content, escaped(path.name), self._settings.metadata.of_part())
            yield Arrival(photograph, key, path, closed)


def _first(pieces: queue.Queue[bytes], stop: threading.Event) -> bytes:
    """The next bytes; none at the end, or when `stop` is set."""
    while not stop.is_set():
        try:
            return pieces.get(timeout=0.2)
        except queue.Empty:
            continue
    return b""
