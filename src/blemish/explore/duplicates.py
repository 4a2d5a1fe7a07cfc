"""Near duplicates: the same photograph again, scaled, compressed, brightened or with other noise.

Parts under a fixed camera all look alike, so an ordinary perceptual hash calls every two of them duplicates.
Here the hash is of what sets a photograph apart: its fine structure minus the category's mean of it. Pairs
whose hashes agree are then compared by correlation.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import cv2
import numpy as np

from blemish.core.types import ByteArray, FloatArray
from blemish.data.copies import close_pairs

LEAST_CORRELATION = 0.985
"""Of fine structures: the same photograph scaled, compressed or brightened keeps 0.99; other parts of a kind
stay below 0.975 even where the camera never moves."""

_MOST_DIFFERENT_BITS = 12
_HASH_SIDE = 8
_BLOCK = 2048
_BLUR = 2.25
_FLAT = 1.0


def perceptual_hashes(structures: FloatArray) -> FloatArray:
    """Perceptual hash of each N x S x S fine structure: 64 signs, float32 N x 64 of -1 and 1.

    The signs of its lowest frequencies in the discrete cosine transform, as in the pHash of Zauner,
    "Implementation and benchmarking of perceptual image hash functions", 2010, but split at zero: the mean
    has been taken away.
    """
    hashes = np.empty((len(structures), _HASH_SIDE * _HASH_SIDE), np.float32)
    for index, structure in enumerate(structures):
        # A high-pass has little in its very first frequencies: the 8 x 8 after them are read.
        lowest = cv2.dct(structure)[2 : 2 + _HASH_SIDE, 2 : 2 + _HASH_SIDE]
        hashes[index] = np.where(lowest.ravel() > 0, 1, -1)
    return hashes


def near_duplicates(signatures: ByteArray, least: float = LEAST_CORRELATION) -> list[tuple[int, int, float]]:
    """Pairs of photographs that show the same thing to the pixel.

    All pairs of hashes are compared, by blocks: the time grows with the square of N (a few seconds for 100,000
    photographs), the memory does not.

    Args:
        signatures: N x S x S, uint8, all of one category; may lie in a file (`numpy.memmap`).
        least: correlation of the fine structures from which a pair is reported.

    Returns:
        (first, second, correlation) with first < second, sorted; exact copies are among them.
    """
    if len(signatures) < 2:
        return []
    mean = _mean_structure(signatures)
    found = [(perceptual_hashes(block), block.any(axis=(1, 2))) for block in _structures(signatures, mean)]
    # Where nothing sets a photograph apart, it correlates with none.
    some = np.flatnonzero(np.concatenate([apart for _, apart in found]))
    hashes = np.concatenate([hashed for hashed, _ in found])[some]

    @functools.lru_cache(maxsize=_BLOCK)
    def structure(index: int) -> FloatArray:
        return np.asarray(_fine(signatures[[index]])[0] - mean)

    pairs = []
    # Of vectors of signs the squared distance is four times the number of different ones.
    for one, other in close_pairs(hashes, 2 * _MOST_DIFFERENT_BITS**0.5):
        first, second = int(some[one]), int(some[other])
        correlation = _correlation(structure(first), structure(second))
        if correlation >= least:
            pairs.append((first, second, correlation))
    return sorted(pairs)


def _fine(signatures: ByteArray) -> FloatArray:
    """High-pass of each signature at unit spread, so that brightness and contrast do not matter."""
    fine = np.empty(signatures.shape, np.float32)
    for index, small in enumerate(signatures):
        pixels = small.astype(np.float32)
        pixels -= cv2.GaussianBlur(pixels, (0, 0), _BLUR)
        fine[index] = pixels / max(float(pixels.std()), _FLAT)
    return fine


def _mean_structure(signatures: ByteArray) -> FloatArray:
    """What all photographs of the category share; nothing can be told from few."""
    total = np.zeros(signatures.shape[1:], np.float64)
    for start in range(0, len(signatures), _BLOCK):
        total += _fine(signatures[start : start + _BLOCK]).sum(axis=0, dtype=np.float64)
    return (total / len(signatures)).astype(np.float32)


def _structures(signatures: ByteArray, mean: FloatArray) -> Iterator[FloatArray]:
    for start in range(0, len(signatures), _BLOCK):
        yield _fine(signatures[start : start + _BLOCK]) - mean


def _correlation(one: FloatArray, other: FloatArray) -> float:
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum() / length) if length > 0 else 0.0
