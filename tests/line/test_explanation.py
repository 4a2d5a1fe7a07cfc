"""Explanations on the line: the reconstruction and the attention on request only, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from blemish.core.errors import ArtifactError, UsageError
from blemish.core.images import read_image
from blemish.core.network import CompiledNetwork
from blemish.core.types import Region, Verdict
from blemish.features.onnx_export import to_onnx
from blemish.line.artifact import MODEL, read_artifact, write_artifact
from blemish.line.explanation import Explanation, RegionReason
from blemish.line.runtime import Inspector

INSIDE = (slice(16, 28), slice(34, 46))
"""The painted square on the network's 64 x 64 pixels."""


@pytest.fixture(scope="module")
def drawing(drawn_back: Path) -> Inspector:
    return Inspector.load(drawn_back)


@pytest.fixture(scope="module")
def why(drawing: Inspector, painted: Path) -> Explanation:
    return drawing.explain(painted)


def test_a_plain_inspection_computes_no_explanation(drawn_back: Path) -> None:
    artifact = read_artifact(drawn_back)
    model, explains = artifact.content(MODEL), artifact.manifest.detector.explains
    assert explains == ("reconstruction",)
    plain, whole = CompiledNetwork(model, outputs=("score", "map")), CompiledNetwork(model)
    assert list(plain.outputs) == ["score", "map"] and list(whole.outputs) == [
        "score",
        "map",
        "reconstruction",
    ]
    image = np.random.default_rng(0).random((1, 3, 64, 64)).astype(np.float32)
    for mine, theirs in zip(plain(image), whole(image)[:2], strict=True):
        assert np.allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_the_reconstruction_is_what_the_map_is_made_of(
    drawn_back: Path, painted: Path, why: Explanation
) -> None:
    """The difference is where the square is, and its square is what the score is taken of."""
    assert why.looked is not None and why.reconstruction is not None and why.difference is not None
    assert why.looked.shape == why.reconstruction.shape == (64, 64, 3) and why.difference.shape == (64, 64)
    apart = np.abs(why.looked.astype(float) - why.reconstruction).mean(2) / 255
    assert np.abs(apart - why.difference).max() < 0.5 / 255
    outside = np.ones((64, 64), np.bool_)
    outside[12:32, 30:50] = False
    assert why.difference[INSIDE].mean() > 4 * why.difference[outside].mean()
    squared = ((why.looked / 255.0 - why.reconstruction / 255.0) ** 2).mean(2)
    smooth = cv2.GaussianBlur(squared, (0, 0), 2.0, borderType=cv2.BORDER_REFLECT)
    assert np.abs(smooth - why.inspection.anomaly_map).max() < 0.02 * smooth.max()


def test_an_inspection_is_explained_as_its_photograph_is(
    drawing: Inspector, painted: Path, why: Explanation
) -> None:
    inspection = drawing.inspect(painted)
    again = drawing.explain(inspection)
    assert again.sentences == why.sentences and np.array_equal(again.reconstruction, why.reconstruction)
    assert again.inspection is inspection
    with pytest.raises(UsageError, match="no photograph to explain"):
        drawing.explain(replace(inspection, photograph=None))
    with pytest.raises(UsageError, match="no photograph to draw on"):
        replace(why, inspection=replace(inspection, photograph=None)).picture()


def test_the_words_and_figures_are_those_of_the_inspection(drawing: Inspector, why: Explanation) -> None:
    said = why.inspection
    assert said.verdict is Verdict.REJECT and len(why.regions) == len(said.regions) >= 1
    assert why.sentence.startswith(
        f"reject: the score {said.score:.4g} is above the threshold {said.threshold:.4g}"
    )
    assert f"above all {why.n_scores} good parts' scores" in why.sentence
    document = why.to_json()
    first, region = document["regions"][0], said.regions[0]
    assert first["times_threshold"] == pytest.approx(region.score / drawing.pixel_threshold)
    assert first["times_threshold"] >= 1 and first["percentile"] is None, "its score is no maximum of the map"
    assert region.area is not None and f"area {region.area:.0f} pixels" in first["sentence"]
    assert f"{region.width} x {region.height} pixels at {region.x}, {region.y}" in first["sentence"]
    assert document["reconstruction"]["highest_difference"] == pytest.approx(float(why.difference.max()))
    assert why.sentence in repr(why) and "region 1: peak" in why._repr_html_()


