"""What Blemish and its libraries do stays on the machine: no address is asked for, nothing is left in the home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# Says which addresses are looked up or connected to; what is forked off says so as well.
OVERHEARD = """
import os, sys

def overhear(event, arguments):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(arguments[1], tuple)):
        host = arguments[0] if event == "socket.getaddrinfo" else arguments[1][0]
        os.write(2, f"asked for: {host}\\n".encode())

sys.addaudithook(overhear)
"""
RUN = OVERHEARD + "from blemish.cli.main import main\nmain(sys.argv[1:])\n"


def asked_for(code: str, home: Path, *arguments: object) -> set[str]:
    """The addresses that a process asks for, whose home is this empty folder."""
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "HOME": str(home), "USERPROFILE": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    return {line for line in done.stderr.splitlines() if line.startswith("asked for: ")}


def test_what_is_asked_for_would_be_overheard(tmp_path: Path) -> None:
    code = (
        OVERHEARD
        + "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 9), .01)\nexcept OSError:\n    pass"
    )
    assert asked_for(code, tmp_path / "home") == {"asked for: 192.0.2.1"}


def test_the_daily_work_asks_nobody_and_leaves_nothing_in_the_home(
    washers: Path, fitted: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    pictures = washers / "test" / "good"
    for arguments in (
        ("fit", washers, "--out", tmp_path / "own.blemish", "--set", "size=64", "--set", "copies=none"),
        ("inspect", fitted, pictures, "--out", tmp_path / "results"),
        ("export", fitted, "--to", "openvino", "--out", tmp_path / "graph.xml", "--check", pictures),
        (
            "bench",
            fitted,
            "--photographs",
            washers / "train" / "good",
            "--precision",
            "int8",
            "--count",
            "10",
        ),
    ):
        assert asked_for(RUN, home, *arguments) == set(), arguments[0]
    assert [str(file) for file in home.rglob("*") if file.is_file()] == [], "an identifier is kept there"


def test_whoever_wants_to_report_on_use_may() -> None:
    code = "import os, blemish\nprint(os.environ['ORT_DISABLE_TELEMETRY'])"
    wishes = {**os.environ, "ORT_DISABLE_TELEMETRY": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=wishes, capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"
