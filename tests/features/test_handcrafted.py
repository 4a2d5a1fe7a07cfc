"""Every handcrafted feature against a value worked out by hand on a small image."""

from __future__ import annotations

import dataclasses
from math import pi, sqrt
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blemish.core.errors import ImageError, UsageError
from blemish.core.images import read_image
from blemish.data.catalog import open_catalog
from blemish.features.cache import FeatureCache
from blemish.features.handcrafted import METADATA, HandcraftedVectors, handcrafted_table
from blemish.line.handcrafted import feature_names, handcrafted_features
from blemish.line.rows import raw_names, raw_pixels

COLOURS = [[(10, 20, 30), (40, 50, 60), (70, 80, 90)], [(0, 0, 0), (255, 255, 255), (100, 100, 100)]]


def of_grey(rows: object) -> dict[str, float]:
    """Features of an image of these grey values."""
    return handcrafted_features(np.repeat(np.array(rows, np.uint8)[..., None], 3, axis=2))


def step(side: int) -> np.ndarray:
    """Black on the left half, white on the right."""
    image = np.zeros((side, side), np.uint8)
    image[:, side // 2 :] = 255
    return image


def test_names_are_those_asked_for_and_each_is_tested_here() -> None:
    tests = Path(__file__).read_text("utf-8")
    stems = ("num_pixels", "brightness", "contrast")
    by_channel = {f"{stem}_{channel}" for stem in stems for channel in "bgr"}
    assert len(set(feature_names())) == len(feature_names()) == 43
    assert by_channel <= set(feature_names())
    assert all(f'"{name}"' in tests for name in set(feature_names()) - by_channel)
    assert tuple(handcrafted_features(np.array(COLOURS, np.uint8))) == feature_names()


def test_size() -> None:
    found = handcrafted_features(np.array(COLOURS, np.uint8))
    assert (found["width"], found["height"], found["aspect_ratio"]) == (3, 2, 1.5)


@pytest.mark.parametrize(
    ("channel", "total", "squares"), [("r", 475, 81_625), ("g", 505, 84_325), ("b", 535, 87_625)]
)
def test_colour(channel: str, total: int, squares: int) -> None:
    found = handcrafted_features(np.array(COLOURS, np.uint8))
    assert found[f"num_pixels_{channel}"] == total
    assert found[f"brightness_{channel}"] == pytest.approx(total / 6)
    assert found[f"contrast_{channel}"] == pytest.approx(sqrt(squares / 6 - (total / 6) ** 2))


def test_luminance() -> None:
    found = handcrafted_features(np.array(COLOURS, np.uint8))
    assert found["luminance"] == pytest.approx((0.2126 * 475 + 0.7152 * 505 + 0.0722 * 535) / 6)


def test_edges_are_the_one_column_beside_a_step() -> None:
    assert of_grey(step(20))["edge_density"] == 1 / 20


def test_symmetry() -> None:
    # Mirrored left to right, two of three columns change from black to white or back.
    found = of_grey([[0, 0, 255], [0, 0, 255]])
    assert found["h_symmetry"] == pytest.approx(1 / 3) and found["v_symmetry"] == 1
    turned = of_grey([[0, 0], [0, 0], [255, 255]])
    assert turned["v_symmetry"] == pytest.approx(1 / 3) and turned["h_symmetry"] == 1


@pytest.mark.parametrize(("axis", "other"), ["xy", "yx"])
def test_gradients_of_a_ramp(axis: str, other: str) -> None:
    # 10 grey values a pixel: 20 across two pixels, weighted 1 + 2 + 1; at the two mirrored ends nothing changes.
    ramp = np.tile(10 * np.arange(5), (4, 1))
    found = of_grey(ramp if axis == "x" else ramp.T)
    names = {"x": ("mean_grad_x", "std_grad_x"), "y": ("mean_grad_y", "std_grad_y")}
    assert [found[name] for name in names[axis]] == pytest.approx([48, sqrt(0.6 * 80**2 - 48**2)])
    assert [found[name] for name in names[other]] == [0, 0]


@pytest.mark.parametrize("negative", [False, True])
def test_objects(negative: bool) -> None:
    image = np.full((10, 12), 30, np.uint8)
    image[2:5, 3:8] = 220
    image[8, 10] = 220
    found = of_grey(255 - image if negative else image)
    assert found["object_count"] == 2
    expected = {
        "bounding_box_x": 3,
        "bounding_box_y": 2,
        "bounding_box_width": 5,
        "bounding_box_height": 3,
        "bounding_box_area": 15,
        "bounding_box_aspect_ratio": 5 / 3,
        "perimeter": 2 * ((5 - 1) + (3 - 1)),
    }
    assert {name: found[name] for name in expected} == expected


def test_a_hole_belongs_to_no_outline() -> None:
    image = np.zeros((12, 12), np.uint8)
    image[2:10, 2:10] = 200
    image[4:8, 4:8] = 0
    found = of_grey(image)
    assert (found["object_count"], found["perimeter"]) == (1, 4 * 7)


def test_intensity() -> None:
    found = of_grey([[50, 0, 10, 40], [20, 30, 0, 50]])
    expected = {
        "mean_intensity": 25,
        "variance_intensity": 8000 / 8 - 25**2,
        "mode_intensity": 0,  # as often as 50, and darker
        "median_intensity": 25,
        "quantiles_intensity_25": 7.5,
        "quantiles_intensity_50": 25,
        "quantiles_intensity_75": 42.5,
        "entropy": 2 * 2 / 8 * 2 + 4 * 1 / 8 * 3,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_spectrum() -> None:
    # Sum 120, columns' difference -40, rows' difference -60, diagonals' 20.
    found = of_grey([[10, 20], [30, 60]])
    assert found["mean_magnitude"] == pytest.approx(60)
    assert found["variance_magnitude"] == pytest.approx((120**2 + 40**2 + 60**2 + 20**2) / 4 - 60**2)
    # One pixel alone holds all frequencies alike.
    impulse = of_grey([[7, 0, 0], [0, 0, 0]])
    assert impulse["mean_magnitude"] == pytest.approx(7)
    assert impulse["variance_magnitude"] == pytest.approx(0, abs=1e-4)


def test_lines_are_measured_in_pixels_of_the_photograph() -> None:
    assert of_grey(step(64))["line_length"] == pytest.approx(63)
    assert of_grey(step(512))["line_length"] == pytest.approx(2 * 255)
    assert of_grey(np.full((64, 64), 80))["line_length"] == 0


def test_blobs_dark_and_light() -> None:
    image = np.full((200, 220), 128, np.uint8)
    for x, y in ((40, 40), (100, 50), (60, 140)):
        cv2.circle(image, (x, y), 8, 0, -1)
    for x, y in ((160, 60), (150, 150)):
        cv2.circle(image, (x, y), 8, 255, -1)
    assert of_grey(image)["blob_count"] == 5


def test_regions() -> None:
    halves = np.full((16, 16), 100, np.uint8)
    halves[:, 8:] = 200
    assert of_grey(halves)["region_homogeneity"] == pytest.approx(1)
    # A spot belongs to the region around it: 128 pixels of which one is 10 lighter.
    halves[8, 3] = 110
    within = 10**2 - 10**2 / 128
    between = 128 * 128 / 256 * (100 - 10 / 128) ** 2
    assert of_grey(halves)["region_homogeneity"] == pytest.approx(between / (between + within))


def test_noise() -> None:
    image = np.zeros((5, 5), np.uint8)
    image[2, 2] = 16
    noise = 16 * (4 * 1 + 4 * 2 + 4) / 25 * sqrt(pi / 2) / 6
    found = of_grey(image)
    assert found["noise_level"] == pytest.approx(noise)
    assert found["signal_to_noise_ratio"] == pytest.approx(16 / 25 / noise)
    # Without any noise, that of rounding to whole grey values is left.
    assert of_grey(np.full((5, 5), 90))["signal_to_noise_ratio"] == pytest.approx(90 * sqrt(12))


@pytest.mark.parametrize("value", [0, 90, 255])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (40, 30)])
def test_a_constant_image_has_no_structure(value: int, shape: tuple[int, int]) -> None:
    found = of_grey(np.full(shape, value))
    nothing = ("edge_density", "object_count", "bounding_box_aspect_ratio", "perimeter", "line_length")
    nothing += ("blob_count", "entropy", "variance_intensity", "std_grad_x", "noise_level", "contrast_b")
    assert {found[name] for name in nothing} == {0.0}
    assert found["h_symmetry"] == found["v_symmetry"] == found["region_homogeneity"] == 1
    assert np.isfinite(list(found.values())).all()


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))),
    st.sampled_from([1, 8, 40]),
)
def test_any_image_has_finite_features_within_their_ranges(image: np.ndarray, enlarged: int) -> None:
    image = image.repeat(enlarged, axis=0) if image.shape[0] * enlarged < 600 else image
    found = handcrafted_features(image)
    assert all(type(value) is float and np.isfinite(value) for value in found.values())
    for name in ("edge_density", "h_symmetry", "v_symmetry", "region_homogeneity"):
        assert 0 <= found[name] <= 1 + 1e-12
    assert 0 <= found["entropy"] <= 8 and found["variance_magnitude"] >= 0
    quantiles = [found[f"quantiles_intensity_{share}"] for share in (25, 50, 75)]
    assert quantiles == sorted(quantiles)


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 3), np.float32)]
)
def test_what_is_no_photograph_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(UsageError, match="uint8 RGB"):
        handcrafted_features(bad)


