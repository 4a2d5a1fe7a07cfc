"""Published figures: whole, in range, with sources, and shown only for the categories they are of."""

from __future__ import annotations

import pytest

from blemish.data.mvtec_ad import ARCHIVES
from blemish.experiments.benchmark.published import published_methods


def test_every_category_has_figures_with_sources() -> None:
    for category in ARCHIVES:
        methods = published_methods(category)
        assert len(methods) >= 15, category
        assert len({method.method for method in methods}) == len(methods)
        for method in methods:
            assert method.source
            assert method.url == "" or method.url.startswith("https://")
            assert method.figures and all(0 < value <= 1 for value in method.figures.values())


@pytest.mark.parametrize("category", ["washer", "metal_plate", "Screw", ""])
def test_other_categories_have_none(category: str) -> None:
    assert published_methods(category) == []


def test_known_figures_are_theirs() -> None:
    screw = {method.method: method.figures for method in published_methods("screw")}
    assert screw["PatchCore, WideResNet-50, 320 px, bank 1 %"]["image_auroc"] == pytest.approx(0.989)
    assert screw["PaDiM, ResNet-18 (anomalib)"]["pixel_auroc"] == pytest.approx(0.978)
    assert screw["SuperSimpleNet, mean of 5 runs"]["aupro"] == pytest.approx(0.953)
