"""Equal photographs count once, and among equals nothing is left to chance: every detector, small drawn catalogs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from blemish.core.errors import BlemishError, CatalogError
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.copies import copies_in_words
from blemish.detectors.base import Detector
from blemish.detectors.classical.scores import DensityScore
from blemish.detectors.memory.coreset import first_of_equals, greedy_coreset
from blemish.detectors.registry import create_detector, detector_info, detector_names
from blemish.experiments.split_catalog import split_catalog
from blemish.line.artifact import NORMAL_SCORES, read_artifact
from blemish.making.build import BuildSummary, build_inspector

Picture = npt.NDArray[np.uint8]
SIDE = 64
SHORT: dict[str, Any] = {
    "size": 64,
    "coreset_size": 60,
    "copies": "none",
    "bank_size": 60,
    "epochs": 1,
    "examples_per_epoch": 8,
}
SHORT |= {
    "precision": "float32",
    "distillation_steps": 2,
    "width": 16,
    "rotations": 2,
    "members": ("padim", "knn"),
}
TRAINED = {name for name in detector_names() if "epochs" in detector_info(name).parameters}


def plate(seed: int) -> Picture:
    """A textured surface."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)), (0, 0), 2.0) * 60
    return np.clip(noise + 128 + 3 * rng.normal(size=(SIDE, SIDE)), 0, 255).astype(np.uint8)


def part(seed: int) -> Picture:
    """A part on a black ground: most of its patches are equal."""
    picture = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(picture, (30 + seed % 5, 32), 12, (140 + seed,), -1)
    return picture


def flat(grey: int, side: int = SIDE) -> Picture:
    return np.full((side, side), grey, np.uint8)


