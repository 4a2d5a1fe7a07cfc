"""A folder of photographs that show different things, and grows by what is new."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePath

import cv2
import numpy as np

from blemish.core.errors import BlemishError, ImageError
from blemish.core.file_names import shown
from blemish.core.image_files import list_images, read_content
from blemish.core.image_formats import FORMAT_SUFFIXES, image_format
from blemish.core.images import DEFAULT_LIMITS, decode_photograph
from blemish.core.progress import track
from blemish.core.same_photograph import SIGNATURE_SIDE, preview, same_picture, signature
from blemish.core.storage import write_bytes, write_error
from blemish.core.types import ByteArray, FloatArray
from blemish.station.photograph import Photograph

_ENOUGH = (384, 384)  # pixels for what is compared; JPEG is decoded no larger than twice that
_MOST_PREVIEWS = 512  # kept in memory, 36 kB each


class KeptPhotographs:
    """The photographs in a folder, and how each looks.

    Two are alike where their small grey pictures differ by no more than some grey levels, by the measure of
    `blemish.core.same_photograph`. The smallest pictures of all are in memory; those that come near are compared
    at a larger size.

    Args:
        folder: where they lie; made if it is not there. What lies there is read.
        novelty: grey levels by which a new one must differ from each; 0 keeps all but copies to the byte.

    Raises:
        BlemishError: the folder cannot be made or read.
    """

    def __init__(self, folder: Path, novelty: float) -> None:
        self._folder, self._novelty = folder, novelty
        self._paths: list[Path] = []
        self._digests: set[bytes] = set()
        self._looks: FloatArray = np.empty((64, SIGNATURE_SIDE * SIGNATURE_SIDE), np.float32)
        self._previews: dict[int, ByteArray] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(folder, error) from error
        for path in track(list_images(folder, recursive=False), f"Reading {shown(folder)}"):
            try:
                content = read_content(path, DEFAULT_LIMITS.max_bytes)
                self._remember(path, content, self._picture(content, str(path)))
            except ImageError:
                continue  # what lies there and cannot be read is like nothing

    def __len__(self) -> int:
        return len(self._paths)

    def add(self, photograph: Photograph) -> bool:
        """Keep a photograph unless one that shows the same is kept; whether it is kept now.

        Raises:
            ImageError: it cannot be read.
            BlemishError: it cannot be written.
        """
        content = photograph.content
        if hashlib.sha256(content).digest() in self._digests:
            return False
        picture = self._picture(content, photograph.file_name)
        if self._novelty and self._is_alike(picture):
            return False
        path = self._free(photograph)
        write_bytes(path, content)
        self._remember(path, content, picture)
        return True

    def _picture(self, content: bytes, name: str) -> ByteArray:
        """The pixels that are compared, uint8 RGB."""
        return decode_photograph(content, name, least=_ENOUGH).pixels

    def _is_alike(self, picture: ByteArray) -> bool:
        distances = np.sqrt(np.mean(np.square(self._looks[: len(self)] - _look(picture)), axis=1))
        near = np.flatnonzero(distances <= self._novelty)
        if not near.size:
            return False
        small = preview(picture)
        return any(
            same_picture(small, self._preview(int(place)), self._novelty)
            for place in near[np.argsort(distances[near])]
        )

    def _remember(self, path: Path, content: bytes, picture: ByteArray) -> None:
        place = len(self)
        if place == len(self._looks):
            self._looks = np.concatenate([self._looks, np.empty_like(self._looks)])
        self._looks[place] = _look(picture)
        self._digests.add(hashlib.sha256(content).digest())
        self._paths.append(path)
        self._hold(place, preview(picture))

    def _preview(self, place: int) -> ByteArray:
        if place not in self._previews:
            path = self._paths[place]
            content = read_content(path, DEFAULT_LIMITS.max_bytes)
            self._hold(place, preview(self._picture(content, str(path))))
        return self._previews[place]

    def _hold(self, place: int, small: ByteArray) -> None:
        self._previews[place] = small
        if len(self._previews) > _MOST_PREVIEWS:
            del self._previews[next(iter(self._previews))]

    def _free(self, photograph: Photograph) -> Path:
        """A name for it in the folder: the sender's own, with a number where that is taken."""
        kind = image_format(photograph.content)
        if kind is None:
            raise BlemishError(
                f"{shown(photograph.file_name)} is no photograph that can be read: leave it out."
            )
        name = PurePath(photograph.file_name)
        own = name.suffix.lower()
        suffix = own if own in FORMAT_SUFFIXES[kind] else FORMAT_SUFFIXES[kind][0]
        path = self._folder / f"{name.stem}{suffix}"
        number = 1
        while path.exists():
            path = self._folder / f"{name.stem}-{number}{suffix}"
            number += 1
        return path


def _look(picture: ByteArray) -> FloatArray:
    """The smallest picture as a vector, smoothed, for sizes that differ are sampled at different places."""
    smooth = cv2.GaussianBlur(signature(picture).astype(np.float32), (0, 0), 1.0)
    return np.asarray(smooth.reshape(-1), np.float32)
