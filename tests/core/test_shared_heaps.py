"""The threads of a station share few heaps, so that its memory grows less."""

from __future__ import annotations

import subprocess
import sys

import pytest

COUNT = """
import ctypes, sys, threading
from blemish.core.own_process import share_heaps
if sys.argv[1] == "shared":
    share_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
together = threading.Barrier(12)
def allocate():
    together.wait()
    held = [libc.malloc(1000) for _ in range(200)]
    together.wait()
    for one in held:
        libc.free(one)
threads = [threading.Thread(target=allocate) for _ in range(12)]
for one in threads: one.start()
for one in threads: one.join()
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fdopen.restype = ctypes.c_void_p
libc.fflush.argtypes = [ctypes.c_void_p]
out = libc.fdopen(1, b"w")
libc.malloc_info(0, out)
libc.fflush(out)
"""


def heaps(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=False)
    if done.returncode or "<malloc" not in done.stdout:
        pytest.skip("the allocator is not glibc's")
    return done.stdout.count("<heap nr=")


def test_threads_share_two_heaps_where_a_station_asks_for_it() -> None:
    assert heaps("shared") <= 2 < heaps("as usual")
