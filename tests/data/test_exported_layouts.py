"""Exports of programs for annotation are read for what they say, and nothing in them is good that nobody said is."""

from __future__ import annotations

import base64
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from drawn_exports import (
    BOX,
    EXPORTS,
    HEIGHT,
    WIDTH,
    Drawn,
    box_mask,
    coco_document,
    column_counts,
    draw_coco_roboflow,
    draw_coco_runs,
    draw_cvat,
    draw_cvat_masks,
    draw_label_studio,
    draw_labelme,
    draw_roboflow_boxes,
    draw_roboflow_classes,
    draw_roboflow_masks,
    draw_supervisely,
    draw_via,
    draw_voc,
    draw_voc_beside,
    draw_yolo_beside,
    draw_yolo_by_kind,
    draw_yolo_by_split,
    kaggle_pairs,
    label_line,
    photograph,
    voc_xml,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from blemish.core.errors import BlemishError, CatalogError
from blemish.core.images import read_mask
from blemish.data.catalog import Catalog, open_catalog, open_catalogs
from blemish.data.marks import Mark, mask_of
from blemish.data.run_lengths import Runs, runs_of, runs_of_pairs, runs_of_text
from blemish.data.told import Told

BAD = {"train_1.jpg", "train_5.jpg", "valid_1.jpg", "test_1.jpg"}
ROBOFLOW = {
    "coco (Roboflow)",
    "voc (LabelImg)",
    "roboflow-classes",
    "roboflow-boxes",
    "roboflow-masks",
    "labelme",
}
small = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def by_label(catalog: Catalog, label: str) -> set[str]:
    return {Path(path).name for path in catalog.table.loc[catalog.table["label"] == label, "path"]}


def masks(catalog: Catalog) -> dict[str, np.ndarray]:
    rows = catalog.table[catalog.table["mask"].notna()]
    return {Path(path).name: read_mask(mask) for path, mask in zip(rows["path"], rows["mask"], strict=True)}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read_for_what_it_says(name: str, tmp_path: Path) -> None:
    drawn = EXPORTS[name](tmp_path / "flange")
    before = sorted(tmp_path.rglob("*"))
    catalog = open_catalog(tmp_path / "flange")
    layout = name.split(" ")[0]
    assert (catalog.layout, catalog.category, catalog.unclear) == (layout, "flange", "")
    assert catalog.reason and not catalog.problems
    assert catalog.counts() == drawn["counts"]
    assert by_label(catalog, "anomalous") == BAD
    found = masks(catalog)
    assert set(found) == (BAD if drawn["masks"] else set())
    assert all((mask == box_mask()).all() for mask in found.values())
    assert sorted(tmp_path.rglob("*")) == before, "nothing is written beside the photographs"
    again = open_catalog(tmp_path / "flange", told=Told(layout=layout))
    assert again.table.equals(catalog.table)


@pytest.mark.parametrize("name", EXPORTS)
def test_names_of_folders_in_another_case_are_the_same_export(name: str, tmp_path: Path) -> None:
    drawn = EXPORTS[name](tmp_path / "flange")
    for path in sorted((tmp_path / "flange").rglob("*"), reverse=True):
        if path.is_dir():
            path.rename(path.with_name(path.name.swapcase()))
    catalog = open_catalog(tmp_path / "flange")
    assert catalog.layout == name.split(" ")[0] and catalog.counts() == drawn["counts"]


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_side_by_side_are_categories(name: str, tmp_path: Path) -> None:
    drawn = EXPORTS[name](tmp_path / "flange")
    EXPORTS[name](tmp_path / "gear")
    for number in range(3):
        photograph(tmp_path / f"washer/good/{number}.jpg")
    catalogs = open_catalogs(tmp_path)
    assert [catalog.category for catalog in catalogs] == ["flange", "gear", "washer"]
    assert all(catalog.counts() == drawn["counts"] for catalog in catalogs[:2])


@pytest.mark.parametrize("name", EXPORTS)
def test_a_photograph_that_no_file_names_is_told(name: str, tmp_path: Path) -> None:
    EXPORTS[name](tmp_path)
    photograph(tmp_path / "elsewhere/stray.jpg")
    catalog = open_catalog(tmp_path)
    assert "stray.jpg" not in by_label(catalog, "normal") | by_label(catalog, "anomalous")
    assert [(one.kind, one.path) for one in catalog.problems] == [("unused", str(tmp_path / "elsewhere"))]


def test_an_export_that_lists_nothing_leaves_open_what_is_good(tmp_path: Path) -> None:
    """As Roboflow exports a project whose annotations were not yet accepted."""
    for split, count in (("train", 6), ("valid", 2), ("test", 3)):
        for number in range(count):
            photograph(tmp_path / split / f"{number}.jpg")
        empty = json.dumps({"images": [], "annotations": [], "categories": []})
        (tmp_path / split / "_annotations.coco.json").write_text(empty)
    with pytest.raises(CatalogError, match="which of the 11 are good") as caught:
        open_catalog(tmp_path)
    assert "train/_annotations.coco.json, valid/_annotations.coco.json" in str(caught.value)
    catalog = open_catalog(tmp_path, guess=True)
    assert catalog.layout == "coco" and len(catalog) == 11 and catalog.unclear


def without_marks(document: Any) -> Any:
    """The JSON of any program with empty lists where its marks were."""
    if isinstance(document, list):
        return [without_marks(one) for one in document]
    if not isinstance(document, dict):
        return document
    marks = {"shapes", "regions", "objects", "result"}
    marks |= set() if "data" in document else {"annotations"}  # Label Studio's annotations have results
    return {key: [] if key in marks else without_marks(value) for key, value in document.items()}


def nothing_marked(name: str, root: Path) -> None:
    """The export as it is before anybody has marked anything."""
    EXPORTS[name](root)
    for path in root.rglob("*"):
        if path.suffix == ".json":
            path.write_text(json.dumps(without_marks(json.loads(path.read_text()))))
        elif path.suffix == ".xml":
            text = path.read_text()
            for begin, end in (("<object>", "</object>"), ("<box", "</box>")):
                while begin in text:
                    text = text[: text.index(begin)] + text[text.index(end) + len(end) :]
            path.write_text(text)
        elif path.suffix == ".txt" and path.name[:-4].split("_")[-1].isdecimal():
            path.write_text("")


@pytest.mark.parametrize(
    "name", [name for name in EXPORTS if not name.startswith(("roboflow", "cvat-masks"))]
)
def test_an_export_without_a_mark_leaves_open_what_is_good(name: str, tmp_path: Path) -> None:
    nothing_marked(name, tmp_path)
    with pytest.raises(CatalogError, match=r"nothing is marked in .*10 photographs are all good"):
        open_catalog(tmp_path)
    assert open_catalog(tmp_path, guess=True).layout == name.split(" ")[0]


def test_labels_that_are_absent_leave_open_what_is_good(tmp_path: Path) -> None:
    draw_yolo_by_kind(tmp_path)
    for file in (tmp_path / "labels").rglob("*.txt"):
        file.unlink()
    with pytest.raises(CatalogError, match="which of the 10 are good"):
        open_catalog(tmp_path)


@pytest.mark.parametrize(
    ("draw", "folder", "layout"),
    [
        (draw_yolo_by_kind, "labels", "yolo"),
        (draw_yolo_by_split, "*/labels", "yolo"),
        (draw_voc, "Annotations", "voc"),
    ],
)
def test_an_export_without_its_folder_of_labels_leaves_open_what_is_good(
    draw: Callable[[Path], Drawn], folder: str, layout: str, tmp_path: Path
) -> None:
    draw(tmp_path)
    for path in tmp_path.glob(folder):
        shutil.rmtree(path)
    with pytest.raises(CatalogError, match="which of the 10 are good"):
        open_catalog(tmp_path)
    assert open_catalog(tmp_path, guess=True).layout == layout


def test_a_split_without_any_labels_is_left_out(tmp_path: Path) -> None:
    draw_yolo_by_split(tmp_path)
    for file in (tmp_path / "valid/labels").iterdir():
        file.unlink()
    catalog = open_catalog(tmp_path)
    assert "valid_0.jpg" not in by_label(catalog, "normal")
    assert [(one.kind, one.path) for one in catalog.problems] == [("unused", str(tmp_path / "valid/images"))]


@pytest.mark.parametrize(
    "draw", [draw_yolo_by_kind, draw_yolo_by_split, draw_voc, draw_voc_beside, draw_labelme]
)
def test_labels_under_another_name_leave_open_what_is_good(
    draw: Callable[[Path], Drawn], tmp_path: Path
) -> None:
    draw(tmp_path)
    label = next(path for path in tmp_path.rglob("train_5.*") if path.suffix != ".jpg")
    label.rename(label.with_name(f"train_0005{label.suffix}"))
    with pytest.raises(CatalogError, match="1 files of labels belong to no photograph") as caught:
        open_catalog(tmp_path)
    assert f"train_0005{label.suffix}" in str(caught.value)


@pytest.mark.parametrize("draw", [draw_yolo_by_kind, draw_voc, draw_voc_beside, draw_labelme])
def test_labels_in_another_case_are_those_of_the_photograph(
    draw: Callable[[Path], Drawn], tmp_path: Path
) -> None:
    drawn = draw(tmp_path)
    for path in tmp_path.rglob("train_*.jpg"):
        path.rename(path.with_name(path.name.upper()))
    catalog = open_catalog(tmp_path)
    assert not catalog.problems and catalog.counts() == drawn["counts"]


BROKEN = [
    b"",
    b"{",
    b"<annotation>",
    b"\x00\x01",
    b"[1, 2]",
    b"null",
    b"<a/>",
    b'{"images": 3}',
    b"<annotations",
    b"0 0 0",
]


@pytest.mark.parametrize("content", BROKEN)
@pytest.mark.parametrize(
    ("draw", "suffix"),
    [
        (draw_coco_roboflow, ".json"),
        (draw_coco_runs, ".json"),
        (draw_voc, ".xml"),
        (draw_voc_beside, ".xml"),
        (draw_labelme, ".json"),
    ],
)
def test_a_broken_file_never_makes_its_photograph_good(
    draw: Callable[[Path], Drawn], suffix: str, content: bytes, tmp_path: Path
) -> None:
    draw(tmp_path)
    file = next(
        path
        for path in sorted(tmp_path.rglob(f"*{suffix}"))
        if "train" in path.as_posix() and not (path.stem.endswith(("_0", "_2", "_3", "_4")))
    )
    file.write_bytes(content)
    with pytest.raises(CatalogError) as caught:
        open_catalog(tmp_path)
    assert str(file) in str(caught.value)


def test_a_truncated_table_of_cvat_is_named(tmp_path: Path) -> None:
    draw_cvat(tmp_path)
    file = tmp_path / "annotations.xml"
    file.write_text(file.read_text()[:400])
    with pytest.raises(CatalogError, match=r"annotations.xml, line \d+: it is not whole XML"):
        open_catalog(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp037"])
def test_a_document_type_is_refused_before_an_entity_is_expanded(encoding: str, tmp_path: Path) -> None:
    draw_voc_beside(tmp_path)
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x"}">' for n in range(9))
    body = f"<!DOCTYPE annotation [{bomb}]><annotation><object><name>&e8;</name></object></annotation>"
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    (tmp_path / "train/train_1.xml").write_bytes(
        head.encode("utf-16" if encoding == "utf-16" else "ascii")
        + (body.encode("utf-16-le" if encoding == "utf-16" else encoding))
    )
    with pytest.raises(CatalogError, match=r"train_1\.xml"):
        open_catalog(tmp_path)


# run lengths


def text_of_counts(counts: list[int]) -> str:
    """COCO's compressed coding, after its description: five bits a character, the sixth says that more follow."""
    text = ""
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        while True:
            bits, value = value & 31, value >> 5
            last = value == (-1 if bits & 16 else 0)
            text += chr(bits + (0 if last else 32) + 48)
            if last:
                break
    return text


masks_drawn = arrays.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@small
@given(masks_drawn)
def test_every_coding_of_run_lengths_gives_the_pixels_back(mask: np.ndarray) -> None:
    height, width = mask.shape
    counts = column_counts(mask)
    numbers = [int(one) for one in kaggle_pairs(mask).split()]
    for runs in (
        Runs(0, 0, width, height, tuple(counts), by_column=True),
        runs_of_text(text_of_counts(counts), width, height),
        runs_of_pairs(numbers, width, height),
        runs_of(mask),
    ):
        assert (runs.pixels() == mask).all()
        rows, columns = np.nonzero(mask)
        if len(rows):
            x, y, across, down = runs.box
            assert (x, y) == (columns.min(), rows.min())
            assert (x + across, y + down) == (columns.max() + 1, rows.max() + 1)
        else:
            assert runs.box[2:] == (0, 0)


@small
@given(masks_drawn, st.integers(0, 50), st.integers(0, 40))
def test_run_lengths_are_drawn_where_they_lie(mask: np.ndarray, left: int, top: int) -> None:
    drawn = mask_of([Mark("dent", (0, 0, 1, 1), (), runs_of(mask, left, top))], WIDTH, HEIGHT)
    expected = np.zeros((HEIGHT + 60, WIDTH + 60), bool)
    expected[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    assert (drawn == expected[:HEIGHT, :WIDTH]).all()


def test_a_known_text_of_run_lengths() -> None:
    """Counts above 31, below the last but one, and zero: the text was written down by hand from the coding."""
    assert runs_of_text("0`14O", 10, 10).counts == (0, 48, 4, 47)
    assert text_of_counts([0, 48, 4, 47]) == "0`14O"


def with_shape(root: Path, shape: Any) -> Path:
    """COCO with one other segmentation on train_1.jpg."""
    draw_coco_roboflow(root)
    file = root / "train/_annotations.coco.json"
    document = json.loads(file.read_text())
    document["annotations"][0] |= {"segmentation": shape, "bbox": None}
    file.write_text(json.dumps(document))
    return file


def test_compressed_run_lengths_become_the_mask(tmp_path: Path) -> None:
    mask = box_mask() | box_mask((30, 3, 9, 20))
    with_shape(tmp_path, {"size": [HEIGHT, WIDTH], "counts": text_of_counts(column_counts(mask))})
    assert (masks(open_catalog(tmp_path))["train_1.jpg"] == mask).all()


@pytest.mark.parametrize(
    "shape",
    [
        {"size": [WIDTH, HEIGHT], "counts": [0, 4]},
        {"size": [HEIGHT, WIDTH], "counts": [0, WIDTH * HEIGHT + 1]},
        {"size": [HEIGHT, WIDTH], "counts": [10**15, 1]},
        {"size": [HEIGHT, WIDTH], "counts": [3, -2]},
        {"size": [HEIGHT, WIDTH], "counts": [3, 2.5]},
        {"size": [HEIGHT, WIDTH], "counts": "~~~"},
        {"size": [HEIGHT, WIDTH], "counts": "o" * 40},
        {"size": [HEIGHT, WIDTH], "counts": None},
        {"counts": [0, 4]},
        [[1, 2, 3, 4, 5, "x"]],
        [[1, 2, 3, 4, 5]],
        [[1, 2, 3, 4, 5, 1e300]],
        [[1, 2, 3, 4, 5, float("nan")]],
        "text",
    ],
)
def test_a_shape_of_coco_that_cannot_be_meant_is_named(shape: Any, tmp_path: Path) -> None:
    file = with_shape(tmp_path, shape)
    with pytest.raises(CatalogError, match="segmentation") as caught:
        open_catalog(tmp_path)
    assert f"{file}, annotation 1" in str(caught.value)


# COCO


def test_ids_as_text_and_as_numbers_are_the_same(tmp_path: Path) -> None:
    drawn = draw_coco_roboflow(tmp_path)
    file = tmp_path / "train/_annotations.coco.json"
    document = json.loads(file.read_text())
    for image in document["images"]:
        image["id"] = str(image["id"])
    document["annotations"][0]["category_id"] = 1.0
    file.write_text(json.dumps(document))
    assert open_catalog(tmp_path).counts() == drawn["counts"]


@pytest.mark.parametrize("change", [{"image_id": 77}, {"image_id": None}, {"image_id": [1]}])
def test_an_annotation_of_no_photograph_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    draw_coco_roboflow(tmp_path)
    file = tmp_path / "train/_annotations.coco.json"
    document = json.loads(file.read_text())
    document["annotations"][0] |= change
    file.write_text(json.dumps(document))
    with pytest.raises(CatalogError, match="image_id"):
        open_catalog(tmp_path)


def test_two_files_that_name_one_photograph_are_taken_together(tmp_path: Path) -> None:
    drawn = draw_coco_roboflow(tmp_path)
    good = coco_document([(f"train_{number}.jpg", False) for number in range(6)])
    (tmp_path / "train/a_coco.json").write_text(json.dumps(good))
    assert open_catalog(tmp_path).counts() == drawn["counts"], "marked in one, so defective"


def test_a_name_that_leads_out_of_the_folder_is_missing(tmp_path: Path) -> None:
    draw_coco_roboflow(tmp_path / "flange")
    photograph(tmp_path / "secret.jpg")
    file = tmp_path / "flange/train/_annotations.coco.json"
    for name in ("../../secret.jpg", str(tmp_path / "secret.jpg")):
        document = coco_document([(name, False), ("train_1.jpg", True)])
        file.write_text(json.dumps(document))
        catalog = open_catalog(tmp_path / "flange")
        assert "secret.jpg" not in by_label(catalog, "normal")
        assert "missing" in [problem.kind for problem in catalog.problems]


def test_names_as_they_were_on_another_machine(tmp_path: Path) -> None:
    drawn = draw_coco_roboflow(tmp_path)
    file = tmp_path / "train/_annotations.coco.json"
    document = json.loads(file.read_text())
    for number, image in enumerate(document["images"]):
        image["file_name"] = ["C:\\data\\train\\", "/content/data/", "./"][number % 3] + image["file_name"]
    file.write_text(json.dumps(document))
    assert open_catalog(tmp_path).counts() == drawn["counts"]


# YOLO, VOC, LabelMe, CVAT, Roboflow


def test_a_turned_box_of_yolo_marks_its_inside(tmp_path: Path) -> None:
    draw_yolo_by_kind(tmp_path)
    corners = [(20, 4), (30, 14), (20, 24), (10, 14)]
    line = "0 " + " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in corners)
    (tmp_path / "labels/train/train_1.txt").write_text(line + "\n")
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    inside = abs(columns - 20) + abs(rows - 14) <= 10
    assert (masks(open_catalog(tmp_path))["train_1.jpg"] == inside).mean() > 0.97


def test_texts_beside_photographs_are_no_labels(tmp_path: Path) -> None:
    for number in range(4):
        photograph(tmp_path / f"{number}.jpg")
        (tmp_path / f"{number}.txt").write_text("taken on Monday\n")
    assert open_catalog(tmp_path, guess=True).layout == "images"


def test_yolo_without_names_counts_its_classes(tmp_path: Path) -> None:
    draw_yolo_beside(tmp_path)
    (tmp_path / "obj.names").unlink()
    (tmp_path / "obj_train_data/train_1.txt").write_text(label_line(7))
    assert open_catalog(tmp_path).counts()["test"] == {"class 0": 3, "class 7": 1, "good": 1}


def test_a_class_for_good_parts_marks_nothing(tmp_path: Path) -> None:
    draw_voc_beside(tmp_path)
    voc_xml(tmp_path / "train/train_1.xml", "OK")
    catalog = open_catalog(tmp_path)
    assert "train_1.jpg" in by_label(catalog, "normal") and len(masks(catalog)) == 3


def test_voc_whose_size_is_not_said_is_read_from_the_photograph(tmp_path: Path) -> None:
    drawn = draw_voc_beside(tmp_path)
    for file in tmp_path.rglob("*.xml"):
        file.write_text(file.read_text().replace(f"<width>{WIDTH}</width>", "<width>0</width>"))
    catalog = open_catalog(tmp_path)
    assert catalog.counts() == drawn["counts"]
    assert all((mask == box_mask()).all() for mask in masks(catalog).values())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<xmin>9</xmin>", "<xmin>x</xmin>"),
        ("<xmin>9</xmin>", ""),
        ("<xmin>9</xmin>", "<xmin>99</xmin>"),
        ("<xmin>9</xmin>", "<xmin>inf</xmin>"),
        ("<bndbox>", "<box>"),
    ],
)
def test_a_wrong_box_of_voc_is_named(old: str, new: str, tmp_path: Path) -> None:
    draw_voc_beside(tmp_path)
    file = tmp_path / "train/train_1.xml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new).replace("</bndbox>", "</box>" if new == "<box>" else "</bndbox>"))
    with pytest.raises(CatalogError, match="line 3"):
        open_catalog(tmp_path)


def labelme_shape(root: Path, **shape: Any) -> Path:
    """LabelMe with this shape on train_1.jpg."""
    draw_labelme(root)
    file = root / "train/train_1.json"
    document = json.loads(file.read_text())
    document["shapes"] = [{"label": "dent", **shape}]
    file.write_text(json.dumps(document))
    return file


@pytest.mark.parametrize(
    ("shape_type", "points", "expected"),
    [
        ("rectangle", [[20, 16], [8, 6]], lambda x, y: (x >= 8) & (x < 20) & (y >= 6) & (y < 16)),
        (
            "polygon",
            [[8, 6], [20, 6], [20, 16], [8, 16]],
            lambda x, y: (x >= 8) & (x <= 20) & (y >= 6) & (y <= 16),
        ),
        ("circle", [[20, 15], [20, 25]], lambda x, y: np.hypot(x - 20, y - 15) <= 10),
        ("linestrip", [[5, 5], [40, 5]], lambda x, y: (y == 5) & (x >= 5) & (x <= 40)),
        ("point", [[5, 9]], lambda x, y: (y == 9) & (x == 5)),
    ],
)
def test_a_shape_of_labelme_marks_its_pixels(
    shape_type: str, points: list[list[int]], expected: Callable[[Any, Any], Any], tmp_path: Path
) -> None:
    labelme_shape(tmp_path, shape_type=shape_type, points=points)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    mask = masks(open_catalog(tmp_path))["train_1.jpg"]
    wrong = mask != expected(columns, rows)
    assert wrong.mean() < (0.02 if shape_type == "circle" else 1e-9)
    assert open_catalog(tmp_path).counts()["test"]["dent"] == 1


@pytest.mark.parametrize(
    "shape",
    [
        {"shape_type": "polygon", "points": [[1, 2], [3, 4]]},
        {"shape_type": "polygon", "points": [[1, 2], [3, 4], [5, None]]},
        {"shape_type": "polygon", "points": [[1, 2], [3, 4], 5]},
        {"shape_type": "polygon", "points": "x"},
        {"shape_type": "spline", "points": [[1, 2], [3, 4], [4, 4]]},
        {"shape_type": "mask", "points": [[1, 2], [3, 4]]},
        {"shape_type": "mask", "points": [[1, 2], [3, 4]], "mask": "AAAA"},
        {"shape_type": "mask", "points": [[-1, 2], [3, 4]], "mask": "A"},
    ],
)
def test_a_wrong_shape_of_labelme_is_named(shape: dict[str, Any], tmp_path: Path) -> None:
    file = labelme_shape(tmp_path, **shape)
    with pytest.raises(CatalogError, match="shape 0") as caught:
        open_catalog(tmp_path)
    assert str(file) in str(caught.value)


def test_a_mask_of_labelme_may_not_ask_for_all_memory(tmp_path: Path) -> None:
    """A PNG of few bytes that says it has 90,000 x 90,000 pixels."""
    header = b"IHDR" + (90_000).to_bytes(4, "big") * 2 + b"\x01\0\0\0\0"
    png = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
    png += (
        b"\0\0\0\0IDAT"
        + zlib.crc32(b"IDAT").to_bytes(4, "big")
        + b"\0\0\0\0IEND"
        + zlib.crc32(b"IEND").to_bytes(4, "big")
    )
    labelme_shape(tmp_path, shape_type="mask", points=[[0, 0], [5, 5]], mask=base64.b64encode(png).decode())
    with pytest.raises(CatalogError, match="shape 0"):
        open_catalog(tmp_path)


def test_a_photograph_without_a_file_among_others_is_good_and_told(tmp_path: Path) -> None:
    draw_labelme(tmp_path)
    (tmp_path / "train/train_0.json").unlink()
    catalog = open_catalog(tmp_path)
    assert "train_0.jpg" in by_label(catalog, "normal")
    assert [(one.kind, one.path) for one in catalog.problems] == [("label-missing", str(tmp_path / "train"))]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (
            '<mask label="dent" rle="2, 3, 4, 1" left="5" top="6" width="5" height="2"></mask>',
            [(7, 6), (8, 6), (9, 6), (9, 7)],
        ),
        (
            '<polyline label="dent" points="5.0,6.0;8.0,6.0"></polyline>',
            [(5, 6), (6, 6), (7, 6), (8, 6)],
        ),
        ('<points label="dent" points="5.0,6.0"></points>', [(5, 6)]),
        (
            '<polygon label="dent" points="5.0,6.0;6.0,6.0;6.0,7.0;5.0,7.0"></polygon>',
            [(5, 6), (6, 6), (5, 7), (6, 7)],
        ),
        ('<box label="dent" xtl="5" ytl="6" xbr="7" ybr="7"></box>', [(5, 6), (6, 6)]),
    ],
)
def test_a_shape_of_cvat_marks_its_pixels(
    shape: str, expected: list[tuple[int, int]], tmp_path: Path
) -> None:
    cvat_shape(tmp_path, shape)
    mask = masks(open_catalog(tmp_path))["train_1.jpg"]
    assert sorted(zip(*np.nonzero(mask.T), strict=True)) == sorted(expected)


