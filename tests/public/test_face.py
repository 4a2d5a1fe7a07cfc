"""The public face at work: whatever is in hand goes in, and what comes out shows itself."""

from __future__ import annotations

import base64
import gc
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import sklearn.base
from PIL import Image

import blemish as bl

QUICK = {"size": 64, "coreset_size": 50}


@pytest.fixture(scope="module")
def good(washers: Path) -> list[Path]:
    return sorted((washers / "train" / "good").iterdir())


@pytest.fixture(scope="module")
def inspector(washers: Path) -> bl.Inspector:
    return bl.fit(washers, detector="knn", size=128, coreset_size=300)


@pytest.fixture(scope="module")
def defective(washers: Path) -> Path:
    return sorted((washers / "test" / "scratch").iterdir())[0]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


# All ways in which the same photographs may be in hand.
FORMS: dict[str, Callable[[list[Path]], Any]] = {
    "folder": lambda paths: paths[0].parent,
    "folder as text": lambda paths: str(paths[0].parent),
    "paths": lambda paths: paths,
    "paths as text": lambda paths: [str(path) for path in paths],
    "bytes": lambda paths: [path.read_bytes() for path in paths],
    "PIL": lambda paths: [Image.open(path) for path in paths],
    "arrays": lambda paths: [pixels(path) for path in paths],
    "one array": lambda paths: np.stack([pixels(path) for path in paths]),
    "catalog": lambda paths: bl.open_catalog(paths[0].parent),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_detector_takes_what_is_in_hand(form: str, good: list[Path], defective: Path) -> None:
    detector = bl.NearestNeighbours(**QUICK)
    assert detector.fit(FORMS[form](good)) is detector
    expected = bl.NearestNeighbours(**QUICK).fit(good).predict(defective).score
    assert detector.predict(defective).score == pytest.approx(expected, rel=1e-6)
    scores = [prediction.score for prediction in detector.predict(FORMS[form](good))]
    assert scores == pytest.approx([detector.predict(path).score for path in good], rel=1e-6)


def test_a_detector_leaves_no_file_behind(
    good: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    arrays = [pixels(path) for path in good]
    detector = bl.NearestNeighbours(**QUICK).fit(arrays)
    list(detector.predict(arrays))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (np.zeros((8, 8)), r"image 0 is a float64 array of shape \(8, 8\)"),
        (np.zeros((8, 8, 4), np.uint8), r"uint8 array of shape \(8, 8, 4\).*in a list"),
        ([np.zeros((9, 9), np.uint8), 7], "image 1 is a int and no photograph"),
        (7, "A int holds no photographs"),
        (b"no image", "image 0: it does not hold an image"),
    ],
)
def test_what_is_no_photograph_is_refused_in_a_sentence(wrong: Any, sentence: str, good: list[Path]) -> None:
    fitted = bl.NearestNeighbours(**QUICK).fit(good)
    for ask in (fitted.predict, bl.NearestNeighbours(**QUICK).fit):
        with pytest.raises(bl.BlemishError, match=sentence) as refused:
            list(ask(wrong))  # type: ignore[arg-type]
        assert str(refused.value).endswith(".")


def test_a_turned_photograph_is_the_same_in_every_form(tmp_path: Path) -> None:
    """A telephone writes its turn beside the pixels; a deep camera has 16 bits."""
    ramp = np.repeat(np.arange(0, 240, 4, dtype=np.uint8)[None], 40, 0)
    turned = Image.fromarray(ramp)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    cv2.imwrite(str(tmp_path / "deep.png"), ramp.astype(np.uint16) * 16)
    detector = bl.NearestNeighbours(**QUICK, bit_depth=12).fit([ramp, ramp.T.copy(), ramp[::-1].copy()])
    for name in ("turned.jpg", "deep.png"):
        path = tmp_path / name
        one, *others = (detector.predict(form).score for form in (path, path.read_bytes(), Image.open(path)))
        assert others == [one, one]


def test_parameters_as_in_scikit_learn() -> None:
    detector = bl.PatchCore(size=352, taps=(8,))
    assert repr(detector) == "PatchCore(size=352, taps=(8,))" and repr(bl.PatchCore()) == "PatchCore()"
    copy = sklearn.base.clone(detector)
    assert type(copy) is bl.PatchCore and copy.get_params() == detector.get_params() and copy is not detector
    assert detector.set_params(seed=3) is detector and detector.seed == 3
    with pytest.raises(bl.UsageError, match="patchcore has no parameter sise: choose among size"):
        detector.set_params(seed=4, sise=64)
    assert detector.seed == 3, "nothing is changed by what is refused"


