"""Copies of good photographs in the memory bank: which there are, and that the fit keeps those that help."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blemish.core.errors import UsageError
from blemish.data.catalog import Catalog, open_catalog
from blemish.detectors.copies import NONE, Copies, can_be_meant, relit
from blemish.detectors.memory import patch_pool
from blemish.detectors.memory.copies_choice import Judged, helps
from blemish.detectors.memory.patch_pool import MOST_OTHERS, gather_copies
from blemish.detectors.memory.patchcore import PatchCore

Picture = npt.NDArray[np.uint8]
SIZE = 96
SMALL = {"size": SIZE, "coreset_size": 300, "context": 0}

KINDS = st.builds(Copies, st.integers(1, 40), st.booleans(), st.booleans(), st.booleans())


@given(KINDS)
def test_what_is_written_is_read_again(copies: Copies) -> None:
    assert Copies.written(str(copies)) == copies
    assert len(copies) == sum(map(len, copies.kinds()))
    assert can_be_meant(str(copies))


@pytest.mark.parametrize(
    "text", ["turn", "turn1", "turn361", "turn08", "turn4,turn8", "shift,shift", "none,shift", "", "turned8"]
)
def test_what_names_no_copies_is_refused(text: str, catalog: Catalog) -> None:
    assert not can_be_meant(text)
    with pytest.raises(UsageError, match=f"copies={text} is not possible for patchcore"):
        PatchCore(size=64, copies=text).fit(catalog)


@given(KINDS, st.sets(st.integers(0, 60)))
def test_a_copy_is_the_same_whichever_others_are_made(copies: Copies, wanted: set[int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    every = list(copies.of(picture, 8, range(len(copies))))
    some = list(copies.of(picture, 8, wanted))
    assert len(every) == len(copies)
    for (copy, angle), number in zip(some, sorted(wanted), strict=False):
        assert copy.shape == picture.shape and copy.dtype == np.uint8
        assert np.array_equal(copy, every[number][0]) and angle == every[number][1]


def test_copies_show_what_they_say() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    turns = {angle: copy for copy, angle in Copies(turns=4).of(picture, 8, range(3))}
    for quarters in (1, 2, 3):
        assert np.array_equal(turns[90.0 * quarters], np.rot90(picture, quarters))
    right, down, both = (copy for copy, _ in Copies(shift=True).of(picture, 8, range(3)))
    assert np.array_equal(right[:, 4:], picture[:, :-4]) and np.array_equal(down[4:], picture[:-4])
    assert np.array_equal(both[4:, 4:], picture[:-4, :-4])
    assert np.array_equal(relit(picture, gain=0.5), np.round(picture / 2 + 0).astype(np.uint8))


def needle(angle: float, seed: int) -> Picture:
    """A bolt that lies at an angle on a plain ground."""
    rng = np.random.default_rng(seed)
    picture = np.full((SIZE, SIZE, 3), 150, np.uint8)
    across = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))]) * 0.33 * SIZE
    head, tail = (tuple(np.rint(SIZE / 2 + sign * across).astype(int).tolist()) for sign in (1, -1))
    cv2.line(picture, head, tail, (60, 60, 60), SIZE // 10, cv2.LINE_AA)
    cv2.circle(picture, head, SIZE // 9, (30, 30, 30), -1, cv2.LINE_AA)
    return np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)


def photographs(folder: Path, angles: list[float]) -> Catalog:
    """Good bolts at these angles."""
    (folder / "train" / "good").mkdir(parents=True)
    for number, angle in enumerate(angles):
        path = folder / "train" / "good" / f"{number:02d}.png"
        cv2.imwrite(str(path), needle(angle, number))
    return open_catalog(folder)


@pytest.fixture(scope="module")
def lying_anyhow(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return photographs(
        tmp_path_factory.mktemp("anyhow"), np.random.default_rng(3).uniform(0, 360, 10).tolist()
    )


@pytest.fixture(scope="module")
def lying_still(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return photographs(tmp_path_factory.mktemp("still"), np.random.default_rng(3).uniform(-2, 2, 10).tolist())


@pytest.fixture(scope="module")
def turned(lying_anyhow: Catalog) -> PatchCore:
    return PatchCore(**SMALL).fit(lying_anyhow)


def test_parts_that_lie_anyhow_are_turned_and_parts_that_lie_still_are_not(
    turned: PatchCore, lying_anyhow: Catalog, lying_still: Catalog
) -> None:
    assert turned.copies_choice_ is not None
    assert turned.copies_choice_.copies.turns > 1
    assert turned.chosen()["copies"].startswith("turn")
    still = PatchCore(**SMALL).fit(lying_still)
    assert still.copies_choice_ is not None and still.copies_choice_.copies.turns == 1
    assert len(turned.memory_bank_) <= 300
    # Bolts at angles that were never photographed pass more easily.
    plain = PatchCore(**SMALL, copies=NONE).fit(lying_anyhow)
    unseen = [needle(angle, 100 + number) for number, angle in enumerate(range(5, 360, 45))]
    scores = [np.array([one.score for one in detector.predict(unseen)]) for detector in (plain, turned)]
    assert scores[1].max() < 0.9 * scores[0].max()


def test_the_fit_says_what_more_photographs_would_bring(turned: PatchCore) -> None:
    more = turned.more_photographs()
    assert more["photographs"] == 10
    assert 0 <= more["falls"] < 1 and more["upper"] > 0
    assert (more["falls"] > 0) == (more["upper"] < more["upper_of_half"])
    assert "10 more photographs" in more["in_words"]


def test_a_photographs_own_copies_are_no_part_of_the_bank_that_judges_it(lying_anyhow: Catalog) -> None:
    detector = PatchCore(**{**SMALL, "size": 64, "coreset_size": 100_000}, copies="turn4", robust=False)
    detector.fit(lying_anyhow)
    unseen = dict(detector.cross_predict(lying_anyhow, 10))
    paths = lying_anyhow.train_normal()
    for position in (0, 7):
        others = lying_anyhow.subset(np.setdiff1d(np.arange(len(paths)), [position]))
        without = detector.clone().fit(others).predict(paths[position])
        assert unseen[position].score == pytest.approx(without.score, rel=1e-4)


def test_copies_are_bounded_and_belong_to_their_photograph(
    lying_anyhow: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patch_pool, "MOST_TURNED", 50)
    detector = PatchCore(size=64)
    paths = lying_anyhow.train_normal()
    reading = detector.extractor(), detector._embedding(), paths
    pool = gather_copies(*reading, Copies(relit=True), 1, seed=0)
    assert len(pool.vectors) == len(paths) * 2 <= MOST_OTHERS
    assert pool.owners.tolist() == np.repeat(np.arange(len(paths)), 2).tolist()
    pool = gather_copies(*reading, Copies(turns=8), 1, seed=0)
    assert len(pool.vectors) == 50 < len(paths) * 7
    assert set(torch.unique(pool.owners).tolist()) == set(range(len(paths)))


def test_too_few_photographs_are_not_chosen_on(lying_still: Catalog) -> None:
    few = lying_still.subset(np.arange(3))
    detector = PatchCore(size=64, context=0, coreset_size=50).fit(few)
    assert detector.chosen() == {
        "copies": "relit",
        "copies because": "3 good photographs are too few to choose on; relit ones always",
    }


SCORES = st.lists(st.floats(1, 10), min_size=4, max_size=12).map(np.array)


@given(SCORES, SCORES)
def test_nothing_helps_that_changes_nothing_or_scales_all(good: np.ndarray, painted: np.ndarray) -> None:
    judged = Judged(good, painted)
    assert not helps(judged, judged)
    assert not helps(judged, Judged(good / 2, painted / 2))
    assert not helps(judged, Judged(good, painted / 2))