def cvat_shape(root: Path, shape: str) -> None:
    """CVAT with this shape in place of the box on train_1.jpg."""
    draw_cvat(root)
    file = root / "annotations.xml"
    head, rest = file.read_text().split("train_1.jpg", 1)
    begin, end = rest.index("<box"), rest.index("</box>") + len("</box>")
    file.write_text(f"{head}train_1.jpg{rest[:begin]}{shape}{rest[end:]}")


def test_a_box_of_cvat_may_be_turned_and_round(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    cvat_shape(tmp_path / "a", '<box label="d" xtl="10" ytl="15" xbr="30" ybr="17" rotation="90"></box>')
    upright = (abs(columns - 20) <= 1) & (abs(rows - 16) <= 10)
    assert (masks(open_catalog(tmp_path / "a"))["train_1.jpg"] == upright).mean() > 0.97
    cvat_shape(tmp_path / "b", '<ellipse label="d" cx="20" cy="15" rx="12" ry="6"></ellipse>')
    inside = ((columns - 20) / 12) ** 2 + ((rows - 15) / 6) ** 2 <= 1
    assert (masks(open_catalog(tmp_path / "b"))["train_1.jpg"] == inside).mean() > 0.97


def test_a_tag_of_cvat_speaks_of_the_whole_photograph(tmp_path: Path) -> None:
    cvat_shape(tmp_path, '<tag label="dent" source="manual"></tag>')
    catalog = open_catalog(tmp_path)
    assert "train_1.jpg" in by_label(catalog, "anomalous") and "train_1.jpg" not in masks(catalog)


@pytest.mark.parametrize(
    "shape",
    [
        '<mask label="d" rle="2, 9999999999" left="5" top="6" width="5" height="2"></mask>',
        '<mask label="d" rle="2, x" left="5" top="6" width="5" height="2"></mask>',
        '<mask label="d" rle="2, 3" left="-5" top="6" width="5" height="2"></mask>',
        '<mask label="d" rle="2, 3" left="5" top="6" width="999999999" height="999999999"></mask>',
        '<polygon label="d" points="5,6;7,8"></polygon>',
        '<polygon label="d" points="5,6;7,8;x"></polygon>',
        '<box label="d" xtl="5" ytl="6" xbr="4" ybr="7"></box>',
        '<box label="d" xtl="5" ytl="6"></box>',
        '<box label="d" xtl="5" ytl="6" xbr="7" ybr="7" rotation="x"></box>',
        '<ellipse label="d" cx="20"></ellipse>',
        '<cuboid label="d"></cuboid>',
    ],
)
def test_a_wrong_shape_of_cvat_is_named(shape: str, tmp_path: Path) -> None:
    cvat_shape(tmp_path, shape)
    with pytest.raises(CatalogError, match=r"annotations.xml, line 7: the "):
        open_catalog(tmp_path)


def test_a_colour_that_is_no_class_is_named(tmp_path: Path) -> None:
    draw_cvat_masks(tmp_path)
    colours = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    colours[3, 4] = (1, 2, 3)
    cv2.imwrite(str(tmp_path / "SegmentationClass/train_0.png"), colours)
    with pytest.raises(CatalogError, match=r"train_0.png: the colour \(3, 2, 1\) is no class"):
        open_catalog(tmp_path)


def test_masks_without_a_label_map_mark_all_but_black_and_the_border(tmp_path: Path) -> None:
    drawn = draw_cvat_masks(tmp_path)
    (tmp_path / "labelmap.txt").unlink()
    colours = cv2.imread(str(tmp_path / "SegmentationClass/train_1.png"))
    colours[0, 0] = (192, 224, 224)
    cv2.imwrite(str(tmp_path / "SegmentationClass/train_1.png"), colours)
    catalog = open_catalog(tmp_path)
    assert catalog.counts()["train"] == drawn["counts"]["train"]
    assert (masks(catalog)["train_1.jpg"] == box_mask()).all()


@pytest.mark.parametrize("draw", [draw_cvat_masks, draw_roboflow_masks])
def test_a_photograph_whose_mask_is_broken_is_left_out(draw: Callable[[Path], Drawn], tmp_path: Path) -> None:
    draw(tmp_path)
    mask = next(path for path in tmp_path.rglob("train_1*.png") if "Object" not in path.as_posix())
    mask.write_bytes(mask.read_bytes()[:40])
    catalog = open_catalog(tmp_path)
    assert "train_1.jpg" not in by_label(catalog, "normal") | by_label(catalog, "anomalous")
    assert [problem.path for problem in catalog.problems] == [str(mask)]


def test_several_classes_and_none_in_a_table(tmp_path: Path) -> None:
    draw_roboflow_classes(tmp_path)
    file = tmp_path / "train/_classes.csv"
    lines = file.read_text().splitlines()
    lines[1] = "train_0.jpg, 0, 0"
    lines[3] = "train_2.jpg, 1, 1"
    file.write_text("\n".join(lines))
    catalog = open_catalog(tmp_path)
    assert "train_0.jpg" not in by_label(catalog, "normal"), (
        "it has no class, and there is one for good parts"
    )
    assert "train_2.jpg" in by_label(catalog, "anomalous")
    assert [problem.kind for problem in catalog.problems] == ["label-missing"]


@pytest.mark.parametrize(
    ("draw", "name", "old", "new"),
    [
        (draw_roboflow_classes, "_classes.csv", "train_1.jpg, 0, 1", "train_1.jpg, 0, yes"),
        (draw_roboflow_boxes, "_annotations.csv", f"scratch,{BOX[0]}", "scratch,x"),
        (draw_roboflow_boxes, "_annotations.csv", f"scratch,{BOX[0]}", "scratch,99"),
        (draw_roboflow_masks, "_classes.csv", "1, scratch", "300, scratch"),
    ],
)
def test_a_wrong_cell_is_named(
    draw: Callable[[Path], Drawn], name: str, old: str, new: str, tmp_path: Path
) -> None:
    draw(tmp_path)
    file = tmp_path / "train" / name
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(CatalogError, match=r", line \d") as caught:
        open_catalog(tmp_path)
    assert str(file) in str(caught.value)


def test_a_million_corners_are_refused_before_they_are_drawn(tmp_path: Path) -> None:
    file = labelme_shape(tmp_path, shape_type="polygon", points=[[1, 2], [3, 4], [5, 6]] * 400_000)
    with pytest.raises(CatalogError, match="1200000 corners") as caught:
        open_catalog(tmp_path)
    assert str(file.with_suffix(".jpg")) in str(caught.value)


def test_half_of_a_character_is_no_name(tmp_path: Path) -> None:
    labelme_shape(tmp_path, label="x", points=[[1, 2], [3, 4], [5, 6]])
    file = tmp_path / "train/train_1.json"
    file.write_text(file.read_text().replace('"x"', '"\\ud83d"'))
    with pytest.raises(CatalogError, match="not whole JSON"):
        open_catalog(tmp_path)
    file.write_text(file.read_text().replace('"\\ud83d"', '"\\ud83d\\ude00"'))
    assert open_catalog(tmp_path).counts()["test"]["\N{GRINNING FACE}"] == 1


def changed_json(draw: Callable[[Path], Drawn], root: Path, name: str, *keys: Any, value: Any) -> None:
    """An export with another value at these keys of a JSON file."""
    draw(root)
    file = root / name
    document = json.loads(file.read_text())
    place = document
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    file.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            {"name": "polygon", "all_points_x": [5, 9, 9, 5], "all_points_y": [6, 6, 8, 8]},
            lambda x, y: (x >= 5) & (x <= 9) & (y >= 6) & (y <= 8),
        ),
        (
            {"name": "polyline", "all_points_x": [5, 9], "all_points_y": [6, 6]},
            lambda x, y: (y == 6) & (x >= 5) & (x <= 9),
        ),
        ({"name": "point", "cx": 5, "cy": 6}, lambda x, y: (x == 5) & (y == 6)),
        ({"name": "circle", "cx": 20, "cy": 15, "r": 10}, lambda x, y: np.hypot(x - 20, y - 15) <= 10),
        (
            {"name": "ellipse", "cx": 20, "cy": 15, "rx": 12, "ry": 4, "theta": np.pi / 2},
            lambda x, y: ((x - 20) / 4) ** 2 + ((y - 15) / 12) ** 2 <= 1,
        ),
    ],
)
def test_a_region_of_via_marks_its_pixels(
    value: Any, expected: Callable[[Any, Any], Any], tmp_path: Path
) -> None:
    keys = ("_via_img_metadata", "train_1.jpg123", "regions", 0, "shape_attributes")
    changed_json(draw_via, tmp_path, "train/via_project.json", *keys, value=value)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    wrong = masks(open_catalog(tmp_path))["train_1.jpg"] != expected(columns, rows)
    assert wrong.mean() < (0.02 if value["name"] in ("circle", "ellipse") else 1e-9)


