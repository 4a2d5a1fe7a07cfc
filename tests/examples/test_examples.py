"""The examples run from top to bottom, each in a process of its own, on the sample line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# What each prints, and what it leaves in its folder.
EXPECTED = {
    "client_of_the_service": ("score", "home/blemish.db"),
    "compare_detectors": ("isolation-forest", "benchmark/report.html"),
    "explore": ("Report:", "exploration/report.html"),
    "first_inspector": ("Inspection(reject", "report.html"),
    "notebook_results": ("Inspection(pass", "notebook.html"),
    "threshold_from_defects": ("Youden's J", "sample-line"),
    "your_own_detector": ("It keeps the contract.", "board.blemish"),
}


def test_every_example_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_it_runs(name: str, tmp_path: Path) -> None:
    script = EXAMPLES / f"{name}.py"
    assert len(script.read_text().splitlines()) <= 60, "an example is short"
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", script, tmp_path / "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    said, left = EXPECTED[name]
    assert said in done.stdout
    assert (tmp_path / "out" / left).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "it writes nowhere else"
