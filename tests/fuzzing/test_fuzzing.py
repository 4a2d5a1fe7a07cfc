"""No damaged file, whatever its header, body and name, gets more than the project's own words out of any door."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

for extra in ("torch", "fastapi"):
    pytest.importorskip(extra)


def fuzzed(inspector: Path, files: int, seed: int) -> None:
    command = [
        sys.executable,
        Path(__file__).with_name("run.py"),
        inspector,
        "--files",
        files,
        "--seed",
        seed,
    ]
    outcome = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=7200)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "0 came through" in outcome.stdout


def test_a_few_thousand_damaged_files(fitted: Path) -> None:
    fuzzed(fitted, files=3000, seed=1)


@pytest.mark.slow
def test_three_hundred_thousand_damaged_files(fitted: Path) -> None:
    fuzzed(fitted, files=300_000, seed=2)
