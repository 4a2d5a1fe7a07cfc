"""Every layout is recognised by itself and read to the same kind of table."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blemish.core.errors import CatalogError
from blemish.data.catalog import Catalog, open_catalog, open_catalogs

COLUMNS = ["path", "split", "label", "defect_type", "mask"]


def write_images(root: Path, *names: str) -> None:
    """Small images, each with pixels of its own."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 2**32
        pixels = np.random.default_rng(seed).integers(0, 256, (16, 20), dtype=np.uint8)
        path.write_bytes(bytes(cv2.imencode(path.suffix.lower(), pixels)[1]))


def rows(catalog: Catalog) -> dict[str, tuple[str, str, str, str | None]]:
    """The table by path, with paths relative to the root."""

    def relative(path: str | None) -> str | None:
        return path and Path(path).relative_to(catalog.root).as_posix()

    assert list(catalog.table.columns) == COLUMNS
    assert list(catalog.table.index) == list(range(len(catalog)))
    assert list(catalog.table["path"]) == sorted(catalog.table["path"], key=Path)
    return {
        relative(path) or "": (split, label, kind, relative(mask))
        for path, split, label, kind, mask in catalog.table.itertuples(index=False)
    }


def kinds(catalog: Catalog) -> list[str]:
    return sorted(problem.kind for problem in catalog.problems)


def test_mvtec(tmp_path: Path) -> None:
    root = tmp_path / "screw"
    write_images(root, "train/good/0.png", "train/good/1.PNG", "test/good/0.png", "test/scratch/0.png")
    write_images(root, "test/scratch/1.png", "test/dent/0.png")
    write_images(
        root, "ground_truth/scratch/0_mask.png", "ground_truth/scratch/1.bmp", "ground_truth/dent/0_mask.png"
    )
    (root / "readme.txt").write_text("not an image")
    catalog = open_catalog(root)
    assert (catalog.layout, catalog.category, catalog.problems) == ("mvtec", "screw", ())
    assert rows(catalog) == {
        "test/dent/0.png": ("test", "anomalous", "dent", "ground_truth/dent/0_mask.png"),
        "test/good/0.png": ("test", "normal", "good", None),
        "test/scratch/0.png": ("test", "anomalous", "scratch", "ground_truth/scratch/0_mask.png"),
        "test/scratch/1.png": ("test", "anomalous", "scratch", "ground_truth/scratch/1.bmp"),
        "train/good/0.png": ("train", "normal", "good", None),
        "train/good/1.PNG": ("train", "normal", "good", None),
    }
    assert catalog.counts() == {"train": {"good": 2}, "test": {"dent": 1, "good": 1, "scratch": 2}}


def test_btad(tmp_path: Path) -> None:
    write_images(tmp_path, "train/ok/0.bmp", "test/ok/1.bmp", "test/ko/2.bmp", "ground_truth/ko/2.png")
    catalog = open_catalog(tmp_path)
    assert catalog.layout == "btad" and not catalog.problems
    assert rows(catalog)["test/ko/2.bmp"] == ("test", "anomalous", "ko", "ground_truth/ko/2.png")
    assert catalog.counts() == {"train": {"good": 1}, "test": {"good": 1, "ko": 1}}


@pytest.mark.parametrize(
    ("images", "opened"),
    [
        ("good/0.png", "good"),  # photographs of good parts only
        ("train/good/0.png", "train/good"),
        ("train/good/0.png", "train"),
        ("OK/0.png", "OK"),
        ("Normal/good/0.png", "Normal"),
        ("test/good/0.png", "test"),
        ("defects/good/0.png", "defects"),
        ("0.png", ""),
    ],
)
def test_a_class_or_a_split_names_no_category(tmp_path: Path, images: str, opened: str) -> None:
    root = tmp_path / "screw"
    write_images(root, images)
    assert open_catalog(root / opened).category == "screw"
    assert open_catalog(root / opened, "bolt").category == "bolt", "who names it is believed"


@pytest.mark.parametrize(
    ("stem", "category"), [("shift", "shift"), ("train", "screw"), ("manifest", "screw")]
)
def test_a_manifest_of_a_split_names_no_category(tmp_path: Path, stem: str, category: str) -> None:
    write_images(tmp_path / "screw", "0.png")
    path = tmp_path / "screw" / f"{stem}.csv"
    path.write_text("path\n0.png\n")
    assert open_catalog(path).category == category


