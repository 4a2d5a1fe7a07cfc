"""What a process sets that is Blemish's own, and not a notebook's or a service's that imports it."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_M_ARENA_MAX = -8


def collect_seldom() -> None:
    """Look for unreachable cycles of objects after 20,000 new ones, not after 700.

    Torch, timm and scikit-learn make hundreds of thousands of objects when they are imported, and all of them stay.
    """
    gc.set_threshold(20_000, 10, 10)


def collect_often() -> None:
    """From now on, look for unreachable cycles after 1,000 new objects, and never again at what is there by now.

    For a process that runs for weeks, once it is ready: by `collect_seldom` some megabytes of what is unreachable
    would gather for half an hour, and a look at all that is there would hold up a verdict
    (https://docs.python.org/3/library/gc.html#gc.freeze).
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # so that it counts what is there anew, which decides when it looks at all of it
    gc.set_threshold(1_000, 10, 10)


def share_heaps(most: int = 2) -> None:
    """Let the threads of this process share so many heaps of glibc's, where that is the allocator; before they start.

    It gives each thread one of its own by itself, and what a thread has freed there no other can use: a station with
    twenty threads holds more, and its memory grows for longer (https://man7.org/linux/man-pages/man3/mallopt.3.html).
    """
    with suppress(OSError, AttributeError):  # another system, or another allocator
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, most)


def give_back_memory() -> None:
    """Give memory that is free inside glibc's heaps back to the system, where that is the allocator.

    By itself it gives back only what is free at their ends: what a burst has needed stays resident, and the bursts of
    weeks add up to what looks like a leak (https://man7.org/linux/man-pages/man3/malloc_trim.3.html).
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