def test_fit_takes_arrays_and_keeps_its_file_for_as_long_as_it_is_used(
    good: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    inspector = bl.fit(
        [pixels(path) for path in good], detector=bl.NearestNeighbours(**QUICK), category="ring"
    )
    assert inspector.name == inspector.manifest.training.category == "ring"
    assert inspector.manifest.detector.parameters["coreset_size"] == 50
    (kept,) = tmp_path.iterdir()
    inspector.save(tmp_path / "kept.blemish")
    score = inspector.inspect(good[0]).score
    del inspector
    gc.collect()
    assert not kept.exists()
    again = bl.load(tmp_path / "kept.blemish")
    assert again.inspect(good[0]).score == score
    bl.fit(good, tmp_path / "kept.blemish", detector="knn", **QUICK, seed=1)
    with pytest.raises(bl.ArtifactError, match="somebody has replaced it"):
        again.save(tmp_path / "other.blemish")


def test_fit_writes_where_it_is_told(good: list[Path], tmp_path: Path) -> None:
    made = bl.fit(
        good[0].parent, tmp_path / "ring.blemish", detector="knn", report=tmp_path / "ring.html", **QUICK
    )
    assert made.path == tmp_path / "ring.blemish" and made.name == "ring"
    assert (tmp_path / "ring.html").is_file()
    with pytest.raises(bl.UsageError, match="no parameter sise"):
        bl.fit(good, detector="knn", sise=64)
    with pytest.raises(bl.UsageError, match="no detector nearest"):
        bl.fit(good, detector="nearest")


def test_an_inspector_takes_what_is_in_hand(inspector: bl.Inspector, defective: Path) -> None:
    expected = inspector.inspect(defective)
    for form in (str(defective), defective.read_bytes(), Image.open(defective), pixels(defective)):
        found = inspector.inspect(form)
        assert (found.score, found.verdict, found.regions) == (
            expected.score,
            expected.verdict,
            expected.regions,
        )
    with pytest.raises(bl.ImageError, match=r"no_such\.png"):
        inspector.inspect("no_such.png")


def test_an_inspection_draws_itself(inspector: bl.Inspector, defective: Path) -> None:
    result = inspector.inspect(defective)
    assert result.verdict is bl.Verdict.REJECT and result.regions
    drawn = result.overlay()
    height, width = pixels(defective).shape[:2]
    assert drawn.size == (2 * width + 24, height + 16) and drawn.getpixel((0, 0)) == (218, 30, 40)
    shown = Image.open(io.BytesIO(result._repr_png_()))
    assert np.array_equal(np.asarray(shown), np.asarray(drawn))
    page = result._repr_html_()
    assert "REJECT" in page and f"{result.score:.4g}" in page
    (uri,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert Image.open(io.BytesIO(base64.b64decode(uri))).size == drawn.size
    assert repr(result).startswith("Inspection(reject, score ") and len(repr(result)) < 100


def test_an_inspection_without_its_photograph_says_so(inspector: bl.Inspector, defective: Path) -> None:
    alone = inspector.judge(inspector.predict(pixels(defective)), 128, 128)
    assert alone._repr_png_() is None and "<img" not in alone._repr_html_()
    with pytest.raises(bl.UsageError, match="no photograph to draw on"):
        alone.overlay()


def test_an_inspector_shows_itself(inspector: bl.Inspector) -> None:
    assert repr(inspector).startswith("Inspector('washer', knn, 128 x 128 pixels, learnt from 12 photographs")
    assert "washer" in inspector._repr_html_()


def test_evaluate_measures_and_shows(inspector: bl.Inspector, washers: Path, tmp_path: Path) -> None:
    measured = bl.evaluate(inspector, washers)
    table = measured.to_pandas()
    assert len(table) == 18 and set(table["label"]) == {"normal", "anomalous"}
    rejected = (table["verdict"] == "reject") & (table["label"] == "anomalous")
    assert rejected.sum() / 12 == pytest.approx(measured.metrics["recall"])
    for _, row in table.iterrows():
        assert inspector.inspect(row["path"]).score == row["score"]
    assert f"{measured.metrics['image_auroc']:.3f}" in measured._repr_html_()
    assert repr(measured).startswith("Measured('washer', AUROC ")
    measured.report(tmp_path / "report.html")
    assert "washer: evaluation" in (tmp_path / "report.html").read_text()
    inspector.save(tmp_path / "washer.blemish")
    again = bl.evaluate(tmp_path / "washer.blemish", bl.open_catalog(washers))
    assert again.metrics["image_auroc"] == measured.metrics["image_auroc"]


def test_a_benchmark_is_a_table(washers: Path, tmp_path: Path) -> None:
    compared = bl.benchmark(washers, ["knn", "isolation-forest"], tmp_path, size=64)
    table = compared.to_pandas()
    assert (
        table["detector"].tolist() == ["knn", "isolation-forest"] and table["image_auroc"].between(0, 1).all()
    )
    assert "isolation-forest" in compared._repr_html_()
    assert compared.report == tmp_path / "report.html" and compared.report.is_file()
