"""Student and teacher: shapes, losses and scorings, computed a second time with NumPy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from skimage.transform import resize
from torch import Tensor

from blemish.core.errors import UsageError
from blemish.core.folds import held_out_positions
from blemish.data.catalog import Catalog
from blemish.detectors.distilled.student_teacher import (
    StudentTeacher,
    StudentTeacherObjective,
    choose_scoring,
    standardising_weights,
)
from blemish.detectors.distilled.student_teacher_network import (
    Comparison,
    ErrorFusion,
    PixelStudent,
    ReverseStudent,
)
from blemish.detectors.registry import create_detector
from blemish.line.artifact import read_artifact

CHANNELS = (256, 512, 1024)
QUICK: dict[str, Any] = {"size": 128, "epochs": 2, "width": 8}


def fitted(catalog: Catalog, **parameters: Any) -> StudentTeacher:
    return StudentTeacher(**{**QUICK, **parameters}).fit(catalog)


def error_maps(detector: StudentTeacher, path: Path) -> list[npt.NDArray[np.float64]]:
    """Squared errors, mean over channels, of a fitted reverse student, with the comparison written out."""
    head = detector.network().get_submodule("head")
    state = {name: value.numpy() for name, value in head.state_dict().items()}
    maps = detector.extractor().extract(path)
    targets = [
        (one - state[f"comparison.mean{place}"]) / state[f"comparison.deviation{place}"]
        for place, one in enumerate(maps)
    ]
    with torch.inference_mode():
        predictions = head.get_submodule("student")(None, [torch.from_numpy(one)[None] for one in targets])
    return [
        ((target.astype(np.float64) - one[0].double().numpy()) ** 2).mean(0)
        for target, one in zip(targets, predictions, strict=True)
    ]


def on_finest(errors: list[npt.NDArray[np.float64]]) -> list[npt.NDArray[np.float64]]:
    grid = errors[0].shape
    return [resize(one, grid, order=1, mode="edge", anti_aliasing=False) for one in errors]


def expected_scores(detector: StudentTeacher, catalog: Catalog, path: Path) -> dict[str, float]:
    """Scores of all scorings by their definitions."""
    paths = catalog.train_normal()
    held = held_out_positions(len(paths), detector.validation_share, detector.seed)
    good = [error_maps(detector, paths[position]) for position in held]
    values = [np.concatenate([maps[tap].ravel() for maps in good]) for tap in range(3)]
    errors = error_maps(detector, path)
    normal = [(one - v.mean()) / v.std() for one, v in zip(errors, values, strict=True)]
    fused = np.mean(on_finest(normal), axis=0)
    return {
        "normalized": fused.max(),
        "raw": np.sum(on_finest(errors), axis=0).max(),
        "robust": np.sort(fused, axis=None)[-100:].mean(),
    }


def test_the_pixel_student_has_three_linear_adapters() -> None:
    student = PixelStudent("resnet18", (4, 8, 16), CHANNELS)
    adapters = sum(p.numel() for p in student.adapters.parameters())
    assert adapters == 64 * 256 + 256 + 128 * 512 + 512 + 256 * 1024 + 1024 == 345_856
    assert sum(p.numel() for p in student.parameters()) == 2_782_784 + adapters
    with torch.inference_mode():
        predictions = student.eval()(torch.zeros(1, 3, 320, 320), [])
    assert [tuple(one.shape) for one in predictions] == [
        (1, 256, 80, 80),
        (1, 512, 40, 40),
        (1, 1024, 20, 20),
    ]


def test_the_reverse_student_gives_maps_of_the_teachers_shapes() -> None:
    maps = [torch.rand(2, channels, side, side) for channels, side in ((24, 16), (40, 8), (112, 4))]
    predictions = ReverseStudent((24, 40, 112), 8)(None, maps)
    assert [one.shape for one in predictions] == [one.shape for one in maps]


def test_the_wide_preset_is_the_one_described(catalog: Catalog) -> None:
    made = create_detector("student-teacher", "wide")
    assert isinstance(made, StudentTeacher)
    rates = [made.learning_rate * made.recipe().schedule(epoch) for epoch in (0, 79, 80, 99)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4]) and made.recipe().epochs == 100
    small = create_detector("student-teacher", "wide", weights="random", size=64, epochs=1)
    few = catalog.subset(catalog.table.index[catalog.table["split"] == "train"][:4])
    small.fit(few)
    head = small.network().get_submodule("head")
    assert sum(p.numel() for p in head.get_submodule("student").parameters()) == 3_128_640
    prediction = next(small.predict([Path(catalog.test()["path"].iloc[0])]))
    assert prediction.anomaly_map.shape == (64, 64) and np.isfinite(prediction.score)


@pytest.mark.parametrize("unit", [False, True])
def test_the_loss_is_the_sum_of_three_mean_squared_errors(unit: bool) -> None:
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(2, channels, side, side)) for channels, side in ((3, 8), (4, 4), (5, 2))]
    statistics = [(rng.normal(size=one.shape[1]), rng.uniform(1, 2, one.shape[1])) for one in maps]
    answers = [rng.normal(size=one.shape) for one in maps]

    class Answering(torch.nn.Module):
        def forward(self, image: Tensor, targets: list[Tensor]) -> list[Tensor]:
            return [torch.from_numpy(one) for one in answers]

    pairs = [(torch.from_numpy(m).float(), torch.from_numpy(d).float()) for m, d in statistics]
    objective = StudentTeacherObjective(Comparison(pairs, unit), Answering(), (4, 8, 16))
    batch = {f"tap{tap}": torch.from_numpy(one).float() for tap, one in zip((4, 8, 16), maps, strict=True)}
    expected = 0.0
    for one, answer, (mean, deviation) in zip(maps, answers, statistics, strict=True):
        target = (one - mean[:, None, None]) / deviation[:, None, None]
        if unit:  # of directions: 2 (1 - cosine) / C, scaled by C
            cosine = (
                (target * answer).sum(1) / np.linalg.norm(target, axis=1) / np.linalg.norm(answer, axis=1)
            )
            expected += (2 - 2 * cosine).mean()
        else:
            expected += ((target - answer) ** 2).mean()
    assert float(objective.loss(batch)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("scoring", ["normalized", "raw", "robust"])
def test_scorings_are_as_defined(scoring: str, catalog: Catalog) -> None:
    detector = fitted(catalog, scoring=scoring, unit=False)
    path = Path(catalog.test()["path"].iloc[-1])
    assert detector.scoring_ == scoring and detector.chosen() == {}
    expected = expected_scores(detector, catalog, path)[scoring]
    assert next(detector.predict([path])).score == pytest.approx(expected, rel=1e-3)


def test_standardised_good_errors_have_mean_0() -> None:
    generator = torch.Generator().manual_seed(0)
    good = [[torch.rand(1, 1, 8, 8, generator=generator) * scale for scale in (1.0, 50.0)] for _ in range(5)]
    weights, offset = standardising_weights(good)
    fusion = ErrorFusion(weights, offset, 1, 8, 64, 0.0)
    fused = torch.cat([fusion.fused(maps) for maps in good])
    assert float(fused.mean()) == pytest.approx(0, abs=1e-5)
    assert float(fused.std()) == pytest.approx(0.5**0.5, abs=0.1), "each tap counts alike"


def test_auto_takes_the_best_on_synthetic_defects_and_never_reads_test_images(catalog: Catalog) -> None:
    table = catalog.table.copy()
    table.loc[table["split"] == "test", "path"] = "/nowhere/at/all.png"
    blind = fitted(dataclasses.replace(catalog, table=table), scoring="auto")
    seeing = fitted(catalog, scoring="auto")
    assert blind.scoring_auroc_ == seeing.scoring_auroc_
    held_out = len(blind.training_photographs(catalog).held_out)
    assert blind.scoring_ == choose_scoring(blind.scoring_auroc_, held_out, held_out)
    assert set(blind.scoring_auroc_) == {"normalized", "raw", "robust"}
    state, other = blind.network().state_dict(), seeing.network().state_dict()
    assert all(torch.equal(state[key], other[key]) for key in state)


def test_what_auto_has_chosen_is_said(washers: Path, tmp_path: Path, blemish: Callable[..., Any]) -> None:
    out, report = tmp_path / "part.blemish", tmp_path / "fit.html"
    small = ("--size", 64, "--set", "epochs=1", "--set", "width=8", "--set", "examples_per_epoch=8")
    given = ("fit", washers, "--out", out, "--detector", "student-teacher", *small, "--report", report)
    said = blemish(*given, "--json").document["chosen"]
    assert set(said) == {"scoring"} and said["scoring"] in ("normalized", "raw", "robust")
    record = read_artifact(out).manifest.detector
    assert record.chosen == said and record.parameters["scoring"] == "auto"
    words = f"scoring {said['scoring']}"
    assert f"chosen by the fit    {words}" in blemish(*given).stdout
    assert blemish("evaluate", out, washers, "--out", tmp_path).status == 0
    for page in (report, tmp_path / "report.html"):
        assert words in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("robust", "images", "chosen"),
    [
        (1.0, 10, "robust"),  # all alike
        (0.95, 4, "robust"),  # four images cannot tell these apart
        (0.95, 1000, "normalized"),  # a thousand can
        (0.6, 10, "normalized"),
    ],
)
def test_of_scorings_that_cannot_be_told_apart_the_robust_one_is_taken(
    robust: float, images: int, chosen: str
) -> None:
    assert choose_scoring({"normalized": 1.0, "raw": 1.0, "robust": robust}, images, images) == chosen


def test_a_scoring_that_is_clearly_better_is_taken_whatever_it_is() -> None:
    assert choose_scoring({"normalized": 0.7, "raw": 0.95, "robust": 0.7}, 30, 30) == "raw"
    assert choose_scoring({"normalized": 0.5, "raw": 0.5, "robust": 0.5}, 3, 0) == "robust"


@pytest.mark.parametrize(
    "wrong",
    [{"scoring": "best"}, {"taps": (4, 16)}, {"milestone": 0.0}, {"width": 0}, {"student": "no_such_net"}],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        fitted(catalog, **wrong)