def test_a_root_of_several_names_them(tmp_path: Path) -> None:
    write_images(
        tmp_path,
        "bolt/train/good/0.png",
        "nut/train/ok/0.png",
        "washer/good/0.png",
        ".cache/train/good/0.png",
    )
    assert [catalog.category for catalog in open_catalogs(tmp_path)] == ["bolt", "nut", "washer"]
    with pytest.raises(CatalogError, match=r"3 categories \(bolt, nut, washer\).*for example .*bolt"):
        open_catalog(tmp_path)
    assert open_catalog(tmp_path / "nut").layout == "btad"
    assert [catalog.category for catalog in open_catalogs(tmp_path / "washer")] == ["washer"]


@pytest.mark.parametrize(
    ("good", "bad"), [("good", "bad"), ("OK", "NG"), ("Normal", "Defective"), ("pass", "fail"), ("ok", "KO")]
)
def test_plain_folders_in_any_words(tmp_path: Path, good: str, bad: str) -> None:
    write_images(tmp_path, *(f"{good}/{number:02}.jpg" for number in range(20)))
    write_images(tmp_path, f"{bad}/x.jpg", f"{bad}/scratch/y.jpg", f"{bad}/dent/z.jpg")
    write_images(tmp_path, "masks/x.png", f"masks/{bad}/scratch/y_mask.png", "masks/dent/z.png")
    catalog = open_catalog(tmp_path)
    found = rows(catalog)
    assert catalog.layout == "folders" and not catalog.problems
    assert catalog.counts() == {"train": {"good": 16}, "test": {bad: 1, "dent": 1, "good": 4, "scratch": 1}}
    assert found[f"{bad}/x.jpg"] == ("test", "anomalous", bad, "masks/x.png")
    assert found[f"{bad}/scratch/y.jpg"][2:] == ("scratch", f"masks/{bad}/scratch/y_mask.png")
    assert found[f"{bad}/dent/z.jpg"][2:] == ("dent", "masks/dent/z.png")


@settings(max_examples=10, deadline=None)
@given(count=st.integers(1, 60))
@example(count=2)
def test_the_parting_of_good_images(tmp_path_factory: pytest.TempPathFactory, count: int) -> None:
    here, there = (tmp_path_factory.mktemp("part") for _ in range(2))
    for root, total in ((here, count), (there, count + 1)):
        for name in [f"good/{number}.png" for number in range(total)]:
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(b"not decoded")
    alone = open_catalog(here)
    assert set(alone.table["split"]) == {"train"}, "without bad images there is nothing to test"
    for root in (here, there):
        write_images(root, "bad/0.png")

    def tested(root: Path) -> set[str]:
        return {path for path, row in rows(open_catalog(root)).items() if row[:2] == ("test", "normal")}

    assert len(tested(here)) == (max(1, round(0.2 * count)) if count > 1 else 0)
    # One image more moves at most one or two images; the place on the disk moves none.
    assert len(tested(here) - tested(there)) <= 1
    assert tested(here) == tested(here)


def test_good_folder_alone_and_plain_images(tmp_path: Path) -> None:
    write_images(tmp_path / "a", "good/0.png", "good/1.png")
    write_images(tmp_path / "b", "line/monday/0.png", "line/monday/1.tiff", "line/monday/2.webp")
    assert open_catalog(tmp_path / "a").counts() == {"train": {"good": 2}, "test": {}}
    plain = open_catalog(tmp_path / "b")
    assert plain.layout == "images" and plain.counts() == {"train": {"good": 3}, "test": {}}
    assert rows(plain)["line/monday/1.tiff"] == ("train", "normal", "good", None)


@pytest.mark.parametrize(
    "telling", ["bad", "test/scratch", "line1/NG", "deep/er/train/good", "line/ground_truth"]
)
def test_defective_images_never_pass_for_good_ones(tmp_path: Path, telling: str) -> None:
    write_images(tmp_path, "0.png", f"{telling}/1.png")
    with pytest.raises(CatalogError, match="good"):
        open_catalog(tmp_path)


