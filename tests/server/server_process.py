"""`blemish serve` in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def start_server(home: Path, *options: object, page: bool = False) -> tuple[subprocess.Popen[str], str]:
    """The process, and the address at which it listens; whoever started it ends it."""
    command = [sys.executable, "-m", "blemish", "serve", "--json", "--port", "0", "--home", home]
    command += ["--page" if page else "--no-page", *options]
    process = subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    lines = []
    while (line := process.stdout.readline()) and line.rstrip() != "}":
        lines.append(line)
    assert line, f"the server has ended: {''.join(lines)}"
    return process, json.loads("".join(lines) + "}")["address"]
