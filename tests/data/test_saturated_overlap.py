"""The saturated overlap of MVTec LOCO AD agrees with its definition, and its data set's file is what decides."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from drawn_layouts import DRAWINGS, HEIGHT, ONE, OTHER, WIDTH
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from blemish.core.errors import CatalogError
from blemish.core.types import Verdict
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.saturation import saturated_defects
from blemish.evaluation.evaluate import Inspect, evaluate
from blemish.evaluation.metrics import pixel_metrics, saturated_overlap
from blemish.line.inspection import Inspection

Mask = npt.NDArray[np.bool_]
Map = npt.NDArray[np.float32]
Defects = Sequence[Sequence[tuple[Mask, float]]]
SHAPE = (4, 5)


def slow_overlap(defects: Defects, maps: Sequence[Map], integral_to: float) -> float:
    """Threshold by threshold, defect by defect; then plain trapezoids."""
    normal = []
    for of_map, one in zip(defects, maps, strict=True):
        anywhere = np.zeros(one.shape, bool)
        for mask, _ in of_map:
            anywhere |= mask
        normal += [float(value) for value in one[~anywhere]]
    every = [
        (one[mask], wanted) for of_map, one in zip(defects, maps, strict=True) for mask, wanted in of_map
    ]
    if not every or not normal:
        return math.nan
    points = [(0.0, 0.0)]
    for threshold in sorted({float(value) for one in maps for value in one.ravel()}, reverse=True):
        found = [min(int((inside >= threshold).sum()) / wanted, 1) for inside, wanted in every]
        points.append((float(np.mean(np.array(normal) >= threshold)), float(np.mean(found))))
    area = 0.0
    for (left, low), (right, high) in pairwise(points):
        if left < integral_to and right > left:
            end = min(right, integral_to)
            area += (end - left) * (low + low + (high - low) * (end - left) / (right - left)) / 2
    return area / integral_to


@st.composite
def scored_defects(draw: st.DrawFn) -> tuple[list[list[tuple[Mask, float]]], list[Map]]:
    """Maps of few values, so that many tie, with defects that may touch and overlap."""
    defects, maps = [], []
    for _ in range(draw(st.integers(1, 3))):
        maps.append(draw(arrays.arrays(np.float32, SHAPE, elements=st.sampled_from([0.0, 0.5, 1.0, 2.0]))))
        masks = draw(st.lists(arrays.arrays(np.bool_, SHAPE), max_size=3))
        areas = [int(mask.sum()) for mask in masks]
        shares = draw(st.lists(st.floats(0.05, 1), min_size=3, max_size=3))
        defects.append(
            [
                (mask, max(share * area, 0.5))
                for mask, area, share in zip(masks, areas, shares, strict=False)
                if area
            ]
        )
    return defects, maps


@settings(max_examples=80, deadline=None)
@given(scored_defects(), st.sampled_from([0.05, 0.3, 1.0]))
def test_it_agrees_with_its_slow_definition(
    sample: tuple[list[list[tuple[Mask, float]]], list[Map]], integral_to: float
) -> None:
    fast, slow = saturated_overlap(*sample, integral_to), slow_overlap(*sample, integral_to)
    assert fast == pytest.approx(slow, abs=1e-9, nan_ok=True)


def test_with_whole_defects_it_is_aupro() -> None:
    random = np.random.default_rng(0)
    mask = np.zeros((30, 30), bool)
    mask[2:9, 3:9] = mask[20:22, 20:28] = True
    maps = [random.normal(mask, 1).astype(np.float32), random.normal(size=mask.shape).astype(np.float32)]
    parts = [mask & (np.arange(30) < 15)[:, None], mask & (np.arange(30) >= 15)[:, None]]
    whole = [[(part, float(part.sum())) for part in parts], []]
    aupro = pixel_metrics([mask, np.zeros_like(mask)], maps, 0.3).aupro
    assert saturated_overlap(whole, maps, 0.3) == pytest.approx(aupro, abs=1e-12)


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.setenv("BLEMISH_HOME", str(tmp_path / "home"))
    drawing = next(one for one in DRAWINGS if one.name == "mvtec-loco")
    return open_catalog(tmp_path / drawing.fill(tmp_path).category)


def finding(share: float) -> Inspect:
    """An inspector that sees the upper `share` of every defect and nothing else."""

    def inspect(path: Path) -> Inspection:
        found = np.zeros((HEIGHT, WIDTH), np.float32)
        boxes = {"structural_anomalies": [OTHER], "good": []}.get(path.parent.name)
        if boxes is None:
            boxes = [ONE, OTHER] if path.stem == "000" else [ONE]
        for top, bottom, left, right in boxes:
            found[top : top + round(share * (bottom - top)), left:right] = 1
        return Inspection(Verdict.PASS, float(found.max()), 0.5, 0.5, found, (), WIDTH, HEIGHT)

    return inspect


def test_evaluate_asks_for_as_much_as_the_data_set_does(catalog: Catalog) -> None:
    counts = {
        path.relative_to(catalog.root / "test").as_posix(): len(found)
        for path, found in (saturated_defects(catalog) or {}).items()
    }
    assert counts == {
        "logical_anomalies/000.png": 2,
        "logical_anomalies/001.png": 1,
        "structural_anomalies/000.png": 1,
    }
    whole = evaluate(finding(1.0), catalog, 0.5).to_json()
    some = evaluate(finding(0.4), catalog, 0.5).to_json()
    assert whole["au_spro"] == pytest.approx(1)
    # Two rows of each are seen. ONE (30 pixels) asks for 12 as the first kind and 15 as the second; OTHER (72) asks for
    # 36 as the second kind and for all as the third.
    found = [12 / 12, 24 / 36, 12 / 15, 24 / 72]
    everything_else = 0.05 * (1 - np.mean(found)) / 2  # all other pixels tie at the end
    assert some["au_spro"] == pytest.approx(np.mean(found) + everything_else)
    assert some["aupro"] < some["au_spro"]
    (catalog.root / "defects_config.json").unlink()
    assert "au_spro" not in evaluate(finding(1.0), catalog, 0.5).to_json()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "{}",
        "[1]",
        json.dumps([{"pixel_value": 255, "saturation_threshold": 2.0, "relative_saturation": True}]),
    ],
)
def test_a_file_that_cannot_be_meant_is_named(catalog: Catalog, content: str) -> None:
    (catalog.root / "defects_config.json").write_text(content)
    with pytest.raises(CatalogError, match=r"defects_config\.json"):
        saturated_defects(catalog)