def write_visa(root: Path) -> None:
    names = [f"candle/Data/Images/Normal/{number}.JPG" for number in range(10)]
    defects = ["candle/Data/Images/Anomaly/000.JPG", "candle/Data/Images/Anomaly/001.JPG"]
    write_images(
        root, *names, *defects, "candle/Data/Masks/Anomaly/000.png", "candle/Data/Masks/Anomaly/001.png"
    )
    lines = [f"{name},normal," for name in names]
    lines += [f"{defects[0]},wax missing,candle/Data/Masks/Anomaly/000.png"]
    lines += [f'{defects[1]},"wax missing,spot",candle/Data/Masks/Anomaly/001.png']
    (root / "candle/image_anno.csv").write_text("image,label,mask\n" + "\n".join(lines) + "\n")


def test_visa_with_its_own_annotation_only(tmp_path: Path) -> None:
    write_visa(tmp_path)
    catalog = open_catalog(tmp_path / "candle")
    assert catalog.layout == "visa" and not catalog.problems
    assert catalog.counts() == {
        "train": {"good": 8},
        "test": {"good": 2, "wax missing": 1, "wax missing,spot": 1},
    }
    assert rows(catalog)["Data/Images/Anomaly/001.JPG"][3] == "Data/Masks/Anomaly/001.png"


@pytest.mark.parametrize("annotated", [True, False])
def test_visa_with_the_official_split(tmp_path: Path, annotated: bool) -> None:
    write_visa(tmp_path)
    table = ["object,split,label,image,mask"]
    for number in range(10):
        split = "train" if number < 7 else "test"
        table.append(f"candle,{split},normal,candle/Data/Images/Normal/{number}.JPG,")
    table.append("candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,candle/Data/Masks/Anomaly/000.png")
    table.append("candle,test,anomaly,candle/Data/Images/Anomaly/404.JPG,candle/Data/Masks/Anomaly/404.png")
    table.append("pcb1,train,normal,pcb1/Data/Images/Normal/0.JPG,")
    (tmp_path / "split_csv").mkdir()
    (tmp_path / "split_csv/1cls.csv").write_text("\n".join(table))
    if not annotated:
        (tmp_path / "candle/image_anno.csv").unlink()
    (catalog,) = open_catalogs(tmp_path)
    kind = "wax missing" if annotated else "anomaly"
    assert catalog.counts() == {"train": {"good": 7}, "test": {"good": 3, kind: 1}}
    assert catalog.problems[0].kind == "missing" and "404" in catalog.problems[0].path
    assert set(kinds(catalog)[1:]) == {"unused"}, "what the official split does not name is told"


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_manifest(tmp_path: Path, suffix: str) -> None:
    write_images(tmp_path, "photos/a.png", "photos/b.png", "photos/c.png", "masks/c.png", "elsewhere/d.png")
    absolute = str(tmp_path / "elsewhere/d.png")
    frame = pd.DataFrame(
        {
            "Path": ["photos/a.png", "photos\\b.png", "photos/c.png", absolute, "photos/gone.png"],
            "split": ["train", "Test", "testing", "TRAIN", "test"],
            "label": ["OK", "0", "NG", "normal", "good"],
            "defect_type": [None, "good", "scratch", None, None],
            "mask": [None, None, "masks/c.png", None, None],
            "operator": ["Ann", "Ann", "Bo", "Bo", "Bo"],
        }
    )
    path = tmp_path / f"shift{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    catalog = open_catalog(path)
    assert (catalog.layout, catalog.category, catalog.root) == ("manifest", "shift", tmp_path)
    assert rows(catalog) == {
        "elsewhere/d.png": ("train", "normal", "good", None),
        "photos/a.png": ("train", "normal", "good", None),
        "photos/b.png": ("test", "normal", "good", None),
        "photos/c.png": ("test", "anomalous", "scratch", "masks/c.png"),
    }
    assert kinds(catalog) == ["missing", "unused"]


def test_manifest_with_paths_only_and_one_within_a_folder(tmp_path: Path) -> None:
    write_images(tmp_path / "bolts", "1.png", "2.png")
    (tmp_path / "bolts/manifest.csv").write_text("path\n1.png\n2.png\n", encoding="utf-8-sig")
    catalog = open_catalog(tmp_path / "bolts")
    assert (catalog.layout, catalog.category) == ("manifest", "bolts")
    assert catalog.counts() == {"train": {"good": 2}, "test": {}}


