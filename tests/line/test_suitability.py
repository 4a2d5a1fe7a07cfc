"""Photographs unlike those learnt from are not judged, whatever shows them, and a defect stays a reject."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from blemish.core.errors import ArtifactError
from blemish.core.images import read_image
from blemish.core.types import ByteArray, Verdict
from blemish.line.artifact import KNOWN_PHOTOGRAPHS, array_content, read_artifact, write_artifact
from blemish.line.photograph_measures import COLUMNS, FIGURES, measures_of
from blemish.line.runtime import Inspector
from blemish.line.suitability import MOST_KNOWN, Limit, Suitability


@pytest.fixture(scope="module")
def inspector(fitted: Path) -> Inspector:
    return Inspector.load(fitted)


@pytest.fixture(scope="module")
def good(washers: Path) -> ByteArray:
    return read_image(washers / "test" / "good" / "000.png")


@pytest.fixture(scope="module")
def lenient(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same inspector with a threshold that nothing reaches, so that no score rejects."""
    artifact, out = read_artifact(fitted), tmp_path_factory.mktemp("lenient") / "washer.blemish"
    decision = artifact.manifest.decision.model_copy(update={"threshold": 1e9, "review_threshold": 1e9})
    write_artifact(out, artifact.manifest.decided(decision), artifact.members)
    return out


SPOILT: dict[str, tuple[Callable[[ByteArray], ByteArray], str]] = {
    "half the light": (lambda image: image // 2, ""),
    "black": (np.zeros_like, "much darker than"),
    "white": (lambda image: np.full_like(image, 255), "much "),
    "blurred": (lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), 6), np.uint8), ""),
    "noise": (lambda image: np.random.default_rng(0).integers(0, 256, image.shape, np.uint8), ""),
    "wide": (lambda image: np.asarray(image[: len(image) // 2]), "much wider than"),
    "small": (lambda image: np.asarray(image[::4, ::4]), "much smaller than"),
    "another part": (lambda image: np.roll(255 - image, 30, axis=2), ""),
}


@pytest.mark.parametrize("way", SPOILT)
def test_a_photograph_unlike_those_learnt_from_is_never_passed(
    way: str, lenient: Path, good: ByteArray
) -> None:
    spoil, words = SPOILT[way]
    inspector = Inspector.load(lenient)
    assert inspector.inspect(good).verdict is Verdict.PASS

    found = inspector.inspect(spoil(good))

    assert found.verdict is Verdict.NOT_JUDGED and found.regions == ()
    assert found.reason is not None and words in found.reason and ", learnt " in found.reason
    assert found.to_json()["reason"] == found.reason and found.to_json()["verdict"] == "not judged"
    assert found.reason in repr(found)


def test_a_score_above_the_threshold_stays_a_reject_with_the_reason_beside_it(
    inspector: Inspector, good: ByteArray
) -> None:
    found = inspector.inspect(np.random.default_rng(0).integers(0, 256, good.shape, np.uint8))

    assert found.score > found.threshold
    assert found.verdict is Verdict.REJECT and found.reason and found.regions


def test_good_and_defective_parts_are_like_those_learnt_from(inspector: Inspector, washers: Path) -> None:
    found = [inspector.inspect(path) for path in sorted((washers / "test").glob("*/*.png"))]

    assert len(found) == 18
    assert [one.reason for one in found] == [None] * 18


def test_what_is_measured_of_files_learnt_from_is_within_the_limits(
    inspector: Inspector, washers: Path
) -> None:
    record = inspector.manifest.suitability
    assert record is not None and record.n_photographs == 12
    for path in (washers / "train" / "good").glob("*.png"):
        assert inspector.inspect(path).reason is None
        # By its bytes too, as the service gets them.
        assert inspector.inspect(path.read_bytes()).reason is None


def test_where_nobody_checks_everything_is_judged(fitted: Path, good: ByteArray, tmp_path: Path) -> None:
    """As by inspectors of before, and those fitted with --no-check-photographs."""
    artifact = read_artifact(fitted)
    manifest = artifact.manifest.model_copy(update={"suitability": None})
    members = {name: content for name, content in artifact.members.items() if name != KNOWN_PHOTOGRAPHS}
    write_artifact(tmp_path / "old.blemish", manifest, members)

    found = Inspector.load(tmp_path / "old.blemish").inspect(np.zeros_like(good))

    assert found.reason is None and found.verdict is not Verdict.NOT_JUDGED


@pytest.mark.parametrize(
    "known",
    [
        np.zeros((3, COLUMNS - 1), np.float32),
        np.zeros((0, COLUMNS), np.float32),
        np.zeros((MOST_KNOWN + 1, COLUMNS), np.float32),
        np.zeros((3, COLUMNS), np.float64),
        np.full((3, COLUMNS), np.nan, np.float32),
        np.zeros(COLUMNS, np.float32),
    ],
)
def test_a_forged_array_is_refused(fitted: Path, tmp_path: Path, known: Any) -> None:
    artifact = read_artifact(fitted)
    members = artifact.members | {KNOWN_PHOTOGRAPHS: array_content(known)}
    write_artifact(tmp_path / "forged.blemish", artifact.manifest, members)

    with pytest.raises(ArtifactError, match="holds no measures of photographs"):
        Inspector.load(tmp_path / "forged.blemish")


def test_an_absent_array_is_refused(fitted: Path, tmp_path: Path) -> None:
    artifact = read_artifact(fitted)
    members = {name: content for name, content in artifact.members.items() if name != KNOWN_PHOTOGRAPHS}
    write_artifact(tmp_path / "without.blemish", artifact.manifest, members)

    with pytest.raises(ArtifactError, match=f"holds no {KNOWN_PHOTOGRAPHS}"):
        Inspector.load(tmp_path / "without.blemish")


def test_limits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValidationError, match="must enclose"):
        Limit(check="brightness", low=50, high=90, least=40, most=80)
    limit = Limit(check="brightness", low=30, high=90, least=40, most=80)
    with pytest.raises(ValidationError, match="two limits"):
        Suitability(rate=0.01, n_photographs=10, limits=(limit, limit))
    with pytest.raises(ValidationError, match="less than or equal"):
        Suitability(version=99, rate=0.01, n_photographs=10, limits=())


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=40)
def test_anything_that_decodes_can_be_measured(height: int, width: int, seed: int, masked: bool) -> None:
    random = np.random.default_rng(seed)
    image = random.integers(0, random.integers(1, 257), (height, width, 3), np.uint8)
    counted = random.random((height, width)) < random.random() if masked else None

    found = measures_of(image, counted, width, height)

    assert found.shape == (COLUMNS,) and found.dtype == np.float32
    assert np.isfinite(found[: FIGURES.index("part")]).all() and np.isfinite(found[len(FIGURES) :]).all()


