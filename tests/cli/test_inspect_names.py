"""`inspect --file-name`: what names say of parts stands in the results."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_names_become_columns_also_of_what_was_judged_earlier(
    blemish: Callable[..., Any], fitted: Path, washers: Path, tmp_path: Path
) -> None:
    photograph = next((washers / "test" / "good").glob("*.png"))
    for name in ("L1/0001_top.png", "L1/0002_=side.png", "L2/odd.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photograph, tmp_path / "in" / name)
    out = tmp_path / "out"
    plain = blemish("inspect", fitted, tmp_path / "in", "--out", out)
    assert plain.status == 0 and "batch" not in (out / "results.csv").read_text()
    asked = ("--out", out, "--resume", "--file-name", "{batch}/{serial:digits}_{camera}", "--json")
    found = blemish("inspect", fitted, tmp_path / "in", *asked).document
    known = [{name: one.get(name) for name in ("batch", "serial_number", "camera", "shift")} for one in found]
    assert known == [
        {"batch": "L1", "serial_number": "0001", "camera": "top", "shift": None},
        {"batch": "L1", "serial_number": "0002", "camera": "=side", "shift": None},
        {"batch": None, "serial_number": None, "camera": None, "shift": None},
    ]
    assert json.loads((out / "results.json").read_text()) == found
    rows = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    assert [row["camera"] for row in rows] == ["top", "'=side", ""] and rows[0]["verdict"] == "pass"
    again = blemish("inspect", fitted, tmp_path / "in", "--out", out, "--resume", "--json").document
    assert not any("batch" in one for one in again)


def test_what_is_no_template_is_said_before_anything_is_judged(
    blemish: Callable[..., Any], fitted: Path, washers: Path
) -> None:
    refused = blemish("inspect", fitted, washers / "test", "--file-name", "{lot}.png")
    assert refused.status == 2 and "unknown field {lot}" in refused.stderr and not refused.stdout
