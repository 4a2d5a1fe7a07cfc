"""The command line `blemish`, run as a user runs it: in a process of its own, its time and memory measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Finished:
    """A process that has ended.

    Attributes:
        status: exit status.
        stdout: all that it printed there.
        seconds: wall time from before its start to its end.
        peak_mib: largest resident memory of the process, in MiB.
    """

    status: int
    stdout: str
    seconds: float
    peak_mib: float

    @property
    def document(self) -> Any:
        """stdout as the JSON document that `--json` prints."""
        return json.loads(self.stdout)


def run_blemish(*arguments: object, cache: Path, allowed: tuple[int, ...] = (0,)) -> Finished:
    """Run `blemish ARGUMENTS` and wait for it; its progress goes to this process's stderr.

    Args:
        arguments: verb and options.
        cache: folder for its features; give an empty one, or what an earlier run has read costs nothing.
        allowed: exit statuses that are results.

    Raises:
        SystemExit: it ended with another status; what went wrong is on stderr already.
    """
    command = [sys.executable, "-m", "blemish", *map(str, arguments)]
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "BLEMISH_CACHE": str(cache)}
    ) as process:
        assert process.stdout is not None
        stdout = process.stdout.read()
        # Not `wait`: only this call says what this very process has used.
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
    seconds = time.perf_counter() - started
    if process.returncode not in allowed:
        sys.exit(f"blemish {' '.join(map(str, arguments))} ended with status {process.returncode}.")
    unit = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss is in bytes there, in KiB elsewhere
    return Finished(process.returncode, stdout, seconds, usage.ru_maxrss / unit)
