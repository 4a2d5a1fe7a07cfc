"""Memory of large tensors that is kept between the steps of a training."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of mallopt(3) in glibc.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_LARGEST_THRESHOLD = 32 * 2**20  # the threshold that glibc itself moves up to
_KEPT = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * 2**20}
_USUAL = {
    _MMAP_MAX: 65536,
    _MMAP_THRESHOLD: _LARGEST_THRESHOLD,
    _TRIM_THRESHOLD: 2 * _LARGEST_THRESHOLD,
    _TOP_PAD: 128 * 2**10,
}


@contextmanager
def large_blocks_kept() -> Iterator[None]:
    """Inside, blocks of memory over 32 MB that are freed are used again, as smaller ones always are.

    glibc gives them back to the system, which hands them out anew page by page, filled with zeros: over a third of the
    time of a step where activations are large. Afterwards all that is free is given back. Elsewhere it does nothing.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "mallopt") or not hasattr(libc, "malloc_trim"):
        yield
        return
    _set(libc, _KEPT)
    try:
        yield
    finally:
        _set(libc, _USUAL)
        libc.malloc_trim(0)


def _set(libc: ctypes.CDLL, values: dict[int, int]) -> None:
    for parameter, value in values.items():
        libc.mallopt(parameter, value)
