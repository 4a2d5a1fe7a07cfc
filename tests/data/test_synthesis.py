"""Painted defects of the literature, and the data set and contact sheet that `blemish synthesize` writes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data as skimage_data

from blemish.core.errors import BlemishError
from blemish.core.images import list_images, pixel_digest, read_image, read_mask
from blemish.data.catalog import open_catalog
from blemish.data.checks import check_catalog
from blemish.data.contact_sheet import GAP, HEAD, NAMES, TILE, contact_sheet
from blemish.data.painted_images import Painting, paint
from blemish.data.painting import NOTABLE, SMALLEST_AREA
from blemish.data.patch_defects import PAINTERS, PATCH_PAINTERS
from blemish.data.sample_line import SAMPLE_CATEGORIES, render_good
from blemish.data.synthetic import DEFECT_PAINTERS
from blemish.view.foreground import estimate_foreground

Call = Callable[..., Any]


def change(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return np.abs(after.astype(int) - before.astype(int)).max(axis=2)


def test_the_defects_of_the_issue_are_there_and_the_sample_line_keeps_its_six() -> None:
    assert {"twist", "cutpaste", "scar", "perlin", "scratch", "stain", "hole", "blur"} <= set(PAINTERS)
    assert list(DEFECT_PAINTERS) == ["scratch", "stain", "hole", "missing_piece", "foreign_body", "twist"]
    assert not set(DEFECT_PAINTERS) & set(PATCH_PAINTERS)


@pytest.mark.parametrize("kind", sorted(PATCH_PAINTERS))
@pytest.mark.parametrize("category", SAMPLE_CATEGORIES)
def test_mask_is_exactly_what_changed(category: str, kind: str) -> None:
    for seed in range(3):
        image, foreground = render_good(category, np.random.default_rng(seed), 160)
        after, mask = PAINTERS[kind](image, foreground, np.random.default_rng(seed))
        difference = change(image, after)
        assert after.dtype == np.uint8 and mask.dtype == np.bool_ and after.shape == image.shape
        assert difference[~mask].max() == 0
        assert (difference[mask] >= NOTABLE // 2).mean() > 0.8
        assert SMALLEST_AREA <= mask.mean() < 0.2


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(sorted(PAINTERS)),
    category=st.sampled_from(("washer", "label", "board")),
)
def test_a_defect_stays_on_the_part_to_the_pixel_where_that_is_asked(
    seed: int, kind: str, category: str
) -> None:
    image, foreground = render_good(category, np.random.default_rng(seed), 160)
    assert foreground is not None
    kept = image.copy()
    try:
        after, mask = paint(kind, image, foreground, np.random.default_rng(seed))
    except BlemishError:
        return
    assert not (mask & ~foreground).any()
    assert change(image, after)[~mask].max() == 0
    again, _ = paint(kind, image, foreground, np.random.default_rng(seed))
    assert np.array_equal(again, after) and np.array_equal(image, kept), "repeatable, and pure"
    grey = np.repeat(image[..., :1], 3, axis=2)
    damaged, _ = paint("perlin", grey, None, np.random.default_rng(seed))
    assert (damaged == damaged[..., :1]).all(), "no colour in a grey photograph"


@pytest.mark.parametrize("kind", sorted(PATCH_PAINTERS))
def test_sizes_and_strengths_are_obeyed_on_any_photograph(kind: str) -> None:
    image = np.ascontiguousarray(skimage_data.coffee()[:300, :400])

    def area(size: tuple[float, float]) -> float:
        masks = [PAINTERS[kind](image, None, np.random.default_rng(s), size=size)[1] for s in range(8)]
        return float(np.mean([mask.mean() for mask in masks]))

    def clarity(strength: tuple[float, float]) -> float:
        changes = []
        for seed in range(8):
            after, mask = PAINTERS[kind](image, None, np.random.default_rng(seed), strength=strength)
            assert change(image, after)[~mask].max() == 0
            changes.append(change(image, after)[mask].mean())
        return float(np.mean(changes))

    assert area((0.36, 0.40)) > 2.5 * area((0.12, 0.14))
    assert clarity((0.95, 1.0)) > 1.15 * clarity((0.25, 0.3))


def test_a_pasted_piece_comes_from_the_photograph_and_a_blur_keeps_its_mean() -> None:
    image, _ = render_good("gravel", np.random.default_rng(0), 200)
    after, mask = PAINTERS["blur"](image, None, np.random.default_rng(4), size=(0.3, 0.3), strength=(1, 1))
    core = cv2.erode(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert after[core].std() < 0.5 * image[core].std()
    assert abs(after[mask].mean() - image[mask].mean()) < 12
    red = np.zeros((120, 120, 3), np.uint8)
    red[:, :60] = (200, 30, 30)
    red[:, 60:] = (40, 30, 30)
    pasted, mask = PAINTERS["cutpaste"](red, None, np.random.default_rng(2), strength=(1, 1))
    assert mask.any() and set(np.unique(pasted[..., 1])) <= set(range(24, 37)), "no green that was not there"


def test_nothing_can_be_blurred_on_an_even_surface() -> None:
    with pytest.raises(BlemishError, match="No blur could be seen anywhere"):
        PAINTERS["blur"](np.full((90, 90, 3), 80, np.uint8), None, np.random.default_rng(0))


def test_the_part_is_told_from_an_even_ground_and_surfaces_have_none() -> None:
    for category in ("washer", "label"):
        image, part = render_good(category, np.random.default_rng(1), 200)
        found = estimate_foreground(image)
        assert part is not None and found is not None
        outlines, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        whole = cv2.drawContours(np.zeros(part.shape, np.uint8), outlines, -1, 1, cv2.FILLED) > 0
        assert (found & whole).sum() / (found | whole).sum() > 0.85
        assert (found & part).sum() > 0.95 * part.sum()
    for category in ("brick", "grass", "gravel"):
        for seed in range(4):
            assert estimate_foreground(render_good(category, np.random.default_rng(seed), 200)[0]) is None
    assert estimate_foreground(np.full((64, 96, 3), 128, np.uint8)) is None


def test_the_contact_sheet_shows_what_was_painted_and_says_what_cannot_be_seen() -> None:
    image, _ = render_good("label", np.random.default_rng(0), 200)
    sheet = contact_sheet([image], Painting(("stain", "cutpaste")))
    rows, column = (HEAD, HEAD + TILE + 6), 3 * TILE + 4 + GAP
    assert sheet.shape == (HEAD + 2 * (TILE + 6) + GAP, NAMES + 3 * column, 3)
    for top in rows:
        tiles = [
            [
                sheet[top : top + TILE, NAMES + number * column + place * (TILE + 2) :][:, :TILE].astype(int)
                for place in range(3)
            ]
            for number in range(3)
        ]
        changes = [np.abs(after - before).max(axis=2).mean() for before, after, _ in tiles]
        assert all(one > 1 for one in changes), changes
        for _, after, outlined in tiles:
            assert (np.abs(outlined - after).max(axis=2) > 60).mean() > 0.005, "an outline is drawn"
    even = contact_sheet([np.full((64, 64, 3), 100, np.uint8)], Painting(("twist",)))
    assert (even[HEAD + 30 :] == 255).all(axis=2).mean() > 0.9, "no picture where nothing can be seen"


def test_synthesize_writes_a_data_set_that_reads_back(blemish: Call, washers: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(washers, tmp_path / "washer"))
    copied = data / "train" / "good" / "copy.jpg"
    cv2.imwrite(
        str(copied), cv2.imread(str(data / "train" / "good" / "000.png")), [cv2.IMWRITE_JPEG_QUALITY, 80]
    )
    (data / "train" / "good" / "broken.png").write_bytes(b"no image")
    arguments = ("--defects", "stain,perlin", "--share", 0.5, "--foreground", "--json")
    outcome = blemish("synthesize", data, "--out", tmp_path / "set", *arguments)
    assert outcome.status == 0, outcome.stderr
    document = outcome.document
    assert [Path(one["path"]).name for one in document["skipped"]] == ["broken.png"]
    assert sum(document["test"].values()) + document["train"] == 13
    catalog = open_catalog(tmp_path / "set")
    assert catalog.counts() == {"train": {"good": document["train"]}, "test": document["test"]}
    assert check_catalog(catalog) == []
    sources = {pixel_digest(read_image(path)) for path in [*list_images(data / "train")[:12], copied]}
    for row in catalog.table.itertuples():
        if row.label == "normal":
            assert pixel_digest(read_image(row.path)) in sources
        else:
            assert read_mask(row.mask).mean() >= SMALLEST_AREA
    sheet = read_image(document["contact_sheet"])
    assert sheet.shape[0] == HEAD + 2 * (TILE + 6) + GAP
    first = {path.name: path.read_bytes() for path in list_images(tmp_path / "set")}
    assert blemish("synthesize", data, "--out", tmp_path / "set", *arguments).status == 0
    assert {path.name: path.read_bytes() for path in list_images(tmp_path / "set")} == first


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--defects", "dragon"), 2, "no defect 'dragon'"),
        (("--defects", "stain,stain"), 2, "named twice"),
        (("--share", 1), 2, "more than 0 and less than 1"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    blemish: Call, washers: Path, tmp_path: Path, options: tuple[object, ...], status: int, said: str
) -> None:
    outcome = blemish("synthesize", washers, "--out", tmp_path / "set", *options)
    assert outcome.status == status and said in outcome.stderr and "Traceback" not in outcome.stderr
    assert not (tmp_path / "set").exists()


def test_a_category_that_a_root_has_not_is_refused(blemish: Call, washers: Path, tmp_path: Path) -> None:
    outcome = blemish("synthesize", washers.parent, "--out", tmp_path / "set", "--category", "nut")
    assert outcome.status == 1 and "no category 'nut'" in outcome.stderr and "washer" in outcome.stderr
    few = tmp_path / "few"
    few.mkdir()
    for number in range(3):
        shutil.copy(washers / "train" / "good" / f"00{number}.png", few)
    outcome = blemish("synthesize", few, "--out", tmp_path / "set")
    assert outcome.status == 1 and "3 different good training images" in outcome.stderr
