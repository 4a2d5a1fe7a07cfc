"""Pillow's settings of the whole process, held while a header is read."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

_LOCK = threading.RLock()


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Let Pillow read a header without a word on stderr, and without its own pixel limit: ours decides.

    Both are settings of the whole process, hence the lock; only headers (and a few TIFF files) are read under it.
    """
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before
