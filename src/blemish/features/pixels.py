"""Photographs at a network's input size, kept on disk: decoded once, however many epochs or detectors read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from blemish.core.ahead import look_ahead
from blemish.core.errors import ImageError
from blemish.core.images import DEFAULT_LIMITS, decode_image, pixel_digest, read_content
from blemish.core.settings import cache_folder
from blemish.core.types import ByteArray, FloatArray
from blemish.features.cache import FeatureCache
from blemish.features.digests import digest_of, known_digest
from blemish.line.photograph_measures import COLUMNS, VERSION
from blemish.view.preprocessing import Preprocessing, look
from blemish.view.reading import open_photograph

_DIGEST_WORDS = 8
"""A SHA-256 as floats of four bytes."""


class PixelCache:
    """Resized photographs by content, size, filter and bit depth; and digests of the pixels that files hold.

    Entries lie in a `FeatureCache` of their own, four bytes in the place of a float: bounded, checked when read, and
    never a reason to fail.
    """

    def __init__(self, cache: FeatureCache | None = None) -> None:
        self._cache = FeatureCache(cache_folder() / "pixels") if cache is None else cache

    @property
    def limit_bytes(self) -> int:
        """Most bytes kept."""
        return self._cache.limit_bytes

    def read(self, path: Path, contract: Preprocessing) -> ByteArray:
        """The photograph as the contract resizes it: uint8 RGB, height x width x 3.

        Raises:
            ImageError: the file cannot be read.
        """
        digest = known_digest(path)
        known = None if digest is None else self.get(digest, contract)
        if digest is None or known is None:
            content = read_content(path, DEFAULT_LIMITS.max_bytes)
            digest = digest_of(path, content)
            known = self.get(digest, contract)
        if known is None:
            image = open_photograph(content, str(path), contract).pixels
            known = self.put(digest, image, contract)
        return known

    def get(self, digest: str, contract: Preprocessing) -> ByteArray | None:
        """The resized photograph whose file has this SHA-256, if it is kept."""
        shape = (contract.height, contract.width, 3)
        words = -(-int(np.prod(shape)) // 4)
        found = self._cache.get(f"{digest}|{contract.picture_key}", words)
        return None if found is None else found.view(np.uint8)[: int(np.prod(shape))].reshape(shape)

    def put(self, digest: str, image: ByteArray, contract: Preprocessing) -> ByteArray:
        """Resize a decoded photograph, keep it, and return it resized."""
        resized = np.ascontiguousarray(look(image, contract).picture)
        flat = resized.ravel()
        padded = np.pad(flat, (0, -flat.size % 4))
        self._cache.put(f"{digest}|{contract.picture_key}", padded.view(np.float32))
        return resized

    def content(self, digest: str, bit_depth: int) -> str | None:
        """`pixel_digest` of the photograph whose file has this SHA-256, if it is kept."""
        found = self._cache.get(_content_key(digest, bit_depth), _DIGEST_WORDS)
        return None if found is None else found.tobytes().hex()

    def put_content(self, digest: str, image: ByteArray, bit_depth: int) -> str:
        """Keep the `pixel_digest` of a decoded photograph, and return it."""
        content = pixel_digest(image)
        words = np.frombuffer(bytes.fromhex(content), np.float32)
        self._cache.put(_content_key(digest, bit_depth), words)
        return content

    def measures(self, digest: str, picture_key: str) -> FloatArray | None:
        """Measures (`blemish.line.photograph_measures`) of a picture of the photograph whose file has this SHA-256, if
        they are kept."""
        return self._cache.get(f"{digest}|photograph measures {VERSION}|{picture_key}", COLUMNS)

    def put_measures(self, digest: str, picture_key: str, measures: FloatArray) -> None:
        """Keep the measures of a picture of a photograph."""
        self._cache.put(f"{digest}|photograph measures {VERSION}|{picture_key}", measures)


def contents_of(paths: Sequence[Path], bit_depth: int, pixels: PixelCache) -> dict[Path, str]:
    """`pixel_digest` of photographs, each decoded once in the life of the cache; those that cannot be read have none.

    Args:
        paths: the files.
        bit_depth: bits that 16-bit photographs really use.
        pixels: where digests are kept.
    """
    found: dict[Path, str] = {}
    for path, content in zip(
        paths, look_ahead(lambda path: _content_of(path, bit_depth, pixels), paths), strict=True
    ):
        if content is not None:
            found[path] = content
    return found


def _content_of(path: Path, bit_depth: int, pixels: PixelCache) -> str | None:
    digest = known_digest(path)
    known = None if digest is None else pixels.content(digest, bit_depth)
    if known is not None:
        return known
    try:
        file = read_content(path, DEFAULT_LIMITS.max_bytes)
        digest = digest_of(path, file)
        known = pixels.content(digest, bit_depth)
        if known is not None:
            return known
        return pixels.put_content(digest, decode_image(file, str(path), bit_depth=bit_depth), bit_depth)
    except ImageError:
        return None


def _content_key(digest: str, bit_depth: int) -> str:
    return f"{digest}|content|{bit_depth}"
