"""`blemish features` as a user and as a program meets it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from blemish.features.handcrafted import METADATA
from blemish.line.handcrafted import feature_names

Call = Callable[..., Any]
OWN = [*METADATA, *feature_names()]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_of_all_images_that_can_be_read(
    suffix: str, blemish: Call, washers: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(washers, tmp_path / "washer"))
    (data / "train/good/001.png").write_bytes(b"")
    out = tmp_path / f"features.{suffix}"
    outcome = blemish("features", data, "--out", out, "--json")
    assert outcome.status == 0, outcome.stderr
    assert (outcome.document["images"], outcome.document["columns"]) == (29, len(OWN))
    assert [Path(one["path"]).name for one in outcome.document["skipped"]] == ["001.png"]
    assert "001.png" in outcome.stderr
    table = pd.read_csv(out) if suffix == "csv" else pd.read_parquet(out)
    assert list(table.columns) == OWN and len(table) == 29
    assert table["anomaly_status"].value_counts().to_dict() == {"normal": 17, "anomalous": 12}
    assert table[list(feature_names())].notna().all(axis=None)


def test_deep_features_stand_beside_them(blemish: Call, washers: Path, tmp_path: Path) -> None:
    out = tmp_path / "features.parquet"
    outcome = blemish("features", washers, "--out", out, "--deep", "mid", "--size", 64)
    assert outcome.status == 0, outcome.stderr
    assert f"{out}: 30 images, {len(OWN) + 152} columns" in outcome.stdout
    table = pd.read_parquet(out)
    assert list(table.columns[: len(OWN)]) == OWN and table.columns[-1] == "stride16_111"


def test_several_categories_are_one_table(blemish: Call, washers: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(washers, tmp_path / "parts" / name)
    out = tmp_path / "features.csv"
    assert blemish("features", tmp_path / "parts", "--out", out).status == 0
    assert pd.read_csv(out)["category"].value_counts().to_dict() == {"one": 30, "two": 30}
    assert blemish("features", tmp_path / "parts", "--category", "two", "--out", out).status == 0
    assert set(pd.read_csv(out)["category"]) == {"two"}


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("{data}", "--out", "{out}/features.txt"), 2, ".parquet"),
        (("{data}", "--out", "{out}/f.csv", "--deep", "mid", "--size", "100"), 2, "multiple of 32"),
        (("{data}", "--out", "{out}/f.csv", "--deep", "mid", "--backbone", "resnet0"), 2, "resnet0"),
        (("/nowhere/at/all", "--out", "{out}/f.csv"), 1, "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    arguments: tuple[str, ...], status: int, said: str, blemish: Call, washers: Path, tmp_path: Path
) -> None:
    outcome = blemish("features", *(part.format(data=washers, out=tmp_path) for part in arguments))
    assert outcome.status == status and said in outcome.stderr
    assert not list(tmp_path.iterdir())
