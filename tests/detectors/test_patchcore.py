"""PatchCore: what the paper says, computed a second time, slowly, with NumPy and SciPy."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from good_images import first_good
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.spatial.distance import cdist
from skimage.transform import resize

from blemish.core.errors import CatalogError, UsageError
from blemish.core.images import read_image
from blemish.core.network import CompiledNetwork
from blemish.core.types import Prediction
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.sample_line import write_sample_line
from blemish.detectors.base import Detector
from blemish.detectors.memory.bank import BankRecipe
from blemish.detectors.memory.patch_pool import PatchPool, bank_rows
from blemish.detectors.memory.patchcore import PatchCore
from blemish.detectors.memory.reduction import learn_projection
from blemish.detectors.registry import create_detector
from blemish.features.onnx_export import to_onnx
from blemish.view.preprocessing import preprocess

Array = npt.NDArray[np.float64]
SIZE = 128
PLAIN: dict[str, Any] = {"size": SIZE, "coreset_size": 150, "score": "patches", "copies": "none"}
CONTEXTUAL: dict[str, Any] = {**PLAIN, "context": 4}


def enlarged(maps: npt.NDArray[Any], height: int, width: int) -> Array:
    """C x h x w maps, bilinearly to C x height x width."""
    last = np.moveaxis(np.asarray(maps, np.float64), 0, -1)
    return np.moveaxis(resize(last, (height, width), order=1, mode="edge", anti_aliasing=False), -1, 0)


def patches_of(detector: PatchCore, path: Path) -> Array:
    """Patch vectors of a photograph, h x w x D: 3 x 3 means with zeros outside, on the finest tap's grid."""
    wide = detector.neighbourhood
    maps = [np.asarray(tap, np.float64) for tap in detector.extractor().extract(path)]
    means = [uniform_filter(tap, (0, wide, wide), mode="constant") for tap in maps]
    fine = [means[0], *(enlarged(tap, *means[0].shape[1:]) for tap in means[1:])]
    return np.moveaxis(np.concatenate(fine), 0, -1)


def distances_of(detector: PatchCore, path: Path) -> Array:
    """Distance of every patch to the memory bank, h x w."""
    patches = patches_of(detector, path)
    bank = detector.memory_bank_.numpy()
    return cdist(patches.reshape(-1, patches.shape[2]), bank).min(1).reshape(patches.shape[:2])


def score_of(distances: Array, top: float) -> float:
    """Mean of the highest `top` share of the distances, their maximum if that is less than one."""
    count = max(1, round(top * distances.size))
    return float(np.sort(distances, axis=None)[-count:].mean())


def map_of(detector: PatchCore, distances: Array) -> Array:
    """Bilinear to the input's size, then a Gaussian."""
    large = enlarged(distances[None], detector.size, detector.size)[0]
    return gaussian_filter(large, detector.sigma, mode="reflect") if detector.sigma else large


def context_of(detector: PatchCore, path: Path) -> float:
    """What the good images most like this one score above the mean of all."""
    context = detector.context_
    assert context is not None
    descriptor = patches_of(detector, path).mean((0, 1))
    apart = (((context.descriptors.numpy() - descriptor) / context.scale.numpy()) ** 2).sum(1)
    similar = np.argsort(apart)[: context.similar]
    scores = context.scores.double().numpy()
    return float(context.slope * (scores[similar].mean() - scores.mean()))


def with_slope(detector: PatchCore, slope: float) -> PatchCore:
    """A detector that has learnt the same, but for the slope of its context."""
    changed = copy.copy(detector)
    assert detector.context_ is not None
    changed.context_ = dataclasses.replace(detector.context_, slope=slope)
    return changed