def test_what_does_not_count_changes_no_figure(good: ByteArray) -> None:
    counted = np.zeros(good.shape[:2], np.bool_)
    counted[20:100, 20:100] = True
    other = good.copy()
    other[:16] = 255  # farther than what is filtered reaches

    one, two = (measures_of(image, counted, 128, 128) for image in (good, other))

    for figure in ("brightness", "contrast", "focus"):
        assert one[FIGURES.index(figure)] == pytest.approx(two[FIGURES.index(figure)])


def test_more_ignored_after_the_fit_leaves_size_and_shape_alone(fitted: Path, good: ByteArray) -> None:
    """As the picture then differs from those that were measured."""
    inspector = Inspector.load(fitted)
    if not inspector.manifest.detector.score_is_maximum:
        pytest.skip("the score of this inspector is not of its map alone")
    narrowed = inspector.with_ignored(["box:0,0,128,40"])

    assert narrowed.inspect(good).reason is None
    assert "much wider" in (narrowed.inspect(good[:64]).reason or "")


def test_the_command_line_tells_the_reason(
    lenient: Path, washers: Path, tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    dark = tmp_path / "photographs" / "dark.png"
    dark.parent.mkdir()
    cv2.imwrite(str(dark), cv2.imread(str(washers / "test" / "good" / "000.png")) // 8)

    said = blemish("inspect", lenient, dark, "--out", tmp_path / "out")

    assert said.status == 1
    assert "NOT JUDGED" in said.stdout and "1 not judged" in said.stdout
    assert "much darker than the photographs learnt from: mean brightness" in " ".join(said.stdout.split())
    (row,) = csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines())
    assert row["verdict"] == "not judged" and row["reason"].startswith("much darker than")
    (document,) = blemish("inspect", lenient, dark, "--json").document
    assert document["verdict"] == "not judged" and document["reason"] == row["reason"]
    assert (tmp_path / "out" / "dark.jpg").is_file()


def test_an_evaluation_lists_what_was_not_judged(
    lenient: Path, washers: Path, tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    for split in ("train", "test"):
        (tmp_path / "washer" / split).mkdir(parents=True)
    (tmp_path / "washer" / "train" / "good").symlink_to(washers / "train" / "good")
    (tmp_path / "washer" / "test" / "hole").symlink_to(washers / "test" / "hole")
    folder = tmp_path / "washer" / "test" / "good"
    folder.mkdir()
    for number, path in enumerate(sorted((washers / "test" / "good").glob("*.png"))):
        cv2.imwrite(str(folder / path.name), cv2.imread(str(path)) // (8 if number == 0 else 1))

    said = blemish("evaluate", lenient, tmp_path / "washer", "--out", tmp_path / "out", "--json")

    assert said.status == 0, said.stderr
    listed = said.document["not_judged"]
    assert (listed["normal"], listed["anomalous"]) == (1, 0)
    (one,) = listed["images"]
    assert one["path"].endswith("000.png") and "much darker" in one["reason"]
    assert "1 (1 good, 0 defective) is not judged" in (tmp_path / "out" / "report.html").read_text()