KINDS: dict[str, tuple[list[Picture], int]] = {
    "black frames": ([*(plate(n) for n in range(24)), *[flat(0)] * 9], 25),
    "each thrice": ([plate(n // 3) for n in range(24)], 8),
    "all equal but two": ([*[plate(0)] * 12, plate(1), plate(2)], 3),
    "two colours": ([*[flat(60)] * 6, *[flat(170)] * 6], 2),
    "flat grounds": ([part(n) for n in range(12)], 12),
    "two colours of many sizes": ([flat(60 if n % 2 else 170, SIDE + n) for n in range(22)], 22),
}
"""Photographs, and how many of them differ."""


def make(name: str, **parameters: Any) -> Detector:
    wanted = {**SHORT, **parameters}
    return create_detector(name, **{k: v for k, v in wanted.items() if k in detector_info(name).parameters})


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Catalog]:
    """Each kind with a few photographs to test, for those that learn from defects."""
    found = {}
    for kind, (pictures, _) in KINDS.items():
        root = tmp_path_factory.mktemp("equal") / kind.replace(" ", "-")
        tested = {
            "test/good": [plate(100 + n) for n in range(6)],
            "test/bad": [plate(200 + n) for n in range(6)],
        }
        for picture in tested["test/bad"]:
            picture[20:36, 24:40] = 255
        masks = [np.where(picture == 255, picture, 0) for picture in tested["test/bad"]]
        for folder, images in {"train/good": pictures, **tested, "ground_truth/bad": masks}.items():
            (root / folder).mkdir(parents=True)
            for number, image in enumerate(images):
                name = f"{number:03d}{'_mask' if folder.startswith('ground') else ''}.png"
                cv2.imwrite(str(root / folder / name), image)
        found[kind] = open_catalog(root)
    return found


def built(detector: Detector, catalog: Catalog, out: Path) -> tuple[BuildSummary, npt.NDArray[np.float32]]:
    summary = build_inspector(catalog, out, detector, folds=3)
    return summary, read_artifact(out).array(NORMAL_SCORES)


FIRST, *OTHERS = KINDS
ALL_KINDS = {"patchcore", "local-outlier-factor"}  # by neighbours, and by all that is classical
# Others see what differs for them most, and what trains sees one kind: training is the same whatever it is shown.
PAIRS = [(name, FIRST) for name in detector_names()]
PAIRS += [(name, kind) for name in sorted(ALL_KINDS) for kind in OTHERS]
PAIRS += [
    (name, kind)
    for name in detector_names()
    for kind in ("flat grounds", "two colours of many sizes")
    if name not in TRAINED | ALL_KINDS | {"ensemble"}
]
PAIRS += [("cae", "all equal but two")]


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_an_inspector_is_made_or_the_cause_is_named(
    name: str, kind: str, catalogs: dict[str, Catalog], tmp_path: Path
) -> None:
    pictures, different = KINDS[kind]
    try:
        summary, scores = built(make(name), catalogs[kind], tmp_path / "x.blemish")
    except CatalogError as refused:
        assert different < 5
        copies = len(pictures) - different
        assert f"{different} different good training images ({copies} more show the same pixels)" in str(
            refused
        )
        return
    assert summary.parity_error < 1e-3 and np.isfinite(scores).all()
    assert summary.n_train == different + summary.n_labelled
    assert len(summary.copies) == len(pictures) - different
    kept = {Path(one["same_as"]).name for one in summary.copies}
    assert not kept & {Path(one["path"]).name for one in summary.copies}


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["patchcore", "few-shot"])
def test_scores_do_not_depend_on_threads(
    name: str, catalogs: dict[str, Catalog], tmp_path: Path, threads: None
) -> None:
    scores = []
    for count in (1, 2):
        torch.set_num_threads(count)
        scores.append(built(make(name), catalogs["flat grounds"], tmp_path / "x.blemish")[1])
    assert scores[0] == pytest.approx(scores[1], rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("name", ["padim", "local-outlier-factor", "elliptic-envelope", "patchcore"])
def test_what_is_learnt_does_not_depend_on_the_order_of_files(
    name: str, catalogs: dict[str, Catalog], tmp_path: Path
) -> None:
    # PatchCore's bank begins at a patch that the seed draws by its place: it holds every different patch here.
    catalog = catalogs["black frames"]
    shuffled = np.random.default_rng(0).permutation(33)
    for place, path in zip(shuffled, catalog.train_normal(), strict=True):
        shutil.copy(path, tmp_path / f"{place:02d}.png")
    tested = [Path(path) for path in catalog.test()["path"]]
    detectors = [make(name, coreset_size=5000, context=0) for _ in range(2)]
    said = [
        [prediction.score for prediction in detector.fit(data).predict(tested)]
        for detector, data in zip(detectors, (catalog, open_catalog(tmp_path)), strict=True)
    ]
    assert said[0] == pytest.approx(said[1], rel=1e-3)


@pytest.mark.parametrize("name", ["knn", "patchcore", "padim", "local-outlier-factor"])
def test_a_copy_is_never_on_both_sides_of_a_fold(name: str, catalogs: dict[str, Catalog]) -> None:
    catalog = catalogs["each thrice"]
    detector = make(name).fit(catalog)
    unseen = dict(detector.cross_predict(catalog, 4))
    assert sorted(unseen) == list(range(0, 24, 3))  # the first of each three
    alone = catalog.subset(np.flatnonzero(catalog.table["split"] == "train")[::3])
    again = [one.score for _, one in sorted(make(name).fit(alone).cross_predict(alone, 4))]
    assert [unseen[position].score for position in sorted(unseen)] == again


def test_copies_are_told_whatever_the_file(tmp_path: Path) -> None:
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number}.png"), plate(number))
    for name in ("a.bmp", "b.tif"):
        cv2.imwrite(str(tmp_path / name), plate(0))
    cv2.imwrite(str(tmp_path / "c.jpg"), plate(0))  # re-encoded: another photograph
    summary, _ = built(make("padim"), open_catalog(tmp_path), tmp_path / "x.blemish")
    assert summary.n_train == 7
    assert [(Path(one["path"]).name, Path(one["same_as"]).name) for one in summary.copies] == [
        ("a.bmp", "0.png"),
        ("b.tif", "0.png"),
    ]
    said = copies_in_words(summary.copies, summary.n_train)
    assert said.startswith(
        "3 photographs show the same pixels as others and count once, so 7 of 9 are learnt from"
    )
    again, _ = built(make("padim"), open_catalog(tmp_path), tmp_path / "x.blemish")  # from the cache
    assert again.copies == summary.copies


def test_a_search_leaves_copies_out_and_says_so(catalogs: dict[str, Catalog], tmp_path: Path) -> None:
    split = split_catalog(catalogs["each thrice"], "test", tmp_path)
    left = split.catalog.train_normal()
    assert [path.name for path in left] == [f"{number:03d}.png" for number in range(0, 24, 3)]
    assert len(split.skipped) == 16
    assert all("shows the same pixels as" in one["detail"] for one in split.skipped)


def test_images_in_memory_count_once() -> None:
    images = [plate(n) for n in range(5)]
    tested = plate(9)
    once, thrice = (make("padim").fit(given).predict(tested) for given in (images, images * 3))
    assert once.score == thrice.score


def test_one_photograph_labelled_good_and_defective_is_refused(
    catalogs: dict[str, Catalog], tmp_path: Path
) -> None:
    root = tmp_path / "plates"
    shutil.copytree(catalogs["each thrice"].root, root)
    shutil.copy(root / "test/bad/001.png", root / "train/good/wrong.png")
    with pytest.raises(CatalogError, match=r"wrong\.png is labelled good and .*001\.png defective"):
        built(make("classifier"), open_catalog(root), tmp_path / "x.blemish")


def plain_picks(rows: npt.NDArray[np.float64], size: int, start: int) -> list[int]:
    """The plain greedy loop; `argmax` gives the first of equals."""
    nearest, picks = np.full(len(rows), np.inf), [start]
    while len(picks) < size:
        nearest = np.minimum(nearest, np.square(rows - rows[picks[-1]]).sum(1))
        if nearest.max() == 0:
            break
        picks.append(int(nearest.argmax()))
    return picks


@pytest.mark.parametrize("block", [1, 3, 16, 400])
@pytest.mark.parametrize("seed", range(5))
def test_a_coreset_picks_the_first_of_equals(seed: int, block: int) -> None:
    rows = np.random.default_rng(seed).choice([-2.0, 0.0, 2.0], (300, 4))
    rows[150:] *= -1  # so that the mean is zero, and every distance exact
    rows[150:] = -rows[:150]
    picks = greedy_coreset(torch.from_numpy(rows), 40, block=block, start=7).tolist()
    assert picks == plain_picks(rows, 40, 7)


def test_equal_rows_are_found() -> None:
    rows = torch.randn(50, 20, generator=torch.Generator().manual_seed(0))
    rows[30], rows[31], rows[40] = rows[2], rows[2], rows[7]
    rows[1, 3], rows[9] = 0.0, rows[1]
    rows[9, 3] = -0.0
    rows[20, :19] = rows[21, :19]  # all but one value
    expected = list(range(50))
    expected[30] = expected[31] = 2
    expected[40], expected[9] = 7, 1
    assert first_of_equals(rows).tolist() == expected


def test_rounding_chooses_no_neighbour_of_the_local_outlier_factor() -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "rows": rng.normal(size=(30, 4)),
        "reach": np.full(30, 0.1),
        "density": rng.uniform(1, 9, 30),
        "neighbours": np.array([3]),
    }
    far = torch.full((1, 4), 1e9)  # from where all good rows are as far
    order = rng.permutation(30)
    moved = {name: array[order] if len(array) == 30 else array for name, array in arrays.items()}
    scores = [float(DensityScore(given, 2.0)(far)[0]) for given in (arrays, moved)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)


def test_refusals_are_the_projects_own(catalogs: dict[str, Catalog], tmp_path: Path) -> None:
    with pytest.raises(BlemishError) as refused:
        built(make("local-outlier-factor"), catalogs["two colours"], tmp_path / "x.blemish")
    assert "pip freeze" not in str(refused.value)
