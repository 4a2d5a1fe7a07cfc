"""`blemish explore` as a user and as a program meets it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Call = Callable[..., Any]


def test_one_document_and_three_files(blemish: Call, washers: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(washers, tmp_path / "washer"))
    (data / "train/good/001.png").write_bytes(b"")
    holes = data / "ground_truth/hole/000_mask.png", data / "ground_truth/stain/001_mask.png"
    first, second = (path.read_bytes() for path in holes)
    holes[0].write_bytes(second)
    holes[1].write_bytes(first)
    out = tmp_path / "out"
    outcome = blemish("explore", data, "--out", out, "--json")
    assert outcome.status == 0, outcome.stderr
    document = outcome.document
    assert document["categories"]["washer"]["train"] == {"good": 12}
    found = {(problem["kind"], Path(problem["path"]).name) for problem in document["problems"]}
    assert found == {
        ("empty", "001.png"),
        ("mask-mismatch", "000_mask.png"),
        ("mask-mismatch", "001_mask.png"),
    }
    assert document["recommended_size"] == 256
    assert document["insights"][0]["sentence"]
    assert json.loads((out / "exploration.json").read_text()) == document
    with (out / "images.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 30
    assert [row["problems"] for row in rows if row["brightness"] == ""] == ["empty"]
    page = (out / "report.html").read_text("utf-8")
    assert "A map of the images" in page
    assert Path(document["report"]) == out / "report.html"


def test_text_names_problems_insights_and_the_next_step(blemish: Call, washers: Path, tmp_path: Path) -> None:
    outcome = blemish("explore", washers, "--out", tmp_path / "out", "--backbone", "none")
    assert outcome.status == 0, outcome.stderr
    for said in ("washer: 30 images", "no problems found", "1. washer: ", "report.html"):
        assert said in outcome.stdout
    assert f"Next: blemish fit {washers} --size 256 --out washer.blemish" in outcome.stdout
    assert "A map of the images" not in (tmp_path / "out/report.html").read_text("utf-8")


def test_the_next_step_names_one_of_several_categories(blemish: Call, washers: Path, tmp_path: Path) -> None:
    outcome = blemish("explore", washers.parent, "--out", tmp_path, "--backbone", "none", "--no-handcrafted")
    assert f"Next: blemish fit {washers.parent} --category washer --size 256 --out" in outcome.stdout


def test_good_and_defective_are_compared_by_the_handcrafted_features(
    blemish: Call, washers: Path, tmp_path: Path
) -> None:
    from blemish.data.catalog import open_catalog
    from blemish.features.handcrafted import handcrafted_table

    arguments = ("explore", washers, "--out", tmp_path / "out", "--backbone", "none", "--json")
    compared = blemish(*arguments).document["statistics"]["washer"]["comparisons"]
    effects = [abs(found["effect"]) for found in compared]
    assert effects == sorted(effects, reverse=True)
    table = handcrafted_table(open_catalog(washers))
    test = table[table["set_type"] == "test"]
    for name in ("edge_density", "line_length"):
        (found,) = [one for one in compared if one["measure"] == name]
        for label, key in (("normal", "normal"), ("anomalous", "defective")):
            assert found[key] == pytest.approx(test.loc[test["anomaly_status"] == label, name].median())
    plain = blemish(*arguments, "--no-handcrafted").document["statistics"]["washer"]["comparisons"]
    assert {found["measure"] for found in compared} > {found["measure"] for found in plain}
    assert "edge_density" not in {found["measure"] for found in plain}


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("{data}",), 2, "--out"),
        (("/nowhere/at/all", "--out", "{out}"), 1, "/nowhere/at/all"),
        (("{data.parent}", "--out", "{out}", "--category", "nut"), 1, "washer"),
        (("{data}", "--out", "{out}", "--backbone", "oracle"), 2, "oracle"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    blemish: Call, washers: Path, tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    filled = [argument.format(data=washers, out=tmp_path / "out") for argument in arguments]
    outcome = blemish("explore", *filled)
    assert outcome.status == status
    assert said in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_the_embedding_is_the_same_on_any_thread() -> None:
    from concurrent.futures import ThreadPoolExecutor

    from blemish.explore.backbone import embedding

    embed = embedding("efficientnet_lite0")
    images = list(np.random.default_rng(0).integers(0, 256, (6, 60, 80, 3)).astype(np.uint8))
    expected = [embed(image) for image in images]
    assert expected[0].shape == (40 + 112, 28, 28)
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(expected, pool.map(embed, images), strict=True):
            np.testing.assert_array_equal(one, other)
