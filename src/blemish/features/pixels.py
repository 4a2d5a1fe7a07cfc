"""Photographs at a network's input size, kept on disk: decoded once, however many epochs or detectors read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from blemish.core.images import DEFAULT_LIMITS, decode_image, read_content
from blemish.core.preprocessing import Preprocessing, resize
from blemish.core.settings import cache_folder
from blemish.core.types import ByteArray
from blemish.features.cache import FeatureCache
from blemish.features.digests import digest_of, known_digest


class PixelCache:
    """Resized photographs by content, size, filter and bit depth.

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
            image = decode_image(content, str(path), bit_depth=contract.bit_depth)
            known = self.put(digest, image, contract)
        return known

    def get(self, digest: str, contract: Preprocessing) -> ByteArray | None:
        """The resized photograph whose file has this SHA-256, if it is kept."""
        shape = (contract.height, contract.width, 3)
        words = -(-int(np.prod(shape)) // 4)
        found = self._cache.get(_key(digest, contract), words)
        return None if found is None else found.view(np.uint8)[: int(np.prod(shape))].reshape(shape)

    def put(self, digest: str, image: ByteArray, contract: Preprocessing) -> ByteArray:
        """Resize a decoded photograph, keep it, and return it resized."""
        resized = np.ascontiguousarray(resize(image, contract))
        flat = resized.ravel()
        padded = np.pad(flat, (0, -flat.size % 4))
        self._cache.put(_key(digest, contract), padded.view(np.float32))
        return resized


def _key(digest: str, contract: Preprocessing) -> str:
    """What resized pixels depend on; mean and spread come later."""
    return f"{digest}|{contract.height}|{contract.width}|{contract.interpolation}|{contract.bit_depth}"
