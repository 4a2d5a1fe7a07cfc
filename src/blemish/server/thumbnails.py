"""Small pictures of photographs for lists: made when first asked for, and kept in the home within bounds."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from blemish.core.images import DecodeLimits, decode_photograph
from blemish.core.pictures import encoded, fitted
from blemish.station.bounded_files import BoundedFiles
from blemish.station.image_store import ImageStore
from blemish.station.records import InspectionRecord

SIDE = 160
"""Pixels of the longer side, at most."""

MOST_BYTES = 200_000_000
_QUALITY = 80
_END_OF_JPEG = b"\xff\xd9"

logger = logging.getLogger("blemish.server")


class Thumbnails:
    """JPEG files by the digests of their photographs; one at a time is made, so that the line keeps its cores.

    Args:
        folder: of the cache.
        limits: of photographs that are decoded.
    """

    def __init__(self, folder: Path, limits: DecodeLimits) -> None:
        self._files, self._limits = BoundedFiles(folder, MOST_BYTES), limits
        self._turn = threading.Semaphore(1)

    def of(self, record: InspectionRecord, images: ImageStore) -> bytes:
        """The thumbnail of a record's photograph, as the bytes of a JPEG file.

        Raises:
            NotFoundError: the photograph is neither kept nor held.
            ImageError: it cannot be used.
        """
        digest = record.image_digest
        if (known := self._known(digest)) is not None:
            return known
        with self._turn:
            if (known := self._known(digest)) is not None:
                return known
            content = images.read(digest, record.image_suffix)
            # JPEG is decoded at a reduced scale where that is enough.
            found = decode_photograph(content, record.file_name, self._limits, least=(SIDE, SIDE))
            made = encoded(fitted(found.pixels, SIDE), ".jpg", _QUALITY)
        try:
            self._files.put(digest, ".jpg", made)
        except OSError as error:  # a full disk; the picture is made again next time
            logger.warning("A thumbnail cannot be kept: %s", error.strerror)
        return made

    def remove(self, digest: str) -> None:
        """Delete the thumbnail of a photograph that is kept no longer."""
        self._files.remove(digest)

    def _known(self, digest: str) -> bytes | None:
        content = self._files.read(digest)
        return content if content is not None and content.endswith(_END_OF_JPEG) else None