def test_manifest_without_splits_is_parted_and_a_semicolon_will_do(tmp_path: Path) -> None:
    write_images(tmp_path, *(f"{number}.png" for number in range(11)))
    lines = [f"{number}.png;{'dent' if number == 10 else 'good'}" for number in range(11)]
    (tmp_path / "table.csv").write_text("path;defect_type\n" + "\n".join(lines))
    assert open_catalog(tmp_path / "table.csv").counts() == {
        "train": {"good": 8},
        "test": {"dent": 1, "good": 2},
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("path,label\na.png,good\na.png,maybe\n", ["line 3", "'maybe'", "defect_type"]),
        ("path,split\na.png,train\n\na.png,holdout\n", ["line 4", "'holdout'", "train or test"]),
        ("path,split\na.png,train\na.png,\n", ["line 3", "split is empty"]),
        ("path,label\na.png,\n", ["line 2", "label is empty"]),
        ("path,label,defect_type\na.png,good,scratch\n", ["line 2", "contradicts", "'scratch'"]),
        ("path,label\na.png,good,extra\n", ["line 2", "3 cells for 2 columns"]),
        ("path,label\n,good\n", ["line 2", "path is empty"]),
        ("file,label\na.png,good\n", ["no column named path", "file, label"]),
        ("path,path\na.png,a.png\n", ["column path twice"]),
        ("path\n", ["no rows"]),
        ("", ["no rows"]),
        ("path,label\na.png,bad\n", ["none of good parts"]),
        ("path\nnowhere.png\n", ["none of the images it names exist"]),
        (b"path\n\xff\xfe.png\n", ["not UTF-8"]),
        (b"PAR1 not really", ["cannot be read as a table"]),
    ],
)
def test_wrong_manifests_name_the_line_and_the_value(
    tmp_path: Path, content: str | bytes, words: list[str]
) -> None:
    write_images(tmp_path, "a.png")
    is_parquet = content[:4] == b"PAR1"
    path = tmp_path / ("table.parquet" if is_parquet else "table.csv")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CatalogError) as caught:
        open_catalog(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_masks_missing_and_left_over_are_reported(tmp_path: Path) -> None:
    write_images(tmp_path, "train/good/0.png", "test/good/0.png", "test/hole/0.png", "test/hole/1.png")
    assert not open_catalog(tmp_path).problems, "a catalog without any masks is fine"
    write_images(
        tmp_path, "ground_truth/hole/0_mask.png", "ground_truth/hole/9_mask.png", "ground_truth/good/0.png"
    )
    problems = [(problem.kind, Path(problem.path).name) for problem in open_catalog(tmp_path).problems]
    assert problems == [("mask-missing", "1.png"), ("mask-without-image", "9_mask.png")]


def test_empty_classes_and_unused_images_are_reported(tmp_path: Path) -> None:
    write_images(tmp_path, "train/good/0.png", "extra/good/0.png", "stray.png")
    (tmp_path / "test/hole").mkdir(parents=True)
    catalog = open_catalog(tmp_path)
    found = sorted(
        (problem.kind, Path(problem.path).relative_to(tmp_path).as_posix()) for problem in catalog.problems
    )
    assert found == [("empty-class", "test/hole"), ("unused", "."), ("unused", "extra/good")]


@pytest.mark.parametrize(
    "names", [[], ["notes.txt"], ["IMG_1.jxl", "IMG_2.jxl"], ["test/good/0.png", "train/x"]]
)
def test_nothing_to_learn_from_is_one_clear_error(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(CatalogError) as caught:
        open_catalog(tmp_path)
    text = str(caught.value)
    assert str(tmp_path) in text and "MVTec AD" in text and "BTAD" in text and "manifest" in text
    for suffix in {Path(name).suffix for name in names if not name.startswith(("test", "train"))}:
        assert suffix in text


def test_what_does_not_exist_or_is_no_manifest(tmp_path: Path) -> None:
    write_images(tmp_path, "photo.png")
    with pytest.raises(CatalogError, match="does not exist"):
        open_catalog(tmp_path / "nowhere")
    with pytest.raises(CatalogError, match="no manifest"):
        open_catalog(tmp_path / "photo.png")
