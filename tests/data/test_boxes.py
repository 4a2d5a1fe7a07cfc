"""Boxes and polygons of COCO and YOLO become masks, and detectors learn from them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from blemish.core.errors import CatalogError
from blemish.core.images import read_image, read_mask, upright_size
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.marks import Mark, mask_of

WIDTH, HEIGHT = 40, 30
SCRATCH, DENT = (4, 5, 10, 6), (20, 10, 8, 16)
"""Boxes, x, y, width and height in pixels."""

Marked = dict[str, list[tuple[str, tuple[int, int, int, int]]]]
PHOTOGRAPHS: Marked = {
    "train/a.png": [],
    "train/b.png": [("scratch", SCRATCH)],
    "train/c.png": [],
    "valid/d.png": [("dent", DENT), ("scratch", SCRATCH)],
    "test/e.png": [],
    "test/f.png": [("good", (0, 0, WIDTH, HEIGHT)), ("dent", DENT)],
}
CLASSES = ["scratch", "dent", "good"]


def draw(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    cv2.imwrite(str(path), pixels)


def coco(photographs: Marked, name: Callable[[str], str]) -> str:
    images, annotations = [], []
    for number, (photograph, marks) in enumerate(photographs.items()):
        images.append({"id": number, "file_name": name(photograph), "width": WIDTH, "height": HEIGHT})
        annotations += [
            {
                "id": len(annotations) + place,
                "image_id": number,
                "category_id": CLASSES.index(kind),
                "bbox": box,
            }
            for place, (kind, box) in enumerate(marks)
        ]
    categories = [{"id": number, "name": kind} for number, kind in enumerate(CLASSES)]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})


def label_lines(marks: list[tuple[str, tuple[int, int, int, int]]]) -> str:
    lines = []
    for kind, (x, y, width, height) in marks:
        middle = ((x + width / 2) / WIDTH, (y + height / 2) / HEIGHT, width / WIDTH, height / HEIGHT)
        lines.append(" ".join(map(str, (CLASSES.index(kind), *middle))))
    return "\n".join(lines)


def roboflow_coco(root: Path) -> None:
    for split in ("train", "valid", "test"):
        some = {name: marks for name, marks in PHOTOGRAPHS.items() if name.startswith(split)}
        for number, name in enumerate(some):
            draw(root / name, number)
        (root / split / "_annotations.coco.json").write_text(coco(some, lambda name: Path(name).name))


def published_coco(root: Path) -> None:
    (root / "annotations").mkdir(parents=True)
    for split in ("train", "valid", "test"):
        some = {name: marks for name, marks in PHOTOGRAPHS.items() if name.startswith(split)}
        for number, name in enumerate(some):
            draw(root / f"{split}2017" / Path(name).name, number)
        (root / "annotations" / f"instances_{split}2017.json").write_text(coco(some, lambda n: Path(n).name))


def _yolo(root: Path, folder: Callable[[str, str], Path]) -> None:
    for number, (name, marks) in enumerate(PHOTOGRAPHS.items()):
        split, file = name.split("/")
        draw(folder(split, "images") / file, number)
        if marks:
            labels = folder(split, "labels") / Path(file).with_suffix(".txt")
            labels.parent.mkdir(parents=True, exist_ok=True)
            labels.write_text(label_lines(marks) + "\n")
    (root / "data.yaml").write_text(f"train: x\nnc: 3\nnames: {CLASSES}\n")


def yolo_by_kind(root: Path) -> None:
    _yolo(root, lambda split, kind: root / kind / split)


def yolo_by_split(root: Path) -> None:
    _yolo(root, lambda split, kind: root / split / kind)


LAYOUTS = [roboflow_coco, published_coco, yolo_by_kind, yolo_by_split]


def told(catalog: Catalog) -> dict[str, tuple[str, str, list[tuple[int, int, int, int]]]]:
    """By name of the photograph its split, defect type, and boxes of what its mask says."""
    found = {}
    for row in catalog.table.itertuples():
        boxes = []
        if row.mask:
            mask = read_mask(str(row.mask))
            assert mask.shape == (HEIGHT, WIDTH)
            statistics = cv2.connectedComponentsWithStats(mask.view(np.uint8))[2][1:, :4]
            boxes = [tuple(map(int, one)) for one in statistics]
        found[Path(str(row.path)).name] = (str(row.split), str(row.defect_type), sorted(boxes))
    return found


@pytest.mark.parametrize("write", LAYOUTS)
def test_boxes_become_masks(write: Callable[[Path], None], tmp_path: Path) -> None:
    root = tmp_path / "flange"
    write(root)
    before = sorted(root.rglob("*"))
    catalog = open_catalog(root)
    assert catalog.layout == ("coco" if "coco" in write.__name__ else "yolo")
    assert catalog.category == "flange"
    assert told(catalog) == {
        "a.png": ("train", "good", []),
        "b.png": ("test", "scratch", [SCRATCH]),
        "c.png": ("train", "good", []),
        "d.png": ("test", "dent", sorted([SCRATCH, DENT])),  # named after the largest
        "e.png": ("test", "good", []),
        "f.png": ("test", "dent", [DENT]),  # a box around what is good marks nothing
    }
    assert sorted(root.rglob("*")) == before  # nothing is written beside the photographs
    assert told(open_catalog(root)) == told(catalog)


def test_unlabelled_photographs_are_said(tmp_path: Path) -> None:
    yolo_by_split(tmp_path)
    said = {
        Path(one.path).parent.name: one.detail
        for one in open_catalog(tmp_path).problems
        if one.kind == "label-missing"
    }
    assert set(said) == {"train", "test"}
    assert "2 photographs have no label file" in said["train"]


def test_polygons_mark_their_inside(tmp_path: Path) -> None:
    corners = [(10, 5), (30, 5), (10, 25)]
    flat = [value for corner in corners for value in corner]
    roboflow_coco(tmp_path / "coco")
    file = tmp_path / "coco" / "train" / "_annotations.coco.json"
    document = json.loads(file.read_text())
    document["annotations"][0]["segmentation"] = [flat]
    file.write_text(json.dumps(document))
    yolo_by_kind(tmp_path / "yolo")
    shares = " ".join(str(x / WIDTH) + " " + str(y / HEIGHT) for x, y in corners)
    (tmp_path / "yolo" / "labels" / "train" / "b.txt").write_text(f"0 {shares}\n")
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    inside = (columns >= 10) & (rows >= 5) & ((columns - 10) + (rows - 5) <= 20)
    for name in ("coco", "yolo"):
        table = open_catalog(tmp_path / name).table
        mask = read_mask(str(table[table["path"].str.endswith("b.png")]["mask"].iloc[0]))
        assert (mask == inside).mean() > 0.97 and mask[7, 12] and not mask[24, 29]


@given(st.lists(st.tuples(*[st.floats(-9, 45)] * 2, *[st.floats(0.1, 50)] * 2), max_size=4))
def test_a_mask_holds_every_pixel_that_a_box_touches(boxes: list[Any]) -> None:
    mask = mask_of([Mark("dent", box) for box in boxes], WIDTH, HEIGHT)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    expected = np.zeros((HEIGHT, WIDTH), bool)
    for x, y, width, height in boxes:
        touched = (columns < x + width) & (columns + 1 > x) & (rows < y + height) & (rows + 1 > y)
        expected |= touched
    assert (mask == expected).all()


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("0 0.5 0.5 0.2", "is no label"),
        ("0 0.5 0.5 0.2 nan", "is no label"),
        ("scratch 0.5 0.5 0.2 0.2", "is no label"),
        ("0 20 15 10 10", "is no label"),  # pixels, not shares
    ],
)
def test_a_label_that_cannot_be_meant_is_named(line: str, what: str, tmp_path: Path) -> None:
    yolo_by_kind(tmp_path)
    (tmp_path / "labels" / "train" / "b.txt").write_text(f"0 .5 .5 .1 .1\n{line}\n")
    with pytest.raises(CatalogError, match=what) as caught:
        open_catalog(tmp_path)
    assert "b.txt, line 2" in str(caught.value) and line in str(caught.value)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"bbox": [1, 2, 0, 4]}, r"bbox \[1, 2, 0, 4\]"),
        ({"bbox": [1, 2, float("nan"), 4]}, "bbox"),
        ({"category_id": 77}, "category_id 77"),
    ],
)
def test_an_annotation_that_cannot_be_meant_is_named(
    change: dict[str, Any], what: str, tmp_path: Path
) -> None:
    roboflow_coco(tmp_path)
    file = tmp_path / "train" / "_annotations.coco.json"
    document = json.loads(file.read_text())
    document["annotations"][0] |= change
    file.write_text(json.dumps(document))
    with pytest.raises(CatalogError, match=what):
        open_catalog(tmp_path)


def test_a_monstrous_size_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    roboflow_coco(tmp_path)
    file = tmp_path / "train" / "_annotations.coco.json"
    document = json.loads(file.read_text())
    document["images"][1] |= {"width": 10**9, "height": 10**9}
    file.write_text(json.dumps(document))
    with pytest.raises(CatalogError, match="is said to have 1000000000 x"):
        open_catalog(tmp_path)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_the_size_in_the_header_is_that_of_the_pixels(orientation: int, suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned{suffix}"
    Image.new("RGB", (WIDTH, HEIGHT)).save(path, exif=exif)
    height, width = read_image(path).shape[:2]
    assert upright_size(path) == (width, height)


def test_a_network_learns_from_boxes(blemish: Callable[..., Any], washers: Path, tmp_path: Path) -> None:
    """The sample line with boxes for masks: the U-Net is shown them, and is measured against them."""
    root = tmp_path / "boxed"
    for path in washers.rglob("*.png"):
        relative = path.relative_to(washers)
        if relative.parts[0] == "ground_truth":
            continue
        split, kind, name = relative.parts
        target = root / split / "images" / f"{kind}_{name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        labels = root / split / "labels" / f"{kind}_{Path(name).stem}.txt"
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.touch()
        mask = washers / "ground_truth" / kind / f"{Path(name).stem}_mask.png"
        if kind != "good":
            pixels = read_mask(mask)
            rows, columns = np.where(pixels)
            height, width = pixels.shape
            x, y = (columns.min() + columns.max() + 1) / 2 / width, (rows.min() + rows.max() + 1) / 2 / height
            across, down = np.ptp(columns) + 1, np.ptp(rows) + 1
            labels.write_text(f"0 {x} {y} {across / width} {down / height}\n")
    (root / "classes.txt").write_text("hole\n")
    small = ("--set", "epochs=1", "--set", "examples_per_epoch=16", "--set", "size=64")
    fitted = blemish("fit", root, "--detector", "unet", *small, "--out", tmp_path / "u.blemish", "--json")
    assert fitted.status == 0, fitted.stderr
    assert fitted.document["n_labelled"] > 0 and 0 <= fitted.document["measured"]["iou"] <= 1
    measured = blemish("evaluate", tmp_path / "u.blemish", root, "--out", tmp_path / "e", "--json")
    assert measured.status == 0, measured.stderr
    assert measured.document["true_regions"] == measured.document["n_anomalous"]
    assert list(measured.document["per_defect_type"]) == ["hole"]
