"""Small pictures of parts, of photographs that are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict

from blemish.core.errors import BlemishError, NotFoundError
from blemish.core.pictures import encoded, fitted
from blemish.server.reinspection import Reinspection
from blemish.station.image_store import ImageStore
from blemish.station.part_counts import PartCounts
from blemish.station.photograph import Photograph

MOST_SIDE = 480
"""Longer side of a picture, in pixels."""

_MOST_REMEMBERED = 200  # some 10 kB each


class PartPictures:
    """Pictures of parts, made when they are asked for and remembered; several threads may ask."""

    def __init__(self, counts: PartCounts, images: ImageStore, reinspection: Reinspection) -> None:
        self._counts, self._images, self._reinspection = counts, images, reinspection
        self._made: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._turn = threading.Semaphore(1)  # the other cores are the line's

    def picture(self, name: str, side: int = MOST_SIDE) -> tuple[str, bytes]:
        """The latest kept photograph of a part: its digest, and a JPEG of it whose longer side is at most `side`.

        Raises:
            NotFoundError: none of its latest photographs is kept.
        """
        latest = self._counts.latest([name]).get(name)
        if latest is None or latest.kept is None:
            raise NotFoundError(f"No photograph of {name} is kept: see the keep policy, or inspect one.")
        digest, suffix = latest.kept
        with self._lock:
            if found := self._made.get((digest, side)):
                self._made.move_to_end((digest, side))
                return digest, found
        with self._turn:
            photograph = Photograph(self._images.read(digest, suffix), name)
            try:
                pixels = self._reinspection.decoded(photograph)
            except BlemishError as error:
                raise NotFoundError(f"The latest kept photograph of {name} cannot be shown.") from error
            made = encoded(fitted(pixels, side), ".jpg", 80)
        with self._lock:
            self._made[digest, side] = made
            while len(self._made) > _MOST_REMEMBERED:
                self._made.popitem(last=False)
        return digest, made
