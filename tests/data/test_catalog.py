"""The catalog's own methods, and the checks that look into the images."""

from __future__ import annotations

import shutil
import tracemalloc
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from blemish.core.images import DecodeLimits
from blemish.data.catalog import PROBLEM_KINDS, Catalog, open_catalog, open_catalogs
from blemish.data.checks import check_catalog, glance_at_catalog, proposed_bit_depth
from blemish.data.entries import Problem


def texture(seed: int, height: int = 24, width: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (height, width), dtype=np.uint8)


def save(path: Path, pixels: np.ndarray, encoding: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(cv2.imencode(encoding or path.suffix, pixels)[1]))
    return path


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A catalog without a problem: four images to train, two good and two defective to test, with masks."""
    root = tmp_path / "bolt"
    mask = np.zeros((24, 32), np.uint8)
    mask[5:9, 7:12] = 255
    for number in range(4):
        save(root / f"train/good/{number}.png", texture(number))
    for number in range(2):
        save(root / f"test/good/{number}.png", texture(10 + number))
        save(root / f"test/hole/{number}.png", texture(20 + number))
        save(root / f"ground_truth/hole/{number}_mask.png", mask)
    return root


def found(root: Path) -> set[tuple[str, str]]:
    """Kinds of problems and the files they name."""
    problems = check_catalog(open_catalog(root))
    assert all(problem.kind in PROBLEM_KINDS for problem in problems)
    return {(problem.kind, Path(problem.path).relative_to(root).as_posix()) for problem in problems}


def test_a_sound_catalog_has_no_problem(sound: Path) -> None:
    assert found(sound) == set()


def test_methods(sound: Path) -> None:
    catalog = open_catalog(sound)
    assert len(catalog) == 8
    assert catalog.train_normal() == [sound / f"train/good/{number}.png" for number in range(4)]
    test = catalog.test()
    assert list(test.index) == [0, 1, 2, 3] and set(test["split"]) == {"test"}
    assert [mask is None for mask in test["mask"]] == [True, True, False, False]
    anomalous = catalog.subset(catalog.table["label"] == "anomalous")
    assert anomalous.counts() == {"train": {}, "test": {"hole": 2}}
    assert list(anomalous.table.index) == [0, 1] and len(catalog) == 8
    by_position = catalog.subset([7, 0])
    assert list(by_position.table["path"]) == [catalog.table["path"][0], catalog.table["path"][7]]
    assert by_position.category == "bolt"
    with pytest.raises(IndexError):
        catalog.subset([99])


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda root: (root / "test/good/1.png").write_bytes(b""), ("empty", "test/good/1.png")),
        (
            lambda root: (root / "test/good/1.png").write_bytes(
                (root / "test/good/0.png").read_bytes()[:300]
            ),
            ("truncated", "test/good/1.png"),
        ),
        (
            lambda root: save(root / "test/good/1.png", texture(11), ".bmp"),
            ("wrong-extension", "test/good/1.png"),
        ),
        (
            lambda root: save(root / "test/good/1.png", texture(11, 4, 4)),
            ("too-small", "test/good/1.png"),
        ),
        (
            lambda root: save(root / "ground_truth/hole/1_mask.png", np.ones((24, 31), np.uint8)),
            ("mask-size", "ground_truth/hole/1_mask.png"),
        ),
        (
            lambda root: save(root / "ground_truth/hole/1_mask.png", np.zeros((24, 32), np.uint8)),
            ("mask-empty", "ground_truth/hole/1_mask.png"),
        ),
        (
            lambda root: save(root / "ground_truth/hole/1_mask.png", np.ones((24, 32), np.uint8)),
            ("mask-large", "ground_truth/hole/1_mask.png"),
        ),
        (
            lambda root: (root / "ground_truth/hole/1_mask.png").write_text("no mask"),
            ("not-an-image", "ground_truth/hole/1_mask.png"),
        ),
        (
            lambda root: (root / "ground_truth/hole/1_mask.png").unlink(),
            ("mask-missing", "test/hole/1.png"),
        ),
        # The same pixels, stored in another format: only their digest can tell.
        (
            lambda root: save(root / "train/good/9.bmp", texture(10)),
            ("duplicate-across-splits", "train/good/9.bmp"),
        ),
        (lambda root: save(root / "train/good/9.bmp", texture(2)), ("duplicate", "train/good/9.bmp")),
        (
            lambda root: save(root / "test/hole/1.png", texture(11)),
            ("duplicate-across-labels", "test/hole/1.png"),
        ),
        (lambda root: save(root / "train/good/9.png", texture(9, 20, 20)), ("mixed-sizes", ".")),
        (lambda root: shutil.copytree(root / "train/good", root / "spare"), ("unused", "spare")),
        (lambda root: (root / "test/stain").mkdir(), ("empty-class", "test/stain")),
        (lambda root: (root / "test/good/x.png").mkdir(), ("not-an-image", "test/good/x.png")),
    ],
)
def test_each_fault_is_found_and_nothing_else(sound: Path, damage, expected: tuple[str, str]) -> None:  # type: ignore[no-untyped-def]
    damage(sound)
    assert found(sound) - {("mixed-sizes", ".")} == {expected} - {("mixed-sizes", ".")}
    assert expected in found(sound)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_sixteen_bit_images_of_fewer_bits(tmp_path: Path, bits: int) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png", texture(number).astype(np.uint16) << (bits - 8))
    problems = check_catalog(open_catalog(tmp_path))
    if bits == 16:
        assert not problems
    else:
        assert [problem.kind for problem in problems] == ["bit-depth"]
        assert f"a bit depth of {bits}" in problems[0].detail and f"--bit-depth {bits}." in problems[0].detail


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_sixteen_bit_images_whose_lower_bits_are_unused_need_nothing(tmp_path: Path, bits: int) -> None:
    for number in range(3):
        low_bits = np.uint16((1 << (16 - bits)) - 1)
        save(tmp_path / f"{number}.png", (texture(number).astype(np.uint16) * 257) & ~low_bits)
    assert not check_catalog(open_catalog(tmp_path))


def test_a_bit_depth_is_proposed_where_no_value_needs_more() -> None:
    assert [proposed_bit_depth(brightest) for brightest in (None, 0, 1, 3, 4, 15, 16, 63)] == [
        None, 8, 10, 10, 12, 12, 14, 14,
    ]  # fmt: skip
    assert {proposed_bit_depth(brightest) for brightest in range(64, 256)} == {None}


def test_names_that_say_no_format_are_not_wrong(tmp_path: Path) -> None:
    for number, name in enumerate(("part.jpg.1", "part", "part.JPG_original", "part.jfif", "part.pjpeg")):
        save(tmp_path / name, texture(number), ".jpg")
    assert {problem.kind for problem in check_catalog(open_catalog(tmp_path))} == set()
    save(tmp_path / "part.gif", texture(9), ".jpg")
    (problem,) = check_catalog(open_catalog(tmp_path))
    assert problem.kind == "wrong-extension" and "rename it to end in .jpg." in problem.detail


def test_nothing_readable_is_fatal(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"nothing")
    problems = check_catalog(open_catalog(tmp_path))
    assert [(problem.kind, problem.fatal) for problem in problems] == [
        ("not-an-image", False),
        ("empty-class", True),
    ]
    assert problems[0].to_json() == {
        "kind": "not-an-image",
        "path": str(tmp_path / "0.png"),
        "detail": problems[0].detail,
        "fatal": False,
    }


def test_limits_reach_the_checks(sound: Path) -> None:
    problems = check_catalog(open_catalog(sound), DecodeLimits(max_pixels=100))
    assert Counter(problem.kind for problem in problems) == {"too-large": 8, "empty-class": 1}


def test_memory_of_checks_does_not_grow_with_the_images(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        root = tmp_path / str(count)
        for number in range(count):
            pixels = np.zeros((512, 512), np.uint8)
            pixels[0, 0], pixels[0, 1] = number % 256, number // 256 + 1
            save(root / f"{number}.png", pixels)
        catalog = open_catalog(root)
        tracemalloc.start()
        assert check_catalog(catalog) == []
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    few, many = peak(5), peak(100)
    assert many - few < 512 * 512 * 3, "less than one image more for 95 images more"


@pytest.mark.real
def test_real_sets_open_undecoded_with_the_counts_of_their_page(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decoded(*_: object) -> None:
        pytest.fail("opening a set decodes no photograph: it would take minutes")

    monkeypatch.setattr(cv2, "imdecode", decoded)
    monkeypatch.setattr(cv2, "imread", decoded)
    monkeypatch.setattr(Image.Image, "load", decoded)
    catalogs = {catalog.category: catalog for catalog in open_catalogs(real_data)}
    monkeypatch.undo()
    totals = {name: _totals(catalog) for name, catalog in catalogs.items()}
    assert totals["screw"] == (320, 41, 119)
    assert totals["magnetic_tile"] == (721, 231, 392)
    assert totals["metal_plate"] == (54, 26, 71)
    assert catalogs["screw"].counts()["test"]["scratch_neck"] == 25
    for catalog in catalogs.values():
        assert catalog.layout == "mvtec" and catalog.problems == ()
        assert catalog.table.loc[catalog.table["label"] == "anomalous", "mask"].notna().all()


@pytest.mark.real
def test_checks_find_the_known_flaws_of_the_magnetic_tiles(real_data: Path) -> None:
    catalog = open_catalog(real_data / "magnetic_tile")
    uneven = catalog.subset((catalog.table["defect_type"] == "uneven") | (catalog.table["split"] == "train"))
    problems = check_catalog(uneven)
    assert Counter(_kinds(problems)) == {"mask-empty": 4, "mixed-sizes": 1}


def _totals(catalog: Catalog) -> tuple[int, int, int]:
    counts = catalog.counts()
    good = counts["test"]["good"]
    return counts["train"]["good"], good, sum(counts["test"].values()) - good


def _kinds(problems: list[Problem]) -> list[str]:
    return [problem.kind for problem in problems]


def test_a_glance_tells_no_more_than_a_look(tmp_path: Path) -> None:
    kinds = {
        "jpg": "JPEG",
        "png": "PNG",
        "bmp": "BMP",
        "tif": "TIFF",
        "webp": "WEBP",
        "gif": "GIF",
        "ppm": "PPM",
    }
    for number, (suffix, kind) in enumerate(kinds.items()):
        values = np.random.default_rng(number).integers(0, 255, (40, 60, 3), np.uint8)
        Image.fromarray(values).save(tmp_path / f"{number}.{suffix}", kind)
    deep = np.random.default_rng(9).integers(0, 65535, (40, 60), np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    catalog = open_catalog(tmp_path)
    assert len(catalog) == len(kinds) + 1
    assert check_catalog(catalog) == glance_at_catalog(catalog) == []
    for path in tmp_path.glob("0.*"):
        (tmp_path / f"copy{path.suffix}").write_bytes(path.read_bytes())
        (tmp_path / "short.jpg").write_bytes(path.read_bytes()[:20])
    told = [(one.kind, Path(one.path).name) for one in glance_at_catalog(open_catalog(tmp_path))]
    assert ("duplicate", "copy.jpg") in told and "short.jpg" in {name for _, name in told} and len(told) == 2
