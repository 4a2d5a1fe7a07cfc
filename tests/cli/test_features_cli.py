"""`blemish features` as a user and as a program meets it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
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


def transformed(blemish: Call, data: Path, out: Path, *arguments: str) -> tuple[pd.DataFrame, Any]:
    outcome = blemish("features", data, "--out", out, *arguments, "--json")
    assert outcome.status == 0, outcome.stderr
    return pd.read_csv(out), outcome.document


def test_scaled_by_the_good_training_images_alone(blemish: Call, washers: Path, tmp_path: Path) -> None:
    assert blemish("features", washers, "--out", tmp_path / "raw.csv").status == 0
    plain = pd.read_csv(tmp_path / "raw.csv")
    table, document = transformed(blemish, washers, tmp_path / "scaled.csv", "--transform", "scaled")
    assert list(table.columns) == OWN and "explained" not in document
    good = (plain["set_type"] == "train") & (plain["anomaly_status"] == "normal")
    values = plain[list(feature_names())]
    varying = [name for name in values if np.ptp(values.loc[good, name]) > 1e-5 * values[name].abs().max()]
    expected = (values - values[good].mean()) / values[good].std(ddof=0)
    assert table[varying].to_numpy() == pytest.approx(expected[varying].to_numpy(), rel=1e-3, abs=1e-3)
    assert table.loc[good, varying].mean().abs().max() < 1e-5
    # Other test images change nothing of what was learnt.
    data = Path(shutil.copytree(washers, tmp_path / "washer"))
    for path in sorted((data / "test").rglob("*.png"))[1:]:
        path.unlink()
    fewer, _ = transformed(blemish, data, tmp_path / "fewer.csv", "--transform", "scaled")
    both = fewer.merge(
        table, on=["set_type", "subclass", "num_pixels_r", "num_pixels_g"], suffixes=("", "_too")
    )
    assert len(both) == len(fewer) and (both["entropy"] == both["entropy_too"]).all()


def test_principal_components_and_what_they_explain(blemish: Call, washers: Path, tmp_path: Path) -> None:
    given = ("--deep", "mid", "--size", "64", "--pooling", "extremes", "--explained", "0.8")
    table, document = transformed(blemish, washers, tmp_path / "pca.csv", "--transform", "pca", *given)
    kept = [name for name in table if name not in METADATA]
    assert kept == [f"component_{number:03d}" for number in range(1, len(kept) + 1)]
    explained = document["explained"]
    assert len(explained) == len(kept) and explained == sorted(explained, reverse=True)
    assert sum(explained) >= 0.8 > sum(explained[:-1])
    good = (table["set_type"] == "train") & (table["anomaly_status"] == "normal")
    variances = table.loc[good, kept].var()
    assert (variances / variances.sum()).to_numpy() == pytest.approx(
        np.array(explained) / sum(explained), rel=1e-4
    )
    assert np.abs(np.corrcoef(table.loc[good, kept].T) - np.eye(len(kept))).max() < 1e-4
    said = blemish("features", washers, "--out", tmp_path / "a.csv", "--transform", "pca", *given).stdout
    assert f"{len(kept)} principal components explain" in said


def test_components_of_raw_pixels(blemish: Call, washers: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(washers, tmp_path / "washer"))
    (data / "train/good/001.png").write_bytes(b"")
    table, document = transformed(
        blemish,
        data,
        tmp_path / "pixels.csv",
        "--features",
        "pixels",
        "--transform",
        "pca",
        "--explained",
        "1",
    )
    assert len(table) == 29 and [Path(one["path"]).name for one in document["skipped"]] == ["001.png"]
    assert len(document["explained"]) == 10 and sum(document["explained"]) == pytest.approx(1, abs=1e-4)
    refused = blemish("features", data, "--out", tmp_path / "b.csv", "--features", "pixels", "--raw-pixels")
    assert refused.status == 2 and "give one of the two" in refused.stderr


def test_a_transform_needs_images_to_learn_from(blemish: Call, washers: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(washers, tmp_path / "washer"))
    for path in sorted((data / "train/good").iterdir())[1:]:
        path.unlink()
    outcome = blemish("features", data, "--out", tmp_path / "a.csv", "--transform", "pca")
    assert outcome.status == 1 and "1 good training images are too few" in outcome.stderr
