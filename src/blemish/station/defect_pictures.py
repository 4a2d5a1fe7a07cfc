"""Photographs of past defects, wherever they are kept."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from blemish.core.errors import ImageError
from blemish.core.image_files import is_photograph
from blemish.core.image_formats import IMAGE_SUFFIXES
from blemish.core.images import DEFAULT_LIMITS, decode_image
from blemish.core.types import ByteArray
from blemish.gallery.defect import Defect
from blemish.station.image_store import ImageStore


def close_picture(defect: Defect, images: ImageStore) -> ByteArray | None:
    """What is most anomalous on a defect's photograph, and around it, uint8 RGB; all of it where no place is known.

    None where the photograph is neither kept nor in the folder from which it was indexed. A file there is shown only if
    its digest is the defect's: a gallery may be a stranger's, and is no way to read another file.
    """
    content = _kept(defect, images) or _indexed(defect)
    if content is None:
        return None
    try:
        image = decode_image(content, defect.name)
    except ImageError:
        return None
    if defect.view is None:
        return image
    left, top, side = defect.view
    close = image[max(0, top) : max(0, top) + side, max(0, left) : max(0, left) + side]
    return np.ascontiguousarray(close) if close.size else image


def _kept(defect: Defect, images: ImageStore) -> bytes | None:
    places = (images.path(defect.image_digest, suffix) for suffix in sorted(IMAGE_SUFFIXES))
    with suppress(OSError):  # removed meanwhile
        return next((place.read_bytes() for place in places if place is not None), None)
    return None


def _indexed(defect: Defect) -> bytes | None:
    with suppress(OSError, ValueError):
        path = Path(defect.path or "")
        if path.is_file() and is_photograph(path):
            with path.open("rb") as stream:
                content = stream.read(DEFAULT_LIMITS.max_bytes + 1)
            if hashlib.sha256(content).hexdigest() == defect.image_digest:
                return content
    return None
