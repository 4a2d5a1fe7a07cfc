"""Barcodes and QR codes on photographs, within a bounded time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Literal

import cv2
import numpy as np

from blemish.core.types import ByteArray
from blemish.station.metadata.text_pattern import MOST_CHARACTERS

CodeKind = Literal["qr", "barcode"]

_FIRST_SIDE = 1200
"""Pixels: large codes are found on a photograph shrunk to this, in a fraction of the time."""


class CodeReader:
    """Reads codes in a thread of its own: whoever asks waits for a bounded time, whatever the photograph is like.

    What takes longer goes on to its end, and meanwhile photographs have no codes: reading never falls behind.

    Args:
        kinds: of codes that are looked for.
        seconds: that a photograph may take.
        region: left, top, width, height in pixels of where codes can be; all of the photograph where None.

    Attributes:
        late: photographs that took too long, or came while one did.
    """

    def __init__(
        self,
        kinds: Sequence[CodeKind],
        seconds: float,
        region: tuple[int, int, int, int] | None = None,
    ) -> None:
        self._seconds, self._region = seconds, region
        self._readers = [_reader(kind) for kind in kinds]
        self._worker = ThreadPoolExecutor(1, "codes")
        self._busy = threading.Semaphore(1)
        self.late = 0

    def texts(self, pixels: ByteArray, enough: Callable[[Sequence[str]], bool] = bool) -> tuple[str, ...]:
        """Texts of the codes on a photograph, each once; none where there are none, or it takes too long.

        Args:
            pixels: uint8, H x W or H x W x 3 RGB.
            enough: whether what was found is all that is wanted, so that nobody looks closer.
        """
        if not self._busy.acquire(blocking=False):
            self.late += 1
            return ()
        found: list[str] = []
        until = time.monotonic() + self._seconds
        work: Future[bool] = self._worker.submit(self._read, pixels, enough, until, found)
        work.add_done_callback(lambda _: self._busy.release())
        try:
            self.late += not work.result(self._seconds)
        except FutureTimeoutError:
            self.late += 1
        return tuple(found)

    def close(self) -> None:
        """Take no more photographs."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _read(
        self, pixels: ByteArray, enough: Callable[[Sequence[str]], bool], until: float, found: list[str]
    ) -> bool:
        """Whether there was time for all that was to be done."""
        for grey in _looks(_grey(pixels, self._region)):
            for reader in self._readers:
                if time.monotonic() >= until:
                    return False
                found += [text for text in _texts(reader, grey) if text not in found]
                if enough(found):
                    return True
        return True


def _reader(kind: CodeKind) -> Any:
    return cv2.barcode.BarcodeDetector() if kind == "barcode" else cv2.QRCodeDetectorAruco()


def _grey(pixels: ByteArray, region: tuple[int, int, int, int] | None) -> ByteArray:
    if region is not None:
        left, top, width, height = region
        pixels = pixels[top : top + height, left : left + width]
    grey = pixels if pixels.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    return np.ascontiguousarray(grey, np.uint8)


def _looks(grey: ByteArray) -> Iterator[ByteArray]:
    """The photograph small, if it is large, and as it is."""
    height, width = grey.shape
    if not grey.size:
        return
    scale = _FIRST_SIDE / max(height, width)
    if scale < 0.75:
        size = max(1, round(scale * width)), max(1, round(scale * height))
        yield np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    yield grey


def _texts(reader: Any, grey: ByteArray) -> list[str]:
    """What a detector reads; a photograph at which it fails has no codes."""
    try:
        _, texts, *_ = reader.detectAndDecodeMulti(grey)
    except (cv2.error, UnicodeDecodeError):
        return []
    return [text for text in texts if 0 < len(text) <= MOST_CHARACTERS]
