"""Instructions that a command executes, counted by Valgrind: the same on a busy machine as on an idle one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_COUNTED = re.compile(r"I\s+refs:\s+([\d,]+)")


def can_count() -> bool:
    """Whether Valgrind is installed."""
    return shutil.which("valgrind") is not None


def instructions(command: Sequence[str], environment: dict[str, str], folder: Path) -> int:
    """Instructions of a command, hash seeds fixed; what its children execute is not in it.

    Raises:
        SystemExit: the command fails, or Valgrind says no count.
    """
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    done = subprocess.run(
        [*valgrind, *command],
        env={**os.environ, **environment, "PYTHONHASHSEED": "0"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found = _COUNTED.search(done.stderr)
    if done.returncode or found is None:
        raise SystemExit(f"{' '.join(command)} could not be counted:\n{done.stderr[-2000:]}")
    return int(found[1].replace(",", ""))