def test_tasks_of_label_studio_that_nobody_did_are_left_out(tmp_path: Path) -> None:
    changed_json(draw_label_studio, tmp_path, "project-1-at-2024.json", 0, "annotations", value=[])
    catalog = open_catalog(tmp_path)
    assert "train_0.jpg" not in by_label(catalog, "normal")
    assert [problem.kind for problem in catalog.problems] == ["label-missing"]


@pytest.mark.parametrize(
    ("kind", "value", "with_mask"),
    [
        ("choices", {"choices": ["scratch"]}, False),
        ("brushlabels", {"format": "rle", "rle": [0, 1], "brushlabels": ["scratch"]}, False),
        ("polygonlabels", {"points": [[10, 10], [50, 10], [10, 50]], "polygonlabels": ["scratch"]}, True),
        ("ellipselabels", {"x": 50, "y": 50, "radiusX": 9, "radiusY": 9, "ellipselabels": ["scratch"]}, True),
        ("keypointlabels", {"x": 50, "y": 50, "width": 0.4, "keypointlabels": ["scratch"]}, True),
    ],
)
def test_a_result_of_label_studio_makes_its_photograph_defective(
    kind: str, value: Any, with_mask: bool, tmp_path: Path
) -> None:
    result = {"type": kind, "value": value, "original_width": WIDTH, "original_height": HEIGHT}
    keys = (1, "annotations", 0, "result", 0)
    changed_json(draw_label_studio, tmp_path, "project-1-at-2024.json", *keys, value=result)
    catalog = open_catalog(tmp_path)
    assert by_label(catalog, "anomalous") == BAD and catalog.counts()["test"]["scratch"] == 4
    assert (
        masks(catalog).get("train_1.jpg") is not None and masks(catalog)["train_1.jpg"].any()
    ) == with_mask


