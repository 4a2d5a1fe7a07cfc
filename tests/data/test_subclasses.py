"""A category's subclass comes from its manifest, or from a file beside the data."""

from __future__ import annotations

import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

from blemish.core.errors import CatalogError
from blemish.data.catalog import open_catalog, open_catalogs
from blemish.data.mvtec_ad import ARCHIVES
from blemish.features.handcrafted import handcrafted_table

ROOT = Path(__file__).parents[2]


def draw(folder: Path) -> Path:
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "0.png"), np.full((12, 16), 90, np.uint8))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("carpet", "screw", "other"):
        draw(tmp_path / name / "train" / "good")
    (tmp_path / "subclasses.toml").write_text('"texture" = ["carpet"]\nobject = ["screw"]\n')
    return tmp_path


def test_a_file_beside_the_data_says_it(data: Path) -> None:
    assert {one.category: one.subclass for one in open_catalogs(data)} == {
        "carpet": "texture",
        "screw": "object",
        "other": "",
    }
    assert open_catalog(data / "screw").subclass == "object"
    # The category's own file comes before the one beside it.
    (data / "screw" / "subclasses.toml").write_text('metal = ["screw"]')
    assert open_catalog(data / "screw").subclass == "metal"


def test_a_manifest_says_it(data: Path) -> None:
    manifest = data / "screw.csv"
    manifest.write_text("path,label,subclass\nscrew/train/good/0.png,good,thread\n")
    assert open_catalog(manifest).subclass == "thread"
    manifest.write_text(
        "path,label,subclass\nscrew/train/good/0.png,good,thread\ncarpet/train/good/0.png,good,cloth\n"
    )
    with pytest.raises(CatalogError, match="the subclasses 'thread' and 'cloth'"):
        open_catalog(manifest)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("texture = carpet", "cannot be read as TOML"),
        ('texture = "carpet"', "texture is no list of categories"),
        ('a = ["carpet"]\nb = ["carpet"]', "carpet is in a and in b"),
    ],
)
def test_a_file_that_cannot_be_meant_is_named(data: Path, text: str, what: str) -> None:
    (data / "subclasses.toml").write_text(text)
    with pytest.raises(CatalogError, match=what) as caught:
        open_catalog(data / "carpet")
    assert "subclasses.toml" in str(caught.value)


def test_the_table_of_features_has_it(data: Path) -> None:
    for name, expected in (("screw", "object"), ("other", "good")):
        table = handcrafted_table(open_catalog(data / name))
        assert table["subclass"].tolist() == [expected]


def test_the_example_groups_every_category_of_the_reference_set() -> None:
    groups = tomllib.loads((ROOT / "examples" / "subclasses.toml").read_text())
    assert len(groups) == 4
    assert sorted(name for names in groups.values() for name in names) == sorted(ARCHIVES)