def test_the_picture_shows_all_rows(why: Explanation, drawing: Inspector, washers: Path) -> None:
    whole = np.asarray(why.picture())
    without = np.asarray(replace(why, reconstruction=None).picture())
    bare = np.asarray(replace(why, reconstruction=None, regions=()).picture())
    assert whole.dtype == np.uint8 and whole.shape[0] > without.shape[0] + 400 > bare.shape[0] + 800
    passed = drawing.explain(sorted((washers / "test" / "good").glob("*.png"))[1])
    if passed.inspection.verdict is Verdict.PASS:
        assert not passed.regions and "is not above" in passed.sentence
    assert passed.picture().size[1] > 800, "the reconstruction of a good part too"
    # No part is so small, so large or so narrow that its picture cannot be drawn.
    for height, width in ((8, 1500), (1500, 8), (3, 3)):
        shape = replace(
            why.inspection, photograph=np.zeros((height, width, 3), np.uint8), width=width, height=height
        )
        region = RegionReason(Region(0, 0, width, 1, 1.0), 1.0, 50.0)
        drawn = np.asarray(replace(why, inspection=shape, regions=(region,)).picture())
        assert max(drawn.shape) < 6000


def test_reports_and_comparisons_show_original_reconstruction_and_difference(
    blemish: Callable[..., Any], drawn_back: Path, fitted: Path, painted: Path, washers: Path, tmp_path: Path
) -> None:
    blemish("evaluate", drawn_back, washers, "--out", tmp_path / "drawn")
    blemish("evaluate", fitted, washers, "--out", tmp_path / "plain")
    compared = blemish(
        "compare-image", painted, "--inspectors", drawn_back, fitted, "--out", tmp_path / "compared"
    )
    assert compared.status == 0, compared.stderr
    pages = {
        "training": drawn_back.with_suffix(".html"),
        "evaluation": tmp_path / "drawn" / "report.html",
        "comparison": tmp_path / "compared" / "compare.html",
    }
    for name, page in pages.items():
        said = page.read_text().lower()
        counts = {said.count(f"{label}</span>") for label in ("original", "reconstruction", "difference")}
        assert len(counts) == 1 and min(counts) == {"training": 2, "evaluation": 18, "comparison": 1}[name], (
            name
        )
    assert "reconstruction</span>" not in (tmp_path / "plain" / "report.html").read_text().lower()
    (drawn,) = (tmp_path / "compared").glob("*-reconstruction.png")
    difference = cv2.imread(str(drawn.with_name(drawn.name.replace("reconstruction", "difference"))))
    assert cv2.imread(str(drawn)).shape == difference.shape == (64, 64, 3)
    assert difference[INSIDE].mean() > 4 * difference[40:, :20].mean()


def test_an_inspector_without_such_outputs_explains_by_its_regions(fitted: Path, washers: Path) -> None:
    inspector = Inspector.load(fitted)
    found = [inspector.explain(path) for path in sorted((washers / "test").glob("*/*.png"))]
    worst = max(found, key=lambda one: one.inspection.score)
    assert worst.reconstruction is None and worst.attention is None and not worst.types
    assert worst.regions and worst.picture().size[0] > 400
    if inspector.manifest.detector.score_is_maximum:
        first = worst.regions[0]
        assert first.percentile == pytest.approx(inspector.percentile(first.region.score))
        assert f"above {first.percentile:.3g} % of the good parts' scores" in first.in_words()
    # The bank remembers where its vectors are from: the nearest one stands beside each region.
    assert [one.region for one in worst.nearest] == list(range(len(worst.regions)))
    said = worst.to_json()
    sentence = said["regions"][0]["sentence"]
    assert worst.nearest[0].photograph in sentence and sentence == worst.region_in_words(1)
    assert said["nearest"][0]["distance"] == worst.nearest[0].distance > 0
    alone = np.asarray(replace(worst, nearest=()).picture())
    assert np.asarray(worst.picture()).shape != alone.shape


