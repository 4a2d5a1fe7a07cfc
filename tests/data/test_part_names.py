"""What a part is called: never by a class, a split, or what any photographs lie in."""

from __future__ import annotations

from pathlib import Path

import pytest

from blemish.data.catalog import open_catalog
from blemish.data.categories import open_category
from blemish.data.part_names import UNNAMED, names_part
from blemish.workflows.fit import FitRequest, called

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c636060600000000400"
    "01f61738550000000049454e44ae426082"
)
NO_NAMES = [
    "good",
    "OK",
    "train",
    "Training",
    "images",
    "train_images",
    "good-photos",
    "IMG_2024",
    "data",
    "Bilder",
]


def photographs_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"{number}.png").write_bytes(PNG)
    return folder


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_of_anything_names_no_part(name: str) -> None:
    assert not names_part(name)


@pytest.mark.parametrize(
    "name", ["screw", "4711", "image_sensor", "train_wheel", "dataplate", "good_year_tyre"]
)
def test_a_name_of_something_names_a_part(name: str) -> None:
    assert names_part(name)


@pytest.mark.parametrize("name", NO_NAMES)
def test_two_parts_learnt_from_folders_of_one_name_are_not_one(name: str, tmp_path: Path) -> None:
    below = photographs_in(tmp_path / "screw" / name)
    assert open_catalog(below).category == "screw"
    alone = photographs_in(tmp_path / "data" / "photos" / "train" / name)
    assert open_catalog(alone).category == UNNAMED
    parts = {
        called(open_category(alone, None), FitRequest(data=alone, out=tmp_path / f"{part}.blemish")).category
        for part in ("nut", "bolt")
    }
    assert parts == {"nut", "bolt"}


def test_a_name_that_is_given_is_kept(tmp_path: Path) -> None:
    folder = photographs_in(tmp_path / "data" / "images" / "train" / "good")
    request = FitRequest(data=folder, out=tmp_path / "a.blemish", name="hinge")
    assert (request.part, called(open_category(folder, None), request).category) == ("hinge", "hinge")
    told = FitRequest(data=folder, out=tmp_path / "a.blemish", category="good")
    assert called(open_category(folder, "good"), told).category == "good"
