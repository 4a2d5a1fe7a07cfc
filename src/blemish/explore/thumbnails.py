"""Small pictures of all photographs, kept in a temporary file: memory does not grow with their number."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from types import TracebackType

import cv2
import numpy as np

from blemish.core.pictures import encoded, fitted, uri_of
from blemish.core.same_photograph import SIGNATURE_SIDE
from blemish.core.types import ByteArray

THUMBNAIL_SIDE = 112
_QUALITY = 72


def thumbnail(image: ByteArray) -> bytes:
    """The photograph as a small JPEG file."""
    return encoded(fitted(image, THUMBNAIL_SIDE), ".jpg", _QUALITY)


class Thumbnails:
    """Thumbnails and signatures by number, on disk; to be closed, or used in a `with` statement."""

    def __init__(self) -> None:
        self._pictures = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        self._places: dict[int, tuple[int, int]] = {}
        self._signatures = tempfile.TemporaryFile()  # noqa: SIM115
        self._end = 0
        self.numbers: list[int] = []

    def add(self, number: int, picture: bytes, signature: ByteArray) -> None:
        """Keep the thumbnail and the signature of photograph `number`."""
        self._pictures.seek(self._end)
        self._pictures.write(picture)
        self._places[number] = (self._end, len(picture))
        self._end += len(picture)
        self._signatures.write(signature.tobytes())
        self.numbers.append(number)

    def __contains__(self, number: int) -> bool:
        return number in self._places

    def signatures(self) -> ByteArray:
        """All signatures in the order they were added: uint8, N x S x S, read from the file as needed."""
        shape = (len(self.numbers), SIGNATURE_SIDE, SIGNATURE_SIDE)
        if not self.numbers:
            return np.empty(shape, np.uint8)
        self._signatures.flush()
        return np.memmap(self._signatures, np.uint8, "r", shape=shape)

    def uri(self, number: int) -> str:
        """The thumbnail as a data URI."""
        return uri_of(self._content(number), ".jpg")

    def sheet(self, numbers: Sequence[int], side: int, columns: int) -> ByteArray:
        """Thumbnails side by side on one sheet, uint8 RGB: each in a square of `side` pixels, row by row."""
        rows = -(-len(numbers) // columns)
        sheet = np.zeros((max(rows, 1) * side, columns * side, 3), np.uint8)
        for place, number in enumerate(numbers):
            small = fitted(self._pixels(number), side)
            top = place // columns * side + (side - small.shape[0]) // 2
            left = place % columns * side + (side - small.shape[1]) // 2
            sheet[top : top + small.shape[0], left : left + small.shape[1]] = small
        return sheet

    def _pixels(self, number: int) -> ByteArray:
        content = np.frombuffer(self._content(number), np.uint8)
        pixels = np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)

    def _content(self, number: int) -> bytes:
        start, length = self._places[number]
        self._pictures.seek(start)
        return self._pictures.read(length)

    def close(self) -> None:
        """Delete the files."""
        self._pictures.close()
        self._signatures.close()

    def __enter__(self) -> Thumbnails:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
