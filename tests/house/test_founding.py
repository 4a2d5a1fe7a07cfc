"""The rows of docs/founding.md that are marked as tested run as they stand there, one after the other."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "founding.md"
ROW = re.compile(r"^\| .*?\| `blemish ([^`]+)` \*\*tested\*\* \|", re.MULTILINE)


def test_the_rows_run(
    blemish: Callable[..., Any], washers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(washers, tmp_path / "line" / "washer")
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text("utf-8")
    block = re.search(r"```sh\n(.*?)```", page, re.DOTALL)
    assert block is not None
    made = re.findall(r"^blemish (fit .*)$", block[1], re.MULTILINE)
    rows = ROW.findall(page)
    assert len(made) == 1 and len(rows) == page.count("**tested** |") > 8
    for command in (*made, *rows):
        outcome = blemish(*shlex.split(command))
        assert outcome.status == 0, f"{command}\n{outcome.stderr}"
    assert {"direct.csv", "pixels.csv", "scaled.csv", "found", "compared", "judged", "past"} <= {
        path.name for path in tmp_path.iterdir()
    }