def test_a_polygon_of_supervisely_has_holes(tmp_path: Path) -> None:
    rings = {
        "exterior": [[5, 5], [30, 5], [30, 25], [5, 25]],
        "interior": [[[10, 10], [20, 10], [20, 20], [10, 20]]],
    }
    shape = {"classTitle": "scratch", "geometryType": "polygon", "points": rings}
    changed_json(draw_supervisely, tmp_path, "train/ann/train_1.jpg.json", "objects", 0, value=shape)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    mask = masks(open_catalog(tmp_path))["train_1.jpg"]
    inside = (columns >= 5) & (columns <= 30) & (rows >= 5) & (rows <= 25)
    hole = (columns > 10) & (columns < 20) & (rows > 10) & (rows < 20)
    assert (mask == inside & ~hole).all()


# anything in a file of annotations

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from([0, 1, "1", "good", 1e300]),
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def drawn_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp("fuzz") / "flange" for name in EXPORTS}
    for name, folder in folders.items():
        EXPORTS[name](folder)
    return folders


def changed(document: Any, path: list[int], value: Any) -> Any:
    """The document with a value somewhere in it, where the numbers lead."""
    if not path or not isinstance(document, dict | list) or not document:
        return value
    keys = list(document) if isinstance(document, dict) else range(len(document))
    key = keys[path[0] % len(keys)]
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[key] = changed(document[key], path[1:], value)
    return copy


