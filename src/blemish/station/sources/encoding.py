"""A frame as the file that is judged, kept and told by its digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from blemish.core.errors import BlemishError

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Encoding:
    """How frames become files.

    Attributes:
        kind: png, which loses nothing, or jpeg.
        quality: of jpeg, 50 to 100; from 90 its colours have all their places (4:4:4).
    """

    kind: Literal["png", "jpeg"] = "png"
    quality: int = 95

    @property
    def suffix(self) -> str:
        """Of the file's name."""
        return ".jpg" if self.kind == "jpeg" else ".png"

    def of(self, pixels: Pixels) -> bytes:
        """The file of a frame: H x W (grey) or H x W x 3 (blue, green, red), uint8, or uint16 as PNG alone.

        Raises:
            BlemishError: the pixels do not fit the kind.
        """
        import cv2

        if self.kind == "jpeg" and pixels.dtype != np.uint8:
            raise BlemishError(
                'The camera delivers more than 8 bits, which JPEG cannot hold: choose encoding = "png", or another '
                "PixelFormat."
            )
        settings = [cv2.IMWRITE_PNG_COMPRESSION, 1]
        if self.kind == "jpeg":
            colours = 0x111111 if self.quality >= 90 else 0x221111
            settings = [cv2.IMWRITE_JPEG_QUALITY, self.quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, colours]
        try:
            done, content = cv2.imencode(self.suffix, np.ascontiguousarray(pixels), settings)
        except cv2.error:
            done = False
        if not done:
            raise BlemishError(
                f"A frame of {pixels.shape[1]} x {pixels.shape[0]} pixels cannot be written as {self.kind}: choose "
                "another encoding."
            )
        return bytes(content)


@dataclass(frozen=True)
class Frame:
    """A frame of a camera or a video.

    Attributes:
        pixels: H x W (grey) or H x W x 3 (blue, green, red), uint8 or uint16.
        moment: `time.monotonic()` when it was read; of a video file the second in it.
        number: of the frame since the start of its connection or file, from 0.
    """

    pixels: Pixels = field(repr=False)
    moment: float
    number: int
