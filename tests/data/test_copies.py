"""Copies: the same photograph re-encoded is found, other photographs of the same thing are not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.images import list_images
from blemish.data.copies import close_pairs, copy_groups
from blemish.data.sample_line import SAMPLE_CATEGORIES, sample_images


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four photographs of each category of the sample line, 128 x 128."""
    folder = tmp_path_factory.mktemp("photographs")
    paths = []
    for category in SAMPLE_CATEGORIES:
        for sample in sample_images(category, train=4, good=0, per_defect_type=0, size=128):
            paths.append(folder / f"{category}-{sample.index}.png")
            cv2.imwrite(str(paths[-1]), sample.image[..., ::-1])
    return paths


@settings(max_examples=25, deadline=None)
@given(
    number=st.integers(0, 4 * len(SAMPLE_CATEGORIES) - 1),
    suffix=st.sampled_from((".jpg", ".webp", ".bmp", ".tif")),
    quality=st.integers(50, 100),
    side=st.sampled_from((72, 96, 128, 150, 200)),
    together=st.sets(st.integers(0, 4 * len(SAMPLE_CATEGORIES) - 1)),
)
def test_a_re_encoded_copy_is_found_whatever_else_is_there(
    tmp_path_factory: pytest.TempPathFactory,
    photographs: list[Path],
    number: int,
    suffix: str,
    quality: int,
    side: int,
    together: set[int],
) -> None:
    copy = tmp_path_factory.mktemp("copy") / f"copy{suffix}"
    image = cv2.imread(str(photographs[number]))
    shrunken = cv2.resize(
        image, (side, side), interpolation=cv2.INTER_AREA if side < 128 else cv2.INTER_CUBIC
    )
    options = {".jpg": [cv2.IMWRITE_JPEG_QUALITY, quality], ".webp": [cv2.IMWRITE_WEBP_QUALITY, quality]}
    cv2.imwrite(str(copy), shrunken, options.get(suffix, []))
    others = sorted(together - {number})
    groups = copy_groups([photographs[number], *(photographs[other] for other in others), copy])
    assert groups.tolist() == [0, *range(1, 1 + len(others)), 0]


def test_files_that_cannot_be_read_are_copies_if_their_bytes_are_equal(tmp_path: Path) -> None:
    contents = (b"no image", b"another", b"no image")
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path, content in zip(paths, contents, strict=False):
        path.write_bytes(content)
    assert copy_groups(paths).tolist() == [0, 1, 0, 3]
    assert copy_groups([]).tolist() == []


def test_being_a_copy_is_passed_on_and_plain_pictures_are_told_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grey = [np.full((64, 64, 3), level, np.uint8) for level in (90, 90, 96)]
    texture = cv2.GaussianBlur(rng.normal(0, 25, (64, 64, 3)), (0, 0), 1.5)
    textured = np.clip(grey[0] + texture, 0, 255).astype(np.uint8)
    paths = []
    for number, image in enumerate([*grey, textured]):
        paths.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(paths[-1]), image)
    for quality in (90, 60):
        paths.append(tmp_path / f"{quality}.jpg")
        cv2.imwrite(str(paths[-1]), textured, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert copy_groups(paths).tolist() == [0, 0, 2, 3, 3, 3]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(0, 40), within=st.floats(0.5, 6))
def test_close_pairs_are_those_of_the_direct_computation(seed: int, count: int, within: float) -> None:
    vectors = np.random.default_rng(seed).normal(size=(count, 5)).astype(np.float32)
    direct = {
        (i, j)
        for i in range(count)
        for j in range(i + 1, count)
        if np.linalg.norm(vectors[i].astype(float) - vectors[j]) <= within
    }
    assert set(close_pairs(vectors, within)) == direct


@pytest.mark.real
@pytest.mark.parametrize("category", ["screw", "metal_plate"])
def test_real_parts_are_no_copies_of_each_other(real_data: Path, category: str) -> None:
    if not (real_data / category).is_dir():
        pytest.skip(f"{category} is absent")
    paths = list_images(real_data / category / "train")[:40] + list_images(real_data / category / "test")[:40]
    assert copy_groups(paths).tolist() == list(range(len(paths)))