def opens_or_says_why(folder: Path, layout: str) -> None:
    """Whatever a file holds, there is a catalog, or one sentence."""
    for told in (Told(), Told(layout=layout)):
        try:
            catalog = open_catalog(folder, told=told, guess=True)
            assert set(catalog.table["split"]) <= {"train", "validation", "test"}
        except BlemishError as error:
            assert "\n" not in str(error)


JSON_FILES = {
    "coco (Roboflow)": "train/_annotations.coco.json",
    "coco (run lengths)": "annotations/instances_train.json",
    "labelme": "train/train_1.json",
    "via": "train/via_project.json",
    "label-studio": "project-1-at-2024.json",
    "createml": "train/_annotations.createml.json",
    "supervisely": "train/ann/train_1.jpg.json",
}


@pytest.mark.parametrize("name", JSON_FILES)
@settings(max_examples=25, deadline=None)
@given(path=st.lists(st.integers(0, 9), min_size=1, max_size=7), value=values)
def test_any_value_in_json_is_read_or_refused(
    name: str, path: list[int], value: Any, drawn_once: dict[str, Path]
) -> None:
    file = drawn_once[name] / JSON_FILES[name]
    whole = file.read_text()
    try:
        file.write_text(json.dumps(changed(json.loads(whole), path, value)))
        opens_or_says_why(drawn_once[name], name.split(" ")[0])
    finally:
        file.write_text(whole)