class Odd(nn.Module):
    """A network whose third output is half of its input."""

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        grey = image.mean(1)[0]
        return grey.max().reshape(1), grey, image[..., ::2]


def test_a_forged_explanation_is_refused(drawn_back: Path, painted: Path, tmp_path: Path) -> None:
    """The manifest may promise what the network does not give: other outputs, or such of another size."""
    artifact, path = read_artifact(drawn_back), tmp_path / "forged.blemish"

    def forge(model: bytes, *explains: str) -> Inspector:
        detector = artifact.manifest.detector.model_copy(update={"explains": explains})
        manifest = artifact.manifest.model_copy(update={"detector": detector})
        write_artifact(path, manifest, artifact.members | {MODEL: model})
        return Inspector.load(path)

    with pytest.raises(ArtifactError, match="has no output attention"):
        forge(artifact.content(MODEL), "attention").explain(painted)
    with pytest.raises(ArtifactError, match=r"cannot explain here .it has no output attention"):
        forge(artifact.content(MODEL), "reconstruction", "attention").explain(painted)
    for name, cause in (("reconstruction", "not of its input's size"), ("attention", "not a map for each")):
        odd = to_onnx(Odd(), torch.zeros(1, 3, 64, 64), ("score", "map", name))
        assert forge(odd, name).inspect(painted).score > 0, "it judges all the same"
        with pytest.raises(ArtifactError, match=cause):
            forge(odd, name).explain(painted)


def test_attention_is_of_the_type_that_is_told(typed: Path, plates: Path) -> None:
    inspector = Inspector.load(typed)
    assert inspector.manifest.detector.explains == ("attention",)
    hits = []
    for path in sorted((plates / "test" / "spot").glob("*.png")):
        why = inspector.explain(path)
        assert why.defect_probability == pytest.approx(1 / (1 + np.exp(-why.inspection.score)), rel=1e-4)
        assert why.types.keys() == {"frame", "line", "spot"} and sum(why.types.values()) == pytest.approx(
            1, abs=1e-4
        )
        if why.inspection.type != "spot":
            continue
        assert why.attention_of == "spot" and why.attention is not None and why.attention.min() >= 0
        assert why.attention.shape == why.inspection.anomaly_map.shape
        assert why.types == pytest.approx(why.inspection.types, abs=1e-4)
        row, column = np.unravel_index(why.attention.argmax(), why.attention.shape)
        spot = np.argwhere(np.abs(read_image(path).astype(int) - (170, 40, 40)).sum(2) < 30).mean(0)
        hits.append(np.hypot(row - spot[0], column - spot[1]) < 24)
    assert len(hits) >= 6 and np.mean(hits) > 0.5, "the highest attention lies on the spot"


def test_a_part_that_passes_has_types_on_request(typed: Path, plates: Path) -> None:
    inspector = Inspector.load(typed)
    passed = next(
        one
        for path in sorted((plates / "test" / "good").glob("*.png"))
        if (one := inspector.explain(path)).inspection.verdict is Verdict.PASS
    )
    assert not passed.inspection.types and len(passed.types) == 3
    assert passed.attention_of == max(passed.types, key=lambda name: passed.types[name])
    assert "looks like" not in passed.sentence


def test_a_part_for_review_has_a_type(typed: Path, plates: Path) -> None:
    inspector = Inspector.load(typed)
    path = next(iter(sorted((plates / "test" / "line").glob("*.png"))))
    prediction = inspector.predict(read_image(path))
    between = inspector.decision.model_copy(
        update={"threshold": prediction.score + 1, "review_threshold": prediction.score - 1}
    )
    inspector.manifest = inspector.manifest.decided(between)
    said = inspector.judge(prediction, 96, 96)
    assert said.verdict is Verdict.REVIEW and said.type is not None and said.types == prediction.types
