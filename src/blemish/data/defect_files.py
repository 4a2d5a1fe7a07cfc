"""Generated photographs and their masks as PNG files, inside a folder that is a draft until it is complete."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from blemish.core.types import BoolArray, ByteArray


def write_image(path: Path, image: ByteArray) -> None:
    """Write a photograph, uint8 H x W x 3 RGB; a grey one gets one channel. Folders are made as needed."""
    grey = bool((image == image[..., :1]).all())
    _write_png(path, image[..., 0] if grey else image[..., ::-1])


def write_mask(path: Path, mask: BoolArray) -> None:
    """Write a mask, bool H x W, as 0 and 255."""
    _write_png(path, mask.astype(np.uint8) * np.uint8(255))


def _write_png(path: Path, pixels: ByteArray) -> None:
    # No atomic write per file: the whole folder is a draft until it is complete.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels, (cv2.IMWRITE_PNG_COMPRESSION, 1))[1].tobytes())