TEXT_FILES = {
    "voc": "Annotations/train_1.xml",
    "voc (LabelImg)": "train/train_1.xml",
    "cvat": "annotations.xml",
    "cvat-masks": "labelmap.txt",
    "yolo (images/train)": "labels/train/train_1.txt",
    "yolo (darknet)": "obj_train_data/train_1.txt",
    "roboflow-classes": "train/_classes.csv",
    "roboflow-boxes": "train/_annotations.csv",
    "roboflow-masks": "train/_classes.csv",
    "labelme": "train/train_1.json",
    "coco (Roboflow)": "train/_annotations.coco.json",
}


@pytest.mark.parametrize("name", TEXT_FILES)
@settings(max_examples=15, deadline=None)
@given(
    place=st.integers(0, 2000),
    cut=st.integers(0, 40),
    put=st.binary(max_size=12) | st.text(max_size=6).map(str.encode),
)
def test_any_bytes_in_a_file_are_read_or_refused(
    name: str, place: int, cut: int, put: bytes, drawn_once: dict[str, Path]
) -> None:
    file = drawn_once[name] / TEXT_FILES[name]
    whole = file.read_bytes()
    place %= len(whole) + 1
    try:
        file.write_bytes(whole[:place] + put + whole[place + cut :])
        opens_or_says_why(drawn_once[name], name.split(" ")[0])
    finally:
        file.write_bytes(whole)