def test_raw_pixels_are_named_by_their_place() -> None:
    image = np.zeros((224, 224, 3), np.uint8)
    image[3, 100, 2] = 9
    raw = raw_pixels(image)
    assert raw.shape == (150_528,) and raw.dtype == np.uint8 and raw.sum() == 9
    assert raw_names()[int(raw.argmax())] == "pixel_003_100_b"
    assert (raw_pixels(np.full((5, 9, 3), 40, np.uint8)) == 40).all()


def test_a_table_has_a_row_an_image_and_says_what_it_skipped(washers: Path, tmp_path: Path) -> None:
    catalog = open_catalog(washers)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    rows = catalog.table.copy()
    rows.loc[4, "path"] = str(broken)
    table = handcrafted_table(dataclasses.replace(catalog, table=rows), features="direct-pixels")
    assert tuple(table.columns) == (*METADATA, *feature_names(), *raw_names())
    assert len(table) == len(catalog) - 1
    ((path, detail),) = [(one["path"], one["detail"]) for one in table.attrs["skipped"]]
    assert path == str(broken) and detail
    kept = rows.drop(index=4).reset_index(drop=True)
    for column, source in {"path": "path", "set_type": "split", "anomaly_status": "label"}.items():
        assert table[column].tolist() == kept[source].tolist()
    assert table["anomaly_type"].tolist() == kept["defect_type"].tolist()
    assert set(table["category"]) == {catalog.category}
    assert table["subclass"].tolist() == [Path(path).parent.name for path in kept["path"]]
    image = read_image(Path(kept["path"].iloc[7]))
    assert table.loc[7, list(feature_names())].to_dict() == pytest.approx(handcrafted_features(image))
    assert np.array_equal(table.loc[7, list(raw_names())].to_numpy(np.uint8), raw_pixels(image))


def test_vectors_are_the_same_from_the_cache(washers: Path, tmp_path: Path) -> None:
    paths = open_catalog(washers).train_normal()[:3]
    cache = FeatureCache(tmp_path)
    first = list(HandcraftedVectors(cache=cache).stream(paths))
    assert len(list(tmp_path.glob("*/*"))) == 3
    again = list(HandcraftedVectors(cache=cache).stream(paths))
    for path, one, other in zip(paths, first, again, strict=True):
        assert one.dtype == np.float32 and np.array_equal(one, other)
        assert one == pytest.approx(list(handcrafted_features(read_image(path)).values()), rel=1e-6)
    with pytest.raises(ImageError, match="gone"):
        list(HandcraftedVectors(cache=cache).stream([tmp_path / "gone.png"]))
