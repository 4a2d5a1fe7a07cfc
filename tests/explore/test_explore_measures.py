"""The mathematics of exploring, against second implementations and known answers."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from skimage.filters import laplace
from sklearn.metrics import roc_auc_score

from blemish.core.same_photograph import signature
from blemish.explore.defects import INPUT_SIZES, WHOLE_CELL, DefectMap, measure_mask, recommended_size
from blemish.explore.duplicates import near_duplicates
from blemish.explore.embedding import image_maps
from blemish.explore.insights import good_parts_needed, promised_false_rejects
from blemish.explore.mask_agreement import agreements, exchanged_pairs
from blemish.explore.measures import histograms, measure
from blemish.explore.outliers import normal_range
from blemish.explore.samples import mask_overlay
from blemish.explore.statistics import compare_classes, compared_sample, holm, unlike_measures


def photograph(seed: int, height: int = 80, width: int = 100) -> np.ndarray:
    random = np.random.default_rng(seed)
    grey = cv2.GaussianBlur(random.normal(0, 160, (height, width, 1)).astype(np.float32), (0, 0), 2)
    colour = cv2.GaussianBlur(random.normal(0, 40, (height, width, 3)).astype(np.float32), (0, 0), 4)
    smooth = grey.reshape(height, width, 1) + colour
    return np.clip(smooth + 120, 0, 255).astype(np.uint8)


def test_exposure_agrees_with_numpy() -> None:
    image = photograph(1)
    image[:40] = 255
    image[40:50] = 0
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float)
    found = measure(image)
    assert found.brightness == pytest.approx(grey.mean())
    assert found.contrast == pytest.approx(grey.std())
    assert found.white_share == pytest.approx(np.mean(grey >= 254))
    assert found.black_share == pytest.approx(np.mean(grey <= 1))
    assert found.highlight == 255
    assert found.shadow == 0


def test_focus_is_the_variance_of_the_laplacian() -> None:
    image = photograph(2)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float)
    assert measure(image).focus == pytest.approx(laplace(grey)[1:-1, 1:-1].var(), rel=0.05)


@pytest.mark.parametrize("sigma", [3.0, 8.0, 15.0])
def test_noise_is_estimated_in_grey_levels(sigma: float) -> None:
    noise = np.random.default_rng(3).normal(0, sigma, (200, 200))
    grey = np.clip(120 + noise, 0, 255).astype(np.uint8)
    found = measure(np.repeat(grey[..., None], 3, axis=2)).noise
    assert found == pytest.approx(sigma, rel=0.1)


def test_grey_has_no_cast_and_a_tint_has_its_direction() -> None:
    grey = np.repeat(photograph(4)[..., :1], 3, axis=2)
    assert (measure(grey).cast_a, measure(grey).cast_b) == (0.0, 0.0)
    blue = np.clip(grey.astype(int) + np.array([-20, -20, 30]), 0, 255).astype(np.uint8)
    assert measure(blue).cast_b < -10


def test_histograms_are_shares() -> None:
    image = photograph(5)
    found = histograms(image)
    expected = np.histogram(image[..., 1], bins=64, range=(0, 256))[0] / image[..., 1].size
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found[1], expected, rtol=1e-5)


@given(st.floats(0.5, 100), st.floats(-1000, 1000), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_a_normal_range_follows_scale_and_ignores_a_few_wild_values(
    scale: float, place: float, seed: int
) -> None:
    values = np.random.default_rng(seed).normal(size=200)
    low, high = normal_range(values)
    assert low < values.min()
    assert high > values.max()
    moved = normal_range(values * scale + place)
    np.testing.assert_allclose(moved, (low * scale + place, high * scale + place), rtol=1e-6, atol=1e-6)
    spoilt = values.copy()
    spoilt[:15] = 1e6
    assert normal_range(spoilt)[1] < 12
    assert normal_range(np.zeros(20), least=5) == (-5.0, 5.0)


def test_near_duplicates_are_found_through_scaling_compression_light_and_noise() -> None:
    images = [photograph(seed) for seed in range(30)]
    random = np.random.default_rng(0)
    copies = [
        cv2.resize(images[3], (73, 61), interpolation=cv2.INTER_AREA),
        cv2.imdecode(cv2.imencode(".jpg", images[7], [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR),
        np.clip(images[11] * 0.8 + 20, 0, 255).astype(np.uint8),
        np.clip(images[13] + random.normal(0, 4, images[13].shape), 0, 255).astype(np.uint8),
    ]
    found = near_duplicates(np.stack([signature(image) for image in images + copies]))
    assert [(first, second) for first, second, _ in found] == [(3, 30), (7, 31), (11, 32), (13, 33)]
    assert all(0.985 <= correlation <= 1.000001 for *_, correlation in found)


def test_parts_under_a_fixed_camera_are_no_duplicates() -> None:
    part = photograph(0).astype(np.float32)
    random = np.random.default_rng(1)
    own = [
        cv2.GaussianBlur(random.normal(0, 30, part.shape).astype(np.float32), (0, 0), 1.2) for _ in range(40)
    ]
    images = [np.clip(part + texture, 0, 255).astype(np.uint8) for texture in own]
    plain = np.corrcoef([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).ravel() for image in images])
    assert np.median(plain) > 0.8, "they must look alike for the test to mean anything"
    assert near_duplicates(np.stack([signature(image) for image in images])) == []


def test_regions_of_a_mask() -> None:
    mask = np.zeros((100, 200), bool)
    mask[10:20, 20:60] = True
    mask[70:90, 150:170] = True
    mask[50, 100] = True  # a speck
    measured = measure_mask(mask)
    bar, square = measured.regions
    assert (bar.area, square.area) == (400 / 20000, 400 / 20000)
    assert (bar.x, bar.y) == (pytest.approx(0.2), pytest.approx(0.15))
    assert bar.elongation == pytest.approx(4, rel=0.02)
    assert square.elongation == pytest.approx(1, rel=0.02)
    assert square.solidity == pytest.approx(1, abs=0.06)
    assert measured.grid.mean() == pytest.approx(mask.mean(), rel=1e-4)


def test_the_heatmap_is_the_mean_mask_whatever_the_sizes() -> None:
    defects = DefectMap()
    for size in (64, 128, 200):
        mask = np.zeros((size, size), bool)
        mask[: size // 2] = True
        defects.add("upper", f"{size}.png", measure_mask(mask))
    defects.add("nothing", "empty.png", measure_mask(np.zeros((64, 64), bool)))
    heatmap = defects.heatmap()
    np.testing.assert_allclose(heatmap[:31], 1, atol=1e-6)
    np.testing.assert_allclose(heatmap[33:], 0, atol=1e-6)
    assert list(defects.counts) == ["upper"]
    assert len(defects.table()) == 3


@given(st.floats(1e-5, 0.2), st.integers(100, 4000))
@settings(max_examples=40, deadline=None)
def test_the_recommended_size_is_the_smallest_that_shows_the_defects(area: float, longest: int) -> None:
    size = recommended_size(np.full(50, area), longest)
    enough = [side for side in INPUT_SIZES if area * side**2 >= WHOLE_CELL**2]
    shown = [side for side in INPUT_SIZES if side <= longest] or [INPUT_SIZES[0]]
    assert size.recommended == min(enough[0] if enough else INPUT_SIZES[-1], shown[-1])
    assert size.smallest[512] == pytest.approx(area * 512**2)
    short = "closer" in size.reason or "--smallest-defect" in size.reason
    assert short == (not enough or enough[0] > shown[-1])


@given(st.integers(1, 3000))
@settings(max_examples=30, deadline=None)
def test_promised_false_rejects_are_the_clopper_pearson_bound(n: int) -> None:
    exact = binomtest(0, n, alternative="less").proportion_ci(0.95, method="exact").high
    assert promised_false_rejects(n) == pytest.approx(exact)
    assert (
        promised_false_rejects(good_parts_needed(0.01))
        <= 0.01
        < promised_false_rejects(good_parts_needed(0.01) - 1)
    )


def test_agreement_is_the_area_under_the_roc_curve() -> None:
    random = np.random.default_rng(0)
    maps = random.normal(size=(5, 60)).round(1).astype(np.float32)
    masks = random.random((5, 60)) > 0.7
    found = agreements(maps, masks)
    for i in range(5):
        for j in range(5):
            assert found[i, j] == pytest.approx(roc_auc_score(masks[j], maps[i]))


def test_exchanged_masks_need_evidence_from_both_and_from_the_others() -> None:
    agreement = np.full((12, 12), 0.5)
    np.fill_diagonal(agreement, 0.95)
    assert exchanged_pairs(agreement) == []
    agreement[[2, 5], [2, 5]] = 0.45
    agreement[[2, 5], [5, 2]] = 0.97
    assert exchanged_pairs(agreement) == [(2, 5)]
    one_sided = agreement.copy()
    one_sided[5, 2] = 0.6
    assert exchanged_pairs(one_sided) == []
    vague = agreement.copy()
    vague[[7, 8, 9], [7, 8, 9]] = 0.5
    assert exchanged_pairs(vague) == []


@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=12))
@settings(max_examples=50, deadline=None)
def test_holms_correction_rejects_what_its_steps_reject(p_values: list[float]) -> None:
    corrected = holm(p_values)
    for level in (0.001, 0.01, 0.05, 0.2):
        rejected = set()
        for step, place in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
            if (len(p_values) - step) * p_values[place] > level:
                break
            rejected.add(place)
        assert {place for place, value in enumerate(corrected) if value <= level} == rejected


def test_the_strongest_measure_comes_first_and_its_doubles_are_left_out() -> None:
    random = np.random.default_rng(3)
    bad = np.arange(200) % 2
    strong, weak = bad * 3 + random.normal(size=200), bad * 0.8 + random.normal(size=200)
    table = pd.DataFrame(
        {
            "split": "test", "label": np.where(bad == 1, "anomalous", "normal"), "width": 4, "height": 3,
            "weak": weak, "double": np.exp(-strong), "strong": strong + 1e-3 * random.normal(size=200),
        }
    )  # fmt: skip
    ranked = [found.measure for found in compare_classes(table, ("weak", "double", "strong"))]
    assert ranked[2] == "weak"
    assert unlike_measures(table, (), ranked, 4) == [ranked[0], "weak"]
    assert unlike_measures(table, (), ranked, 1) == ranked[:1]
    assert unlike_measures(table, ("width", "strong"), ["double", "weak"], 1) == ["width", "strong", "weak"]


def test_costly_measures_are_of_the_compared_photographs_evenly() -> None:
    table = pd.DataFrame(
        {
            "split": ["train"] * 100 + ["test"] * 60,
            "label": ["normal"] * 130 + ["anomalous"] * 30,
        }
    )
    assert compared_sample(table) == frozenset(range(100, 160))
    chosen = sorted(compared_sample(table, most=20))
    assert (len(chosen), chosen[0], chosen[-1]) == (20, 100, 159)
    assert sum(index >= 130 for index in chosen) == 10
    assert compared_sample(table[table["label"] == "normal"]) == frozenset()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_cliffs_delta_counts_pairs(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(0, 8, 30).astype(float)
    labels = np.where(np.arange(30) % 3 == 0, "anomalous", "normal")
    table = pd.DataFrame({"split": "test", "label": labels, "brightness": values, "width": 4, "height": 3})
    (found,) = compare_classes(table, ("brightness",))
    bad, good = values[labels == "anomalous"], values[labels == "normal"]
    signs = np.sign(bad[:, None] - good[None, :])
    assert found.effect == pytest.approx(signs.mean())
    assert 0 <= found.p_value <= 1
    assert found.normal == np.median(good)


def test_the_map_keeps_groups_apart() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(60, 20)).astype(np.float32)
    vectors[30:] += 4
    pca = image_maps(vectors)[0]
    assert pca.method == "PCA"
    assert pca.points.shape == (60, 2)
    assert math.copysign(1, pca.points[:30, 0].max()) != math.copysign(1, pca.points[30:, 0].min()) or (
        pca.points[:30, 0].min() > pca.points[30:, 0].max()
    )
    assert 0 < (pca.explained or 0) <= 1
    assert image_maps(vectors[:2]) == []


def test_mask_overlay_is_jet_at_three_tenths() -> None:
    image, mask = photograph(9), np.zeros((80, 100), bool)
    mask[20:40, 30:60] = True
    drawn = mask_overlay(image, mask).astype(float)
    outside, inside = (
        image[0, 0] * 0.7 + 0.3 * np.array([0, 0, 128]),
        image[30, 40] * 0.7 + 0.3 * np.array([128, 0, 0]),
    )
    np.testing.assert_allclose(drawn[0, 0], outside, atol=1)
    np.testing.assert_allclose(drawn[30, 40], inside, atol=1)


@pytest.mark.slow  # umap-learn compiles itself for a minute
def test_umap_keeps_like_photographs_together() -> None:
    pytest.importorskip("umap", reason="umap-learn is not installed")
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 20)
    vectors = (rng.normal(size=(40, 12)) + 12 * group[:, None]).astype(np.float32)
    method = {one.method: one for one in image_maps(vectors)}
    points = method["UMAP"].points
    assert points.shape == (40, 2) and points.dtype == np.float32 and method["UMAP"].explained is None
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (group[distances.argmin(1)] == group).all()
    assert np.array_equal(points, {one.method: one for one in image_maps(vectors)}["UMAP"].points)