def predict(detector: Detector, paths: list[Path]) -> list[Prediction]:
    return list(detector.predict(paths))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Enough good images for a context."""
    out = tmp_path_factory.mktemp("many")
    (folder,) = write_sample_line(out, ("gravel",), train=25, good=2, per_defect_type=1, size=SIZE)
    return open_catalog(folder)


@pytest.fixture(scope="module")
def contextual(many: Catalog) -> PatchCore:
    """Fitted with the usual context."""
    return PatchCore(**CONTEXTUAL).fit(many)


@pytest.fixture(scope="module")
def plain(catalog: Catalog) -> PatchCore:
    return PatchCore(**PLAIN).fit(catalog)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"score": "map"},
        {"top": 0.0},
        {"top": 1.0, "sigma": 0.0},
        {"neighbourhood": 5, "sigma": 9.0},
        {"taps": (8,)},
    ],
    ids=str,
)
def test_score_and_map_are_those_of_a_slow_implementation(
    changes: dict[str, Any], plain: PatchCore, catalog: Catalog, tested: list[Path]
) -> None:
    detector = PatchCore(**{**PLAIN, **changes}).fit(first_good(catalog, 4)) if changes else plain
    for path, prediction in zip(tested, predict(detector, tested), strict=True):
        distances = distances_of(detector, path)
        expected = map_of(detector, distances)
        score = expected.max() if detector.score == "map" else score_of(distances, detector.top)
        assert prediction.score == pytest.approx(score, rel=1e-4)
        assert np.abs(prediction.anomaly_map - expected).max() <= 1e-4 * expected.max()


def test_the_bank_is_the_plain_greedy_coreset_of_all_patches(catalog: Catalog) -> None:
    # One tap of few channels, so that no random projection stands between.
    detector = PatchCore(**{**PLAIN, "taps": (8,), "coreset_size": 60}).fit(first_good(catalog, 4))
    bank = detector.memory_bank_.numpy().astype(np.float64)
    patches = np.concatenate(
        [patches_of(detector, path).reshape(-1, bank.shape[1]) for path in catalog.train_normal()[:4]]
    )
    nearest = np.full(len(patches), np.inf)
    for vector, following in itertools.pairwise(bank):
        nearest = np.minimum(nearest, np.linalg.norm(patches - vector, axis=1))
        pick = patches[nearest.argmax()]
        np.testing.assert_allclose(following, pick, rtol=1e-4, atol=1e-4 * np.abs(pick).max())
    assert len(bank) == 60


def test_a_pool_smaller_than_all_patches_still_holds_nothing_but_patches(
    plain: PatchCore, catalog: Catalog, tested: list[Path]
) -> None:
    pooled = PatchCore(**PLAIN, pool=1000).fit(catalog)
    bank = pooled.memory_bank_.numpy()
    paths = catalog.train_normal()
    owners = np.array(
        [cdist(bank, patches_of(pooled, path).reshape(-1, bank.shape[1])).min(1) for path in paths]
    )
    scale = np.linalg.norm(bank, axis=1).mean()
    assert owners.min(0).max() <= 1e-5 * scale
    assert len(set(owners.argmin(0))) > len(paths) / 2, "most images have a say"
    mine = np.array([one.score for one in predict(pooled, tested)])
    whole = np.array([one.score for one in predict(plain, tested)])
    np.testing.assert_allclose(mine, whole, rtol=0.25)


def test_the_bank_has_the_size_asked_for(catalog: Catalog) -> None:
    few = first_good(catalog, 3)
    assert len(PatchCore(**PLAIN).fit(few).memory_bank_) == PLAIN["coreset_size"]
    ratio = PatchCore(**PLAIN, coreset_ratio=0.05).fit(few)
    patches = 3 * int(np.prod(ratio.grid_))
    assert len(ratio.memory_bank_) == round(0.05 * patches)


def test_reweighting_is_the_papers_equation_7(catalog: Catalog, tested: list[Path]) -> None:
    few = first_good(catalog, 4)
    weighted = PatchCore(**PLAIN, top=0.0, reweighting=9).fit(few)
    bank = weighted.memory_bank_.numpy().astype(np.float64)
    for path, prediction in zip(tested, predict(weighted, tested), strict=True):
        patches = patches_of(weighted, path).reshape(-1, bank.shape[1])
        apart = cdist(patches, bank)
        worst = apart.min(1).argmax()
        nearest = apart[worst].argmin()
        company = np.argsort(np.linalg.norm(bank - bank[nearest], axis=1))[:9]
        raised = np.exp(apart[worst, company])
        weight = 1 - np.exp(apart[worst, nearest]) / raised.sum()
        assert prediction.score == pytest.approx(weight * apart[worst, nearest], rel=1e-4)


def test_the_preset_of_the_paper_is_that_of_a_slow_implementation(
    catalog: Catalog, tested: list[Path]
) -> None:
    # One tap of few channels, so that no random projection stands between; the seed's first pick is given.
    few = first_good(catalog, 4)
    detector = create_detector("patchcore", "paper", size=SIZE, taps=(8,)).fit(few)
    assert isinstance(detector, PatchCore)
    patches = np.concatenate([patches_of(detector, path).reshape(-1, 40) for path in few.train_normal()])
    first = detector.memory_bank_.numpy()[0]
    bank = [patches[np.linalg.norm(patches - first, axis=1).argmin()]]
    nearest = np.full(len(patches), np.inf)
    while len(bank) < round(0.1 * len(patches)):
        nearest = np.minimum(nearest, np.linalg.norm(patches - bank[-1], axis=1))
        bank.append(patches[nearest.argmax()])
    around = cdist(bank, bank).argsort(1)[:, :9]
    for path, prediction in zip(tested, predict(detector, tested), strict=True):
        apart = cdist(patches_of(detector, path).reshape(-1, 40), bank)
        worst = apart.min(1).argmax()
        raised = np.exp(apart[worst, around[apart[worst].argmin()]])
        score = (1 - np.exp(apart[worst].min()) / raised.sum()) * apart[worst].min()
        assert prediction.score == pytest.approx(score, rel=1e-4)


def averaged_patches(detector: PatchCore, path: Path) -> Array:
    """Patch vectors as the paper's own code computes them: unfold, enlarge, average a tap, average all taps."""
    wide, wanted = detector.neighbourhood, detector.dimensions
    taps = [torch.from_numpy(tap)[None].double() for tap in detector.extractor().extract(path)]
    rows, columns = taps[0].shape[2:]
    joined = []
    for tap in taps:
        height, width = tap.shape[2:]
        unfolded = F.unfold(tap, wide, padding=wide // 2).reshape(1, -1, height, width)
        fine = F.interpolate(unfolded, (rows, columns), mode="bilinear", align_corners=False)
        joined.append(F.adaptive_avg_pool1d(fine[0].flatten(1).T[None], wanted)[0])
    pooled: Array = F.adaptive_avg_pool1d(torch.stack(joined, 1).reshape(1, rows * columns, -1), wanted)[
        0
    ].numpy()
    return pooled


@pytest.mark.parametrize("dimensions", [30, 64, 700], ids=str)
def test_averages_are_those_of_the_papers_code(dimensions: int, catalog: Catalog, tested: list[Path]) -> None:
    averaged = PatchCore(**PLAIN, taps=(4, 8, 16), dimensions=dimensions, reduction="average")
    averaged.fit(first_good(catalog, 2))
    bank = averaged.memory_bank_.numpy()
    assert bank.shape[1] == dimensions
    for path, prediction in zip(tested, predict(averaged, tested), strict=True):
        distances = cdist(averaged_patches(averaged, path), bank).min(1)
        assert prediction.score == pytest.approx(score_of(distances, averaged.top), rel=1e-4)


def test_principal_components_are_those_of_a_slow_implementation(
    catalog: Catalog, tested: list[Path]
) -> None:
    few = first_good(catalog, 3)
    reduced = PatchCore(**PLAIN, coreset_ratio=1.0, top=1.0, dimensions=20).fit(few)
    patches = np.concatenate([patches_of(reduced, path).reshape(-1, 152) for path in few.train_normal()])
    assert reduced.memory_bank_.shape == (len(patches), 20), "all of the pool is kept"
    components = np.linalg.svd(patches - patches.mean(0), full_matrices=False)[2][:20]
    for path, prediction in zip(tested, predict(reduced, tested), strict=True):
        rows = patches_of(reduced, path).reshape(-1, 152)
        distances = cdist(rows @ components.T, patches @ components.T).min(1)
        assert prediction.score == pytest.approx(distances.mean(), rel=1e-4)


def test_a_crop_is_the_middle_of_the_photograph(catalog: Catalog, tested: list[Path], tmp_path: Path) -> None:
    few, inner = first_good(catalog, 3), slice(32, 96)
    for number, path in enumerate([*few.train_normal(), *tested]):
        folder = tmp_path / ("train" if number < 3 else "test") / "good"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(read_image(path)[inner, inner]).save(folder / f"{number:03d}.png")
    middle = open_catalog(tmp_path)
    cropped = PatchCore(**{**PLAIN, "coreset_size": 60}, crop=64).fit(few)
    small = PatchCore(**{**PLAIN, "coreset_size": 60, "size": 64}).fit(middle)
    middles = predict(small, [Path(path) for path in middle.test()["path"]])
    for mine, theirs in zip(predict(cropped, tested), middles, strict=True):
        assert mine.score == pytest.approx(theirs.score, rel=1e-4)
        assert mine.anomaly_map.shape == (SIZE, SIZE)
        scale = theirs.anomaly_map.max()
        assert np.abs(mine.anomaly_map[inner, inner] - theirs.anomaly_map).max() <= 1e-4 * scale
        outside = np.ones((SIZE, SIZE), bool)
        outside[inner, inner] = False
        np.testing.assert_allclose(mine.anomaly_map[outside], mine.anomaly_map.min(), atol=1e-5 * scale)


@pytest.mark.parametrize(
    "changes",
    [
        {"dimensions": 16},
        {"dimensions": 30, "reduction": "average", "crop": 96},
        {"crop": 64, "reweighting": 5},
    ],
    ids=str,
)
def test_crop_and_reduction_are_part_of_the_graph(
    changes: dict[str, Any], catalog: Catalog, tested: list[Path]
) -> None:
    detector = PatchCore(**PLAIN, **changes).fit(first_good(catalog, 3))
    runtime = CompiledNetwork(to_onnx(detector.network(), torch.zeros(1, 3, SIZE, SIZE), ["score", "map"]))
    for path, prediction in zip(tested, predict(detector, tested), strict=True):
        score, anomaly_map = runtime(preprocess(read_image(path), detector.preprocessing())[None])
        assert score.item() == pytest.approx(prediction.score, rel=1e-3)
        apart = np.abs(anomaly_map - prediction.anomaly_map).max()
        assert apart <= 1e-3 * prediction.anomaly_map.max()


@pytest.mark.parametrize(
    ("preset", "size", "bank"),
    [
        ("wide", {"size": 96}, (round(0.01 * 3 * 144), 1536)),
        ("light-pca", {"size": 256}, (3 * 64, 128)),
        ("official", {"size": 96, "crop": 64}, (round(0.1 * 3 * 64), 1024)),
    ],
    ids=["wide", "light-pca", "official"],
)
def test_presets_of_large_backbones(
    preset: str, size: dict[str, int], bank: tuple[int, int], catalog: Catalog, tested: list[Path]
) -> None:
    detector = create_detector("patchcore", preset, weights="random", **size).fit(first_good(catalog, 3))
    assert detector.memory_bank_.shape == bank
    for prediction in predict(detector, tested[:1]):
        assert np.isfinite(prediction.score) and prediction.score > 0
        assert prediction.anomaly_map.shape == (size["size"], size["size"])


def test_a_context_is_subtracted_from_score_and_map(contextual: PatchCore, many: Catalog) -> None:
    detector = contextual
    # A steep slope, so that it cannot hide.
    steep = with_slope(detector, 0.8)
    paths = [Path(path) for path in many.test()["path"][:4]]
    offsets = [context_of(steep, path) for path in paths]
    for path, offset, prediction in zip(paths, offsets, predict(steep, paths), strict=True):
        distances = distances_of(steep, path) - offset
        assert prediction.score == pytest.approx(score_of(distances, steep.top), rel=1e-4)
        assert np.abs(prediction.anomaly_map - map_of(steep, distances)).max() <= 1e-4 * distances.max()
    assert np.abs(offsets).max() > 1e-3 * score_of(distances, steep.top)


def test_a_context_is_learnt_from_good_images_left_out(contextual: PatchCore, many: Catalog) -> None:
    detector, paths = contextual, many.train_normal()
    context = detector.context_
    assert context is not None
    descriptors, scale = context.descriptors.numpy(), context.scale.numpy()
    looks = np.array([patches_of(detector, path).mean((0, 1)) for path in paths])
    order = cdist(looks, descriptors).argmin(1)
    assert sorted(order) == list(range(len(paths)))
    np.testing.assert_allclose(descriptors[order], looks, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(scale, looks.std(0, ddof=1), rtol=1e-3, atol=1e-5)
    learnt = [score_of(distances_of(detector, path), detector.top) for path in paths]
    assert float(context.scores.mean()) > np.mean(learnt), "what is unseen is farther"
    scores, similar = context.scores.double().numpy(), context.similar
    assert 1 <= similar <= len(paths) / 5
    scaled = descriptors / scale
    apart = cdist(scaled, scaled)
    np.fill_diagonal(apart, np.inf)
    expected = scores[np.argsort(apart, axis=1)[:, :similar]].mean(1)
    slope = np.polyfit(expected, scores, 1)[0]
    assert context.slope == pytest.approx(np.clip(slope, 0, 1), abs=1e-3)


def test_reweighting_and_context_go_together(many: Catalog) -> None:
    both = PatchCore(**CONTEXTUAL, top=0.0, reweighting=5).fit(many)
    both = with_slope(both, 1.0)
    bare = copy.copy(both)
    bare.context_ = None
    paths = [Path(path) for path in many.test()["path"][:4]]
    weighted = predict(bare, paths)
    for path, one, plain in zip(paths, predict(both, paths), weighted, strict=True):
        distance = float(distances_of(both, path).max())
        weight = plain.score / distance
        assert 0 < weight < 1
        assert one.score == pytest.approx(weight * (distance - context_of(both, path)), rel=1e-3)


@pytest.mark.parametrize(
    "changes", [{}, {"score": "map"}, {"top": 0.0, "reweighting": 5}, {"dimensions": 16}], ids=str
)
def test_scoring_as_if_unseen_is_fitting_on_the_others(changes: dict[str, Any], catalog: Catalog) -> None:
    few = first_good(catalog, 7)
    # Of banks that hold all patches the order of choice means nothing.
    detector = PatchCore(**{**PLAIN, "coreset_size": 5000, **changes}).fit(few)
    fast = dict(detector.cross_predict(few, 3))
    slow = dict(Detector.cross_predict(detector, few, 3))  # fits anew for each fold
    assert sorted(fast) == sorted(slow) == list(range(7))
    for position, prediction in fast.items():
        assert prediction.score == pytest.approx(slow[position].score, rel=1e-4)
        np.testing.assert_allclose(prediction.anomaly_map, slow[position].anomaly_map, rtol=1e-3, atol=1e-3)


def test_a_bank_without_some_images_goes_on_from_the_whole_one() -> None:
    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(4000, 12)).astype(np.float32))
    owners = torch.arange(4000) // 400
    whole = bank_rows(rows, 300, 0)
    left = torch.nonzero(owners != 3)[:, 0]
    begun = torch.searchsorted(left, whole[owners[whole] != 3])
    filled, fresh = bank_rows(rows[left], 300, 0, begun), bank_rows(rows[left], 300, 0)
    assert filled[: len(begun)].tolist() == begun.tolist() and len(begun) < 300
    assert len(set(filled.tolist())) == 300
    holes, gaps, best = (
        float(torch.cdist(rows[left], rows[left][chosen]).amin(1).max()) for chosen in (begun, filled, fresh)
    )
    assert gaps < holes and gaps <= 1.05 * best, "the gaps are filled"


