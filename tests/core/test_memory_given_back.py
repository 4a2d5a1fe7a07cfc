"""What a burst has needed goes back to the system, though something small lies behind it."""

from __future__ import annotations

import subprocess
import sys

import pytest

BURST = """
import os
from blemish.core.own_process import give_back_memory
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
burst, kept = [], []
for _ in range(50):
    burst += [b"x" * 100_000 for _ in range(20)]
    kept.append(bytes(1_000))
full = resident()
del burst
freed = resident()
give_back_memory()
print(full - freed, freed - resident())
"""


def test_free_memory_between_what_is_used_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", BURST], capture_output=True, text=True, check=False)
    if "statm" in done.stderr:
        pytest.skip("resident memory is told on Linux only")
    by_itself, given_back = map(int, done.stdout.split())
    if by_itself > 90e6:
        pytest.skip("the allocator is not glibc's: it gives back by itself")
    assert by_itself + given_back > 90e6
