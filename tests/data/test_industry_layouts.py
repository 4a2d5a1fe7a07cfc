"""Published sets for detectors of objects and classifiers are recognised by themselves and read for what they are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from drawn_exports import (
    BOX,
    INDUSTRY,
    Drawn,
    box_mask,
    draw_casting,
    draw_casting_alone,
    draw_concrete_cracks,
    draw_deep_pcb,
    draw_neu_cls,
    draw_neu_det,
    draw_sdnet2018,
    draw_severstal,
    photograph,
)

from blemish.core.errors import CatalogError
from blemish.core.images import read_mask
from blemish.data.catalog import Catalog, open_catalog, open_catalogs
from blemish.data.told import Told


def kinds(catalog: Catalog) -> list[str]:
    return [problem.kind for problem in catalog.problems if problem.kind != "unclear"]


def masks(catalog: Catalog) -> dict[str, np.ndarray]:
    rows = catalog.table[catalog.table["mask"].notna()]
    return {Path(path).name: read_mask(mask) for path, mask in zip(rows["path"], rows["mask"], strict=True)}


@pytest.mark.parametrize("name", INDUSTRY)
def test_a_published_set_is_read_for_what_it_is(name: str, tmp_path: Path) -> None:
    drawn = INDUSTRY[name](tmp_path / "set")
    before = sorted(tmp_path.rglob("*"))
    catalog = open_catalog(tmp_path / "set", guess=True)
    layout = name.split(" ")[0]
    assert catalog.layout == layout and catalog.reason
    assert catalog.counts() == drawn["counts"]
    assert int(catalog.table["mask"].notna().sum()) == drawn["masks"]
    assert kinds(catalog) == (["unused"] if (tmp_path / "set/test_images").exists() else [])
    assert sorted(tmp_path.rglob("*")) == before, "nothing is written beside the photographs"
    again = open_catalog(tmp_path / "set", told=Told(layout=layout), guess=True)
    assert again.table.equals(catalog.table), "--layout reads the same"


@pytest.mark.parametrize("name", INDUSTRY)
def test_names_in_another_case_are_the_same_set(name: str, tmp_path: Path) -> None:
    drawn = INDUSTRY[name](tmp_path / "set")
    for path in sorted((tmp_path / "set").rglob("*"), reverse=True):
        if path.is_dir():
            path.rename(path.with_name(path.name.swapcase()))
    catalog = open_catalog(tmp_path / "set", guess=True)
    assert catalog.layout == name.split(" ")[0]
    counts = {
        split: {kind.lower(): count for kind, count in some.items()}
        for split, some in catalog.counts().items()
    }
    assert counts == drawn["counts"]


@pytest.mark.parametrize("name", INDUSTRY)
def test_sets_side_by_side_are_categories(name: str, tmp_path: Path) -> None:
    drawn = INDUSTRY[name](tmp_path / "one")
    INDUSTRY[name](tmp_path / "two")
    catalogs = open_catalogs(tmp_path, guess=True)
    assert [catalog.category for catalog in catalogs] == ["one", "two"]
    assert all(catalog.counts() == drawn["counts"] for catalog in catalogs)


def test_run_lengths_of_severstal_mark_their_pixels(tmp_path: Path) -> None:
    draw_severstal(tmp_path)
    found = masks(open_catalog(tmp_path))
    assert (found["0001.png"] == box_mask()).all() and (found["0004.png"] == box_mask()).all()
    assert (found["0007.png"] == box_mask() | box_mask((30, 20, 3, 3))).all()


def test_photographs_that_are_published_without_labels_are_said_once(tmp_path: Path) -> None:
    draw_severstal(tmp_path)
    (problem,) = open_catalog(tmp_path).problems
    assert problem.path == str(tmp_path / "test_images") and "2 photographs" in problem.detail
    uses = {use.folder: use.use for use in open_catalog(tmp_path).uses}
    assert uses["test_images"] == "left out"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0002.png,3,5", ["line 6", "a start has no length"]),
        ("0002.png,3,5 x", ["line 6", "'5 x'"]),
        ("0002.png,3,5 -2", ["line 6", "'5 -2'"]),
        ("0002.png,3,0 4", ["line 6", "0 4"]),
        ("0002.png,3,9 4 3 2", ["line 6", "3 2 lies before"]),
        ("0002.png,3,1530 99", ["line 6", "48 x 32"]),
        ("0002.png,x,1 1", ["line 6", "'x'"]),
        ("0002.png,3", ["line 6", "2 cells"]),
        (",3,1 1", ["line 6", "''"]),
        ("0002.png,3," + "9" * 200, ["line 6"]),
    ],
)
def test_a_wrong_row_of_severstal_is_named(line: str, words: list[str], tmp_path: Path) -> None:
    draw_severstal(tmp_path)
    with (tmp_path / "train.csv").open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(CatalogError) as caught:
        open_catalog(tmp_path)
    for word in (str(tmp_path / "train.csv"), *words):
        assert word in str(caught.value)


def test_rows_of_severstal_without_a_photograph_are_told(tmp_path: Path) -> None:
    draw_severstal(tmp_path)
    (tmp_path / "train_images/0004.png").unlink()
    assert sorted(kinds(open_catalog(tmp_path))) == ["missing", "unused"]


@pytest.mark.parametrize("draw", [draw_neu_det, draw_neu_cls])
def test_a_set_without_good_parts_says_so_and_opens_for_the_rest(
    draw: Callable[[Path], Drawn], tmp_path: Path
) -> None:
    draw(tmp_path)
    with pytest.raises(CatalogError, match="is published without photographs of good parts"):
        open_catalog(tmp_path)
    catalog = open_catalog(tmp_path, guess=True)
    assert catalog.layout == "neu" and "good parts" in catalog.unclear
    assert set(catalog.table["label"]) == {"anomalous"} and set(catalog.table["split"]) == {"test"}


def test_neu_det_in_two_flat_folders(tmp_path: Path) -> None:
    draw_neu_det(tmp_path / "drawn")
    for kind, suffix in (("IMAGES", "jpg"), ("ANNOTATIONS", "xml")):
        (tmp_path / "flat" / kind).mkdir(parents=True)
        for path in (tmp_path / "drawn").rglob(f"*.{suffix}"):
            path.rename(tmp_path / "flat" / kind / path.name)
    catalog = open_catalog(tmp_path / "flat", guess=True)
    assert catalog.layout == "neu" and len(masks(catalog)) == 12
    assert (masks(catalog)["crazing_1.jpg"] == box_mask(BOX)).all()


def test_good_parts_beside_those_of_neu_make_it_another_set(tmp_path: Path) -> None:
    """Someone who puts photographs of good parts beside them has a set of their own."""
    draw_neu_cls(tmp_path / "bad")
    for number in range(5):
        photograph(tmp_path / f"good/part{number}.bmp")
    catalog = open_catalog(tmp_path)
    assert catalog.layout == "folders" and catalog.counts()["train"] == {"good": 4}


def test_deep_pcb_without_lists_is_parted(tmp_path: Path) -> None:
    draw_deep_pcb(tmp_path)
    for name in ("trainval", "test"):
        (tmp_path / f"PCBData/{name}.txt").unlink()
    assert open_catalog(tmp_path).counts() == {
        "train": {"good": 5},
        "test": {"good": 1, "open": 3, "short": 3},
    }


@pytest.mark.parametrize(
    "line", ["1 2 3", "a b c d 1", "5 5 5 9 1", "1 1 9 9 7", "1 1 9 9 nan", "1 1 1e9 9 2"]
)
def test_a_wrong_box_of_deep_pcb_is_named(line: str, tmp_path: Path) -> None:
    draw_deep_pcb(tmp_path)
    file = tmp_path / "PCBData/group00041/00041_not/00041001.txt"
    file.write_text(f"1,1,9,9,2\n{line}\n")
    with pytest.raises(CatalogError, match="line 2") as caught:
        open_catalog(tmp_path)
    assert str(file) in str(caught.value) and line in str(caught.value)


def test_a_tested_board_without_its_boxes_is_left_out(tmp_path: Path) -> None:
    draw_deep_pcb(tmp_path)
    (tmp_path / "PCBData/group00041/00041_not/00041001.txt").unlink()
    (tmp_path / "PCBData/group00041/00041_not/00041003.txt").write_text("")
    catalog = open_catalog(tmp_path)
    assert kinds(catalog) == ["label-missing"]
    assert catalog.counts()["test"] == {"good": 2, "open": 3, "short": 1, "defect": 1}


def test_the_surfaces_of_sdnet_are_categories(tmp_path: Path) -> None:
    draw_sdnet2018(tmp_path / "D")
    for surface in "PW":
        for kind in "UC":
            photograph(tmp_path / f"{surface}/{kind}{surface}/1.jpg")
    catalogs = open_catalogs(tmp_path)
    assert [(catalog.category, catalog.layout) for catalog in catalogs] == [
        (name, "sdnet2018") for name in "DPW"
    ]


def test_castings_as_their_archive_unpacks_are_two_categories(tmp_path: Path) -> None:
    drawn = draw_casting(tmp_path / "casting_data/casting_data")
    draw_casting_alone(tmp_path / "casting_512x512/casting_512x512")
    alone, split = open_catalogs(tmp_path)
    assert (alone.category, alone.layout) == ("casting_512x512", "casting")
    assert (split.category, split.counts()) == ("casting_data", drawn["counts"])


def test_deep_pcb_as_its_repository_lies(tmp_path: Path) -> None:
    drawn = draw_deep_pcb(tmp_path)
    photograph(tmp_path / "fig/result_test.jpg")
    (tmp_path / "evaluation").mkdir()
    catalog = open_catalog(tmp_path)
    assert (catalog.layout, catalog.counts()) == ("deeppcb", drawn["counts"])


@pytest.mark.parametrize("draw", [draw_casting, draw_concrete_cracks])
def test_a_published_set_with_another_folder_is_not_taken_for_it(
    draw: Callable[[Path], Drawn], tmp_path: Path
) -> None:
    draw(tmp_path)
    photograph(tmp_path / "rework/1.jpg")
    with suppress(CatalogError):
        assert open_catalog(tmp_path, guess=True).layout not in ("casting", "concrete-cracks")