@pytest.mark.parametrize("components", [0, 5])
@given(seed=st.integers(0, 2**16), size=st.integers(1, 900), copies=st.integers(0, 40))
@settings(max_examples=25, deadline=None)
def test_banks_without_some_images_are_what_is_chosen_for_each_alone(
    components: int, seed: int, size: int, copies: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = torch.from_numpy(rng.normal(size=(800, 70)).astype(np.float32))
    rows[rng.integers(800, size=copies)] = rows[0].clone()  # patches that several images have
    owners = torch.arange(800) // 100
    pool = PatchPool(rows, owners, (10, 10), 800, torch.zeros(800, 3, dtype=torch.int32))
    parts = [
        np.array([0, 5]),
        np.array([3]),
        np.array([1, 2, 4]),
        np.array([6, 9]),
    ]  # 7 is in none, 9 has none
    recipe = BankRecipe(size, seed, components)
    whole = recipe.of(pool).rows
    banks = list(recipe.without(pool, parts))
    assert len(banks) == len(parts)
    for part, bank in zip(parts, banks, strict=True):
        assert not np.isin(owners[bank.rows].numpy(), part).any()
        kept = torch.from_numpy(np.flatnonzero(~np.isin(owners.numpy(), part)))
        begun = torch.searchsorted(kept, whole[torch.isin(whole, kept)])
        left = rows[kept]
        if components:
            left = learn_projection(left, components, seed).of_rows(left)
        assert torch.equal(bank.vectors, left[bank_rows(left, size, seed, begun)])


def test_calibration_images_are_a_limit(catalog: Catalog) -> None:
    detector = PatchCore(**PLAIN, calibration_images=5).fit(catalog)
    positions = [position for position, _ in detector.cross_predict(catalog, 4)]
    assert len(positions) == len(set(positions)) == 5


def test_a_second_fit_forgets_the_first(catalog: Catalog, tmp_path: Path) -> None:
    copies = tmp_path / "train" / "good"
    copies.mkdir(parents=True)
    good = catalog.train_normal()
    for number in range(4):
        shutil.copy(good[number], copies / f"{number}.png")
    own = open_catalog(tmp_path)
    detector = PatchCore(**PLAIN).fit(own)
    before = [one.score for _, one in detector.cross_predict(own, 2)]
    for number in range(4):
        shutil.copy(good[number + 4], copies / f"{number}.png")
    again = [one.score for _, one in detector.fit(own).cross_predict(own, 2)]
    fresh = [one.score for _, one in PatchCore(**PLAIN).fit(own).cross_predict(own, 2)]
    assert again == fresh
    assert again != before


def test_three_images_are_enough_and_one_is_not(catalog: Catalog, tested: list[Path]) -> None:
    three = PatchCore(size=SIZE).fit(first_good(catalog, 3))  # all defaults, context among them
    assert all(np.isfinite(one.score) for one in predict(three, tested))
    assert len(list(three.cross_predict(first_good(catalog, 3), 4))) == 3
    with pytest.raises(CatalogError, match="1 good training images and at least 2"):
        PatchCore(size=SIZE).fit(first_good(catalog, 1))


def test_seeds_make_the_difference(plain: PatchCore, catalog: Catalog) -> None:
    bank = plain.memory_bank_.numpy()
    assert np.array_equal(bank, PatchCore(**PLAIN).fit(catalog).memory_bank_.numpy())
    assert not np.array_equal(bank, PatchCore(**PLAIN, seed=1).fit(catalog).memory_bank_.numpy())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crop", 80),
        ("crop", 256),
        ("dimensions", -1),
        ("reduction", "umap"),
        ("neighbourhood", 0),
        ("neighbourhood", 4),
        ("coreset_size", 0),
        ("coreset_ratio", 1.5),
        ("coreset_ratio", -0.1),
        ("pool", 10),
        ("score", "sum"),
        ("top", 1.1),
        ("top", float("nan")),
        ("context", -1),
        ("reweighting", -1),
        ("sigma", -1.0),
        ("sigma", float("nan")),
        ("calibration_images", 1),
        ("size", 100),
        ("size", 32),
        ("size", 4096),
        ("taps", (5,)),
        ("backbone", "no_such_network"),
        ("bit_depth", 7),
    ],
)
def test_values_that_cannot_be_meant_are_refused(name: str, value: Any, catalog: Catalog) -> None:
    with pytest.raises(UsageError) as refused:
        PatchCore(**{**PLAIN, name: value}).fit(first_good(catalog, 2))
    told = value[0] if isinstance(value, tuple) else value
    assert str(told) in str(refused.value)


def test_fewer_than_two_folds_are_refused(plain: PatchCore, catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="1 folds"):
        list(plain.cross_predict(catalog, 1))
