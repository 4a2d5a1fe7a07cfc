"""Folders whose names alone do not say what is good: masks beside photographs, odd words, annotations, guesses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from blemish.core.errors import CatalogError, UsageError
from blemish.data.catalog import Catalog, open_catalog, open_catalogs
from blemish.data.checks import check_catalog
from blemish.data.told import Told

SIDE = 64


def photograph(number: int) -> Image.Image:
    values = np.random.default_rng(number).normal(120, 20, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def mask(marked: bool = True, level: int = 255) -> Image.Image:
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[20:30, 24:40] = level if marked else 0
    return Image.fromarray(pixels)


def put(root: Path, name: str, image: Image.Image, **options: object) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    image.save(root / name, **options)


def photographs(root: Path, *names: str) -> None:
    for number, name in enumerate(names):
        put(root, name, photograph(abs(hash((name, number))) % 2**32))


def labels(catalog: Catalog) -> dict[str, str]:
    """Label of each photograph, by its path."""
    table = catalog.table
    paths = (Path(path).relative_to(catalog.root).as_posix() for path in table["path"])
    return dict(zip(paths, table["label"], strict=True))


def kinds(catalog: Catalog) -> list[str]:
    return [problem.kind for problem in catalog.problems]


# Each: where the photograph NUMBER lies, where its mask, and how masks are written.
BESIDE: dict[str, tuple[str, str, dict[str, object]]] = {
    "kolektorsdd2": ("train/{0}.png", "train/{0}_GT.png", {}),
    "another suffix": ("{0}.jpg", "{0}_label.bmp", {}),
    "the same name": ("Imgs/{0}.jpg", "Imgs/{0}.png", {}),
    "a folder of labels": ("train/{0}.png", "train/Label/{0}.PNG", {}),
    "gt": ("images/{0}.jpg", "gt/{0}.png", {}),
    "any name": ("photos/{0}.jpg", "xyz/{0}.png", {}),
    "annotations": ("images/part {0}.jpg", "annotations/part {0}.png", {}),
    "JPEG": ("{0}.jpg", "{0}_mask.jpg", {"quality": 75}),
    "joined": ("img{0}.png", "img{0}mask.png", {}),
    "before": ("{0}.png", "mask_{0}.png", {}),
    "segmentation": ("a/b/{0}.jpg", "a/seg/{0}.png", {}),
}


@pytest.mark.parametrize(
    ("where", "level"), [*((where, 255) for where in BESIDE), ("kolektorsdd2", 1), ("another suffix", 100)]
)
def test_masks_beside_their_photographs_say_what_is_good(tmp_path: Path, where: str, level: int) -> None:
    of_photograph, of_mask, options = BESIDE[where]
    for number in range(10):
        put(tmp_path, of_photograph.format(number), photograph(number))
        put(tmp_path, of_mask.format(number), mask(number >= 7, level), **options)
    catalog = open_catalog(tmp_path)
    assert catalog.layout in ("masks-beside", "kolektorsdd2") and not catalog.problems and not catalog.unclear
    expected = {of_photograph.format(n): "anomalous" if n >= 7 else "normal" for n in range(10)}
    assert labels(catalog) == expected
    assert set(catalog.table.loc[catalog.table["label"] == "anomalous", "split"]) == {"test"}
    masks = {Path(path).name for path in catalog.table["mask"].dropna()}
    assert masks == {Path(of_mask.format(n)).name for n in (7, 8, 9)}
    assert not [one for one in check_catalog(catalog) if one.kind != "duplicate"]
    assert sum(use.files for use in catalog.uses if use.use == "masks") == 10


WRITTEN: dict[str, tuple[str, Callable[[NDArray[np.bool_]], Image.Image], dict[str, object]]] = {
    "labels": ("png", lambda marks: Image.fromarray(np.where(marks, 7, 3).astype(np.uint8) - 3), {}),
    "16 bits": ("png", lambda marks: Image.fromarray(marks.astype(np.uint16) * 3), {}),
    "one bit": ("png", Image.fromarray, {}),
    "palette": ("png", lambda marks: Image.fromarray(marks.astype(np.uint8) * 255).convert("P"), {}),
    "colours": (
        "png",
        lambda marks: Image.fromarray(np.where(marks[..., None], (200, 30, 30), 0).astype(np.uint8)),
        {},
    ),
    "TIFF": ("tif", Image.fromarray, {"compression": "tiff_lzw"}),
    "GIF": ("gif", lambda marks: Image.fromarray(marks.astype(np.uint8) * 255), {}),
    "scaled": (
        "bmp",
        lambda marks: Image.fromarray(marks).convert("L").resize((60, 60)).resize((SIDE, SIDE)),
        {},
    ),
    "JPEG of thin lines": ("jpg", lambda marks: Image.fromarray(marks).convert("L"), {"quality": 75}),
}


@pytest.mark.parametrize(("suffix", "drawn", "options"), WRITTEN.values(), ids=WRITTEN)
def test_masks_however_they_are_written(
    tmp_path: Path,
    suffix: str,
    drawn: Callable[[NDArray[np.bool_]], Image.Image],
    options: dict[str, object],
) -> None:
    for number in range(8):
        put(tmp_path, f"{number}.jpg", photograph(number), quality=90)
    for number in range(3):
        marks = np.zeros((SIDE, SIDE), np.bool_)
        marks[10 + number : 50 : 13, 5:60] = True
        put(tmp_path, f"{number}_seg.{suffix}", drawn(marks), **options)
    catalog = open_catalog(tmp_path)
    assert catalog.layout == "masks-beside" and catalog.counts()["test"]["defect"] == 3 and len(catalog) == 8


def test_masks_that_mark_all_but_the_defect_are_asked_about(tmp_path: Path) -> None:
    for number in range(4):
        put(tmp_path, f"{number}.jpg", photograph(number))
        put(tmp_path, f"{number}_mask.png", ImageOps.invert(mask()))
    with pytest.raises(CatalogError, match="inverted"):
        open_catalog(tmp_path)


def test_what_is_named_like_a_mask_and_is_none_is_asked_about(tmp_path: Path) -> None:
    photographs(tmp_path, "0.png", "1.png", "1_label.png")
    with pytest.raises(CatalogError, match="named like masks"):
        open_catalog(tmp_path)
    assert len(open_catalog(tmp_path, told=Told(good=(".",)))) == 3


def test_photographs_without_a_mask_are_good_and_splits_stay(tmp_path: Path) -> None:
    for split in ("train", "test"):
        photographs(tmp_path, *(f"{split}/{number}.png" for number in range(6)))
        put(tmp_path, f"{split}/5_GT.png", mask())
    catalog = open_catalog(tmp_path)
    assert catalog.counts() == {"train": {"good": 5}, "test": {"defect": 2, "good": 5}}


def test_masks_among_classes_are_no_parts(tmp_path: Path) -> None:
    photographs(tmp_path, "good/0.png", "good/1.png", "good/2.png", "bad/a.png", "bad/b.png", "bad/c.png")
    for name in ("bad/a_mask.png", "bad/Label/b.png", "bad/zzz/c.png"):
        put(tmp_path, name, mask())
    catalog = open_catalog(tmp_path)
    assert len(catalog) == 6 and not catalog.problems
    assert catalog.table["mask"].notna().sum() == 3


def test_masks_in_a_test_folder_are_no_parts_even_without_photographs(tmp_path: Path) -> None:
    photographs(tmp_path, "train/good/0.png", "train/good/1.png", "test/good/0.png", "test/hole/0.png")
    for number in (0, 9):
        put(tmp_path, f"test/labels/{number}.png", mask())
    catalog = open_catalog(tmp_path)
    assert "test/labels/0.png" not in labels(catalog) and "test/labels/9.png" not in labels(catalog)
    assert set(kinds(catalog)) == {"mask-like"}


def test_a_mask_of_no_photograph_is_named_and_asked_about(tmp_path: Path) -> None:
    photographs(tmp_path, *(f"{number}.jpg" for number in range(6)))
    put(tmp_path, "drawn by hand.png", mask())
    with pytest.raises(
        CatalogError, match=r"drawn by hand\.png .*looks like a mask.*--ignore 'drawn by hand\.png'"
    ):
        open_catalog(tmp_path)
    catalog = open_catalog(tmp_path, guess=True)
    assert sorted(kinds(catalog)) == ["mask-like", "unclear"] and len(catalog) == 6
    assert len(open_catalog(tmp_path, told=Told(ignore=("drawn*",)))) == 6
    assert len(open_catalog(tmp_path, told=Told(good=(".",)))) == 7, "the user's word counts"


def test_a_mask_that_contradicts_its_folder_is_asked_about(tmp_path: Path) -> None:
    photographs(tmp_path, "good/0.png", "good/1.png", "bad/2.png")
    put(tmp_path, "good/1_mask.png", mask())
    with pytest.raises(CatalogError, match=r"good/1_mask\.png marks a defect"):
        open_catalog(tmp_path)


def test_parts_of_black_and_white_and_black_frames_are_photographs(tmp_path: Path) -> None:
    for number in range(6):
        put(tmp_path / "silhouettes", f"{number}.png", mask())
    photographs(tmp_path / "frames", *(f"{number}.png" for number in range(6)))
    put(tmp_path / "frames", "black.png", mask(False))
    assert len(open_catalog(tmp_path / "silhouettes")) == 6
    frames = open_catalog(tmp_path / "frames")
    assert len(frames) == 7 and kinds(frames) == ["blank"]


WORDS = {
    "concrete": ("Negative", "Positive"),
    "casting": ("ok_front", "def_front"),
    "German": ("Gutteile", "Ausschuss"),
    "French": ("conforme", "non_conforme"),
    "Chinese": ("良品", "不良品"),
    "negated": ("NODefect", "Defect"),
}


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("split", [False, True])
def test_classes_in_other_words(tmp_path: Path, words: tuple[str, str], split: bool) -> None:
    good, bad = words
    for part in ("train/", "test/") if split else ("",):
        photographs(tmp_path, *(f"{part}{word}/{number}.jpg" for word in words for number in range(10)))
    catalog = open_catalog(tmp_path)
    said = {path.split("/")[-2]: label for path, label in labels(catalog).items()}
    assert said == {good: "normal", bad: "anomalous"} and not catalog.problems
    assert not any(path.parent.name == bad for path in catalog.train_normal())


GUESSES: dict[str, tuple[tuple[str, ...], str]] = {
    "numbers": (("0/a.jpg", "1/b.jpg"), "--good FOLDER"),
    "cameras": (("camera1/a.jpg", "camera2/b.jpg"), "--good FOLDER"),
    "dates": (("2024-05-01/a.jpg", "2024-05-02/b.jpg"), "--good FOLDER"),
    "loose beside a folder": (("a.jpg", "old/b.jpg"), "--good FOLDER"),
    "numbers to train": (("train/0/a.jpg", "train/1/b.jpg", "test/0/c.jpg"), "--good FOLDER"),
    "defective alone": (("parts/a.jpg", "bad_parts/b.jpg"), "--good FOLDER --defective bad_parts"),
    "positive alone": (("Positive/a.jpg", "others/b.jpg"), "--good FOLDER"),
}


@pytest.mark.parametrize(("names", "way_out"), GUESSES.values(), ids=GUESSES)
def test_a_guess_is_refused_with_the_way_out(tmp_path: Path, names: tuple[str, ...], way_out: str) -> None:
    photographs(tmp_path, *names)
    with pytest.raises(CatalogError) as refused:
        open_catalog(tmp_path)
    assert way_out in str(refused.value) and f"blemish check {tmp_path}" in str(refused.value)
    catalog = open_catalog(tmp_path, guess=True)
    assert kinds(catalog) == ["unclear"] and len(catalog) == len(names)
    good, bad = (Path(name).parent.as_posix() for name in names[:2])
    told = open_catalog(tmp_path, told=Told(good=(good,), defective=(bad,)))
    assert labels(told)[names[0]] == "normal" and labels(told)[names[1]] == "anomalous"
    assert told.layout == "told" and not told.unclear


@pytest.mark.parametrize("folder", ["", "train/"])
@pytest.mark.parametrize("name", ["bad_1", "NG-7", "cast_def_0_12", "Ausschuss 12"])
def test_a_photograph_whose_name_says_that_it_is_defective_is_asked_about(
    tmp_path: Path, folder: str, name: str
) -> None:
    photographs(
        tmp_path, f"{folder}part_1.jpg", f"{folder}3bad9f.jpg", f"{folder}0def.jpg", f"{folder}IMG_ok.jpg"
    )
    assert len(open_catalog(tmp_path)) == 4
    photographs(tmp_path, f"{folder}{name}.jpg")
    with pytest.raises(CatalogError, match=f"{name}.* says that it is defective"):
        open_catalog(tmp_path)
    assert len(open_catalog(tmp_path, told=Told(ignore=(f"{name}*",)))) == 4


def test_one_folder_or_a_chain_of_them_is_no_guess(tmp_path: Path) -> None:
    photographs(tmp_path, "line/2024/part/0.jpg", "line/2024/part/1.jpg")
    assert open_catalog(tmp_path).counts() == {"train": {"good": 2}, "test": {}}


def annotations() -> Iterator[tuple[str, str]]:
    yield "annotations.csv", "file,xmin,ymin,xmax,ymax\n0.jpg,1,2,3,4\n"
    yield "train.csv", "ImageId,ClassId,EncodedPixels\n0.jpg,1,1 2\n"
    yield "boxes.txt", "0.jpg 1 2 3 4\n"
    yield "0.txt", "0 0.5 0.5 0.1 0.1\n"
    yield "export.json", json.dumps({"project": 1, "regions": []})
    yield "0.xml", "<whatever><bndbox/></whatever>"
    yield "via_project.json", "{}"


@pytest.mark.parametrize(("name", "text"), list(annotations()))
@pytest.mark.parametrize("split", ["", "train/"])
def test_annotations_that_nobody_understands_leave_open_what_is_good(
    tmp_path: Path, name: str, text: str, split: str
) -> None:
    photographs(tmp_path, *(f"{split}{number}.jpg" for number in range(6)))
    assert len(open_catalog(tmp_path)) == 6
    (tmp_path / split / name).write_text(text)
    try:
        catalog = open_catalog(tmp_path)
    except CatalogError as error:
        assert name in str(error) or "coco" in str(error).lower() or "--good" in str(error)
    else:  # a layout of an export has understood it
        assert catalog.layout not in ("images", "mvtec")


def test_notes_are_no_annotations(tmp_path: Path) -> None:
    photographs(tmp_path, "0.jpg", "1.jpg")
    (tmp_path / "readme.txt").write_text("taken on Monday")
    (tmp_path / "settings.json").write_text('{"exposure": 3}')
    assert not open_catalog(tmp_path).problems


def test_roboflow_without_an_annotation_is_not_all_good(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        photographs(tmp_path, *(f"{split}/img_{number}.jpg" for number in range(4)))
        empty = json.dumps({"images": [], "annotations": [], "categories": []})
        (tmp_path / split / "_annotations.coco.json").write_text(empty)
    with pytest.raises(CatalogError):
        open_catalog(tmp_path)


def test_a_layout_that_is_named_decides(tmp_path: Path) -> None:
    photographs(tmp_path, "monday/0.jpg", "tuesday/1.jpg")
    assert open_catalog(tmp_path, told=Told(layout="images")).counts()["train"] == {"good": 2}


def test_a_defective_folder_within_a_good_one_is_not_learnt(tmp_path: Path) -> None:
    photographs(tmp_path, "good/0.jpg", "good/1.jpg", "good/rejected later/2.jpg", "bad/3.jpg")
    assert labels(open_catalog(tmp_path))["good/rejected later/2.jpg"] == "anomalous"


def test_a_manifest_is_told_nothing_but_what_to_ignore(tmp_path: Path) -> None:
    photographs(tmp_path, "0.jpg", "1.jpg", "old/2.jpg")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("path,label,split\n0.jpg,gut,train\n1.jpg,nicht ok,test\nold/2.jpg,0,train\n")
    assert labels(open_catalog(manifest)) == {"0.jpg": "normal", "1.jpg": "anomalous", "old/2.jpg": "normal"}
    assert len(open_catalog(manifest, told=Told(ignore=("old",)))) == 2
    with pytest.raises(UsageError, match="manifest"):
        open_catalog(manifest, told=Told(good=("old",)))


def test_told_folders_keep_their_splits(tmp_path: Path) -> None:
    photographs(
        tmp_path, *(f"{split}/{kind}/{n}.jpg" for split in ("train", "test") for kind in "ab" for n in "01")
    )
    catalog = open_catalog(tmp_path, told=Told(good=("*/a",), defective=("*/b",)))
    assert catalog.counts() == {"train": {"good": 2}, "test": {"b": 4, "good": 2}}


def test_every_file_is_used_or_named(tmp_path: Path) -> None:
    photographs(tmp_path, "good/0.jpg", "good/1.jpg", "bad/2.jpg", "spare/3.jpg")
    (tmp_path / "good/video.mp4").write_bytes(b"0")
    (tmp_path / "bad/labels.json").write_text("{}")
    (tmp_path / "Thumbs.db").write_bytes(b"0")
    catalog = open_catalog(tmp_path)
    problems = [(problem.kind, Path(problem.path).name) for problem in catalog.problems]
    assert problems == [("unused", "spare"), ("left-out", "bad"), ("left-out", "good")]
    assert [path.name for path in catalog.left_out] == ["labels.json", "video.mp4", "3.jpg"]
    assert [path.name for path in catalog.litter] == ["Thumbs.db"]
    assert sum(use.files for use in catalog.uses) == 4


def test_what_belongs_to_no_category_is_named(tmp_path: Path) -> None:
    photographs(tmp_path, "bolt/good/0.jpg", "nut/good/1.jpg", "new/2.jpg", "3.jpg")
    problems = [one for catalog in open_catalogs(tmp_path) for one in catalog.problems]
    assert [(one.kind, Path(one.path)) for one in problems] == [
        ("unused", tmp_path),
        ("unused", tmp_path / "new"),
    ]


def test_a_lossy_mask_is_cut_at_half_and_others_above_zero(tmp_path: Path) -> None:
    from blemish.core.images import read_mask

    exact = np.asarray(mask()) > 0
    for name, options in (("a.jpg", {"quality": 30}), ("b.webp", {"quality": 30})):
        put(tmp_path, name, mask(), **options)
        assert np.abs(read_mask(tmp_path / name).astype(int) - exact).sum() <= 12
        put(tmp_path, name, mask(False), **options)
        assert not read_mask(tmp_path / name).any()
    for name, level in (("one.png", 1), ("ten.bmp", 10), ("grey.png", 100)):
        put(tmp_path, name, mask(level=level))
        assert (read_mask(tmp_path / name) == exact).all()


@pytest.mark.real
def test_real_photographs_are_no_masks_and_real_masks_are(real_data: Path) -> None:
    from blemish.data.mask_like import looks_of

    for category in ("screw", "metal_plate"):
        catalog: Catalog = open_catalogs(real_data / category)[0]
        paths = [Path(path) for path in catalog.table["path"]][:60]
        masks = [Path(path) for path in catalog.table["mask"].dropna()][:20]
        looks = looks_of([*paths, *masks])
        assert [path for path, look in looks.items() if look.mask_like] == masks


def test_loose_photographs_in_several_splits_are_a_guess(tmp_path: Path) -> None:
    photographs(tmp_path, *(f"{split}/{n}.png" for split in ("train", "valid", "test") for n in range(4)))
    with pytest.raises(CatalogError, match="nothing says which of its folders hold good parts"):
        open_catalog(tmp_path)


def test_silhouettes_in_a_folder_of_good_parts_are_parts(tmp_path: Path) -> None:
    for number in range(6):
        put(tmp_path, f"train/good/{number}.png", ImageOps.mirror(mask()) if number % 2 else mask())
        put(tmp_path, f"test/bad/{number}.png", photograph(number))
    assert len(open_catalog(tmp_path).train_normal()) == 6
    put(tmp_path, "train/good/9.png", photograph(9))
    with pytest.raises(CatalogError, match="look like masks"):
        open_catalog(tmp_path)
