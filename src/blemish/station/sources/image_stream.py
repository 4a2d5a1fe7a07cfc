"""Photographs one after another in one stream of bytes, taken apart where each ends."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_END_CHUNK = b"IEND"
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers of JPEG without a length: TEM, RST0 to RST7
_MOST_PADDING = 8


class ImageStream:
    """Takes a stream of PNG and JPEG files apart: `feed` it bytes, take what is whole.

    Where the bytes are none of either, what follows is sought for the next beginning of one.

    Args:
        max_bytes: of one photograph; a longer one is passed over.

    Attributes:
        refused: how many stretches of the stream were no photograph, or too long.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = bytearray()
        self._at = 0  # how far the photograph that begins in front is known
        self._in_scan = self._lost = False
        self.refused = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The photographs that are whole with these bytes."""
        self._held += data
        while self._begin():
            end = self._end_of_png() if self._held.startswith(_PNG) else self._end_of_jpeg()
            if end is None:
                if len(self._held) > self._max_bytes:
                    self._skip()
                    continue
                return
            if end < 0 or end > self._max_bytes:
                self._skip()
                continue
            yield bytes(self._held[:end])
            self._take(end)

    def end(self) -> None:
        """The stream is over: what is left is no whole photograph."""
        if self._held.strip(b"\0\r\n \t") and not self._lost:
            self.refused += 1
        self._held.clear()

    def _begin(self) -> bool:
        """Whether a photograph begins in front, after what is none was taken away."""
        if self._held.startswith((_PNG, _JPEG)):
            self._lost = False
            return True
        places = [place for start in (_PNG, _JPEG) if (place := self._held.find(start)) >= 0]
        # The last bytes may be the first of a beginning.
        gone = min(places) if places else max(0, len(self._held) - len(_PNG) + 1)
        if gone > _MOST_PADDING and self._held[:gone].strip(b"\0\r\n \t") and not self._lost:
            self._lost = True
            self.refused += 1
        if gone:
            self._take(gone)
        if places:
            self._lost = False
        return bool(places)

    def _skip(self) -> None:
        """Give up what begins in front."""
        self.refused += 1
        self._lost = True
        self._take(len(_JPEG))

    def _take(self, count: int) -> None:
        del self._held[:count]
        self._at, self._in_scan = 0, False

    def _end_of_png(self) -> int | None:
        """Where the file in front ends; None where that has not come yet."""
        at = self._at or len(_PNG)
        while at + 8 <= len(self._held):
            (length,) = struct.unpack_from(">I", self._held, at)
            if length > self._max_bytes:
                return -1
            end = at + 12 + length
            if self._held[at + 4 : at + 8] == _END_CHUNK:
                return end if end <= len(self._held) else None
            self._at = at
            if end > len(self._held):
                return None
            at = self._at = end
        return None

    def _end_of_jpeg(self) -> int | None:
        """Where the file in front ends: segments are skipped by their lengths, for one may hold a thumbnail."""
        held, at = self._held, self._at or 2
        while True:
            if self._in_scan:
                found = self._next_marker(at)
                if found is None:
                    return None
                at, self._in_scan = found, False
            if held[at : at + 2] == b"\xff\xd9":
                return at + 2
            if at + 4 > len(held):
                return None
            if held[at] != 0xFF:
                return -1
            marker = held[at + 1]
            if marker == 0xFF:
                at += 1
            elif marker in _ALONE:
                at += 2
            else:
                end = at + 2 + int.from_bytes(held[at + 2 : at + 4], "big")
                if end > len(held):
                    return None
                self._in_scan = marker == 0xDA
                at = end
            self._at = at

    def _next_marker(self, at: int) -> int | None:
        """The next marker in the data of a scan, neither a stuffed byte nor a restart; None if it has not come."""
        while True:
            place = self._held.find(b"\xff", at)
            if place < 0 or place + 1 >= len(self._held):
                self._at = len(self._held) if place < 0 else place
                return None
            following = self._held[place + 1]
            if following != 0 and not 0xD0 <= following <= 0xD7:
                self._at = place
                return place
            at = place + 2
