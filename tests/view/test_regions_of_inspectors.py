"""Inspectors with regions: nothing outside has any influence, at every door, and more can be ignored later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import blemish as package
from blemish.core.errors import UsageError
from blemish.core.images import read_image
from blemish.core.types import Verdict
from blemish.data.categories import open_category
from blemish.detectors.base import Detector
from blemish.detectors.chosen import choose_detectors
from blemish.evaluation.facts import inspector_facts
from blemish.evaluation.unseen import evaluate_inspector
from blemish.line.artifact import read_artifact
from blemish.line.pixel_decision import PixelDecision
from blemish.line.runtime import Inspector
from blemish.making.build import build_inspector
from blemish.making.reach import RISE, reach_of
from blemish.view.regions import covered

Call = Callable[..., Any]

BOX = (10, 12, 36, 30)
IGNORED = "box:10,12,36,30"
SMALL: dict[str, dict[str, Any]] = {
    "patchcore": {"coreset_size": 100, "copies": "none", "ignore": (IGNORED,)},
    "padim": {"ignore": (IGNORED,), "include": ("polygon:0,0,127,0,127,127,0,127",)},
    "cae": {"ignore": (IGNORED,), "epochs": 1, "size": 64},
    "isolation-forest": {"ignore": (IGNORED,), "features": "direct"},
}


def made(name: str, **parameters: Any) -> Detector:
    (chosen,) = choose_detectors((name,), {"size": 128, **parameters})
    return chosen.make()


@pytest.fixture(scope="module")
def fitted_with_regions(
    washers: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Detector, Path]]:
    """Detector and inspector of one of `SMALL`, made when first asked for."""
    known: dict[str, tuple[Detector, Path]] = {}
    folder = tmp_path_factory.mktemp("regions")

    def get(name: str) -> tuple[Detector, Path]:
        if name not in known:
            detector, out = made(name, **SMALL[name]), folder / f"{name}.blemish"
            build_inspector(open_category(washers, None), out, detector, folds=2)
            known[name] = detector, out
        return known[name]

    return get


def disturbed(image: Any, seed: int, box: tuple[int, int, int, int] = BOX) -> Any:
    """A photograph whose pixels inside a box are drawn anew."""
    x, y, width, height = box
    changed = image.copy()
    changed[y : y + height, x : x + width] = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    return changed


def photographs_of(washers: Path) -> list[Path]:
    return sorted((washers / "test").rglob("*.png"))


@pytest.mark.parametrize("name", SMALL)
def test_every_bit_is_the_same_whatever_stands_outside(
    fitted_with_regions: Any, washers: Path, name: str
) -> None:
    detector, path = fitted_with_regions(name)
    inspector, files = Inspector.load(path), photographs_of(washers)

    @settings(max_examples=4)
    @given(st.sampled_from(files), st.integers(0, 2**32 - 1))
    def same(file: Path, seed: int) -> None:
        image = read_image(file)
        other = disturbed(image, seed)
        one, two = inspector.inspect(image), inspector.inspect(other)
        assert (one.score, one.verdict, one.regions, one.p_value) == (
            two.score,
            two.verdict,
            two.regions,
            two.p_value,
        )
        assert one.anomaly_map.tobytes() == two.anomaly_map.tobytes()
        first, second = detector.predict([image, other])
        assert first.score == second.score and first.anomaly_map.tobytes() == second.anomaly_map.tobytes()

    same()


@pytest.mark.parametrize("name", ["patchcore", "padim"])
def test_verdicts_point_nowhere_outside(fitted_with_regions: Any, washers: Path, name: str) -> None:
    _, path = fitted_with_regions(name)
    inspector = Inspector.load(path)
    everything = {"threshold": -1e9, "review_threshold": -1e9, "pixels": PixelDecision(threshold=-1e9)}
    inspector.manifest = inspector.manifest.decided(inspector.decision.model_copy(update=everything))
    x, y, width, height = BOX
    for file in photographs_of(washers)[::4]:
        found = inspector.inspect(file)
        assert found.verdict == Verdict.REJECT and found.regions and found.counted is not None
        assert not found.counted[y : y + height, x : x + width].any()
        inside = found.anomaly_map[y + 1 : y + height - 1, x + 1 : x + width - 1]
        assert (inside == found.anomaly_map.min()).all()
        left, right = np.array(found.overlay()), np.array(found.overlay().size)
        assert left.ndim == 3 and right[0] > 2 * 128


def test_learning_is_the_same_whatever_stands_outside(washers: Path, tmp_path: Path) -> None:
    """A detector that has read other pixels outside has learnt nothing else."""
    said = []
    for seed in (None, 7):
        folder = tmp_path / str(seed)
        folder.mkdir()
        for file in sorted((washers / "train" / "good").glob("*.png"))[:8]:
            image = read_image(file)
            Image.fromarray(image if seed is None else disturbed(image, seed)).save(folder / file.name)
        detector = made("padim", ignore=(IGNORED,)).fit(folder)
        said.append(detector.predict(photographs_of(washers)[0]))
    assert said[0].score == said[1].score
    assert said[0].anomaly_map.tobytes() == said[1].anomaly_map.tobytes()


def test_a_photograph_that_its_exif_turns_is_looked_at_upright(
    fitted_with_regions: Any, washers: Path, tmp_path: Path
) -> None:
    _, path = fitted_with_regions("padim")
    inspector, image = Inspector.load(path), read_image(photographs_of(washers)[0])
    turned = Image.fromarray(np.rot90(image))
    exif = turned.getexif()
    exif[274] = 6
    file = tmp_path / "turned.png"
    turned.save(file, exif=exif)
    assert np.array_equal(read_image(file), image)
    assert inspector.inspect(file).score == inspector.inspect(image).score


def test_a_photograph_of_another_size_is_looked_at_in_proportion(
    fitted_with_regions: Any, washers: Path
) -> None:
    _, path = fitted_with_regions("padim")
    inspector = Inspector.load(path)
    image = np.array(Image.fromarray(read_image(photographs_of(washers)[3])).resize((200, 256)))
    x, y, width, height = BOX
    box = (x * 200 // 128, y * 2, width * 200 // 128, height * 2)
    assert inspector.inspect(image).score == inspector.inspect(disturbed(image, 3, box)).score


@pytest.mark.parametrize("shape", [(96, 1400), (1100, 64)])
def test_line_scans_ignore_what_they_are_told(tmp_path: Path, shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    for number in range(6):
        strip = random.normal(120, 10, (*shape, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(strip).save(tmp_path / f"{number}.png")
    height, width = shape
    ignored = (width // 3, height // 2, width // 5, height // 2)
    detector = made("padim", ignore=("box:{},{},{},{}".format(*ignored),)).fit(tmp_path)
    rows, columns = detector.input_sides
    assert (rows > columns) == (height > width)
    image = read_image(tmp_path / "0.png")
    first, second = detector.predict([image, disturbed(image, 1, ignored)])
    assert first.score == second.score and first.anomaly_map.tobytes() == second.anomaly_map.tobytes()


def test_reports_say_what_is_looked_at_and_pixels_that_nobody_sees_do_not_count(
    fitted_with_regions: Any, washers: Path
) -> None:
    _, path = fitted_with_regions("padim")
    inspector = Inspector.load(path)
    assert "not in box:10,12,36,30" in inspector_facts(inspector.manifest)["Looks at"]
    whole = evaluate_inspector(inspector, open_category(washers, None))
    assert whole.pixels is not None
    seen = whole.images[0].anomaly_map.size - BOX[2] * BOX[3]
    assert "are not looked at: they are left out, neither found nor missed" in whole.pixel_note
    assert whole.pixels.n_pixels % seen == 0 and whole.pixels.n_pixels // seen <= len(whole.images)
    for image in whole.images:
        for region in image.regions:
            assert image.counted is not None
            assert image.counted[
                region.y : region.y + region.height, region.x : region.x + region.width
            ].any()


BIG = "box:90,90,30,30"


def test_more_is_ignored_later_and_has_no_influence_from_then_on(
    fitted_with_regions: Any, washers: Path, tmp_path: Path
) -> None:
    _, path = fitted_with_regions("padim")
    inspector = Inspector.load(path)
    record = inspector.manifest.detector
    assert record.score_is_maximum and record.reach is not None
    less = inspector.with_ignored([BIG])
    less.save(tmp_path / "less.blemish")
    again = Inspector.load(tmp_path / "less.blemish")
    assert again.threshold == inspector.threshold
    assert np.array_equal(again.normal_scores, inspector.normal_scores)
    for file in photographs_of(washers)[::5]:
        image = read_image(file)
        changed = disturbed(disturbed(image, 1), 2, (90, 90, 30, 30))
        one, two = again.inspect(image), again.inspect(changed)
        assert one.score == two.score == less.inspect(image).score
        assert one.anomaly_map.tobytes() == two.anomaly_map.tobytes()
        assert one.counted is not None
        shown = one.anomaly_map[covered(one.counted, *one.anomaly_map.shape)]
        assert one.score == pytest.approx(float(shown.max()))
    before = inspector.inspect(image).counted
    assert before is not None and (one.counted <= before).all()
    # The one that was opened is as it was.
    assert inspector.manifest == read_artifact(path).manifest


def test_a_notebook_names_regions_too(washers: Path, tmp_path: Path) -> None:
    images = [read_image(path) for path in sorted((washers / "train" / "good").glob("*.png"))]
    inspector = package.fit(images, detector="padim", size=128, ignore=[IGNORED, "*_GT.png"])
    less = inspector.with_ignored([BIG])
    del inspector
    less.save(tmp_path / "less.blemish")
    assert Inspector.load(tmp_path / "less.blemish").manifest.preprocessing == less.manifest.preprocessing
    with pytest.raises(UsageError, match="is a region of photographs"):
        package.evaluate(less, washers, ignore=[IGNORED])


def test_whose_score_is_no_maximum_of_its_map_is_fitted_anew(fitted_with_regions: Any) -> None:
    _, path = fitted_with_regions("isolation-forest")
    with pytest.raises(UsageError, match="fit it anew with these regions"):
        Inspector.load(path).with_ignored([BIG])


def test_an_edge_that_is_seen_from_everywhere_has_no_reach() -> None:
    away = np.arange(1, 41, dtype=np.float32)
    assert reach_of([(away, np.where(away < 12, 2 * RISE, 0).astype(np.float32))], 8, 40) == 16
    assert reach_of([(away, np.full(40, 2 * RISE, np.float32))], 8, 30) is None
    assert reach_of([(away, np.zeros(40, np.float32))], 8, 30) == 0


def test_the_command_shows_narrows_and_draws(
    fitted_with_regions: Any, washers: Path, tmp_path: Path, blemish: Call
) -> None:
    _, path = fitted_with_regions("padim")
    shown = blemish("view", path)
    assert shown.status == 0 and "128 x 128 pixels" in shown.stdout and IGNORED in shown.stdout
    document = blemish("view", path, "--json").document
    assert document["view"]["regions"]["ignore"] == [IGNORED] and document["can_ignore_more"]
    out, picture = tmp_path / "less.blemish", tmp_path / "view.png"
    drawn = ("--photograph", photographs_of(washers)[0], "--picture", picture)
    changed = blemish("view", path, "--ignore", BIG, "--out", out, *drawn)
    assert changed.status == 0 and "Since the fit" in changed.stdout
    assert read_image(picture).shape == (128, 128, 3)
    judged = blemish("inspect", out, photographs_of(washers)[0], "--json")
    assert judged.status in (0, 1) and len(judged.document) == 1
    for arguments, said in (
        (("--ignore", BIG), "name it, as --out new.blemish"),
        (("--out", out), "Nothing is changed"),
        (("--ignore", "box:1,2,3", "--out", out), "a box has four numbers"),
        (("--ignore", IGNORED, "--out", out), "Nothing would change"),
        (("--picture", picture), "takes two names"),
    ):
        refused = blemish("view", path, *arguments)
        assert refused.status == 2 and said in refused.stderr


def test_a_region_and_a_pattern_stand_beside_each_other(washers: Path, tmp_path: Path, blemish: Call) -> None:
    out = tmp_path / "part.blemish"
    fit = ("fit", washers, "--out", out, "--size", 128, "--detector", "padim", "--ignore", IGNORED)
    done = blemish(*fit, "--ignore", "*_GT.png", "--report", tmp_path / "part.html", "--json")
    assert done.status == 0, done.stderr
    view = read_artifact(out).manifest.preprocessing.view
    assert view is not None and view.regions is not None and view.regions.ignore == (IGNORED,)
    assert "not in box:10,12,36,30" in (tmp_path / "part.html").read_text()
    for verb in (("evaluate", out, washers), ("check", washers), ("inspect", out, washers)):
        refused = blemish(*verb, "--ignore", IGNORED)
        assert refused.status == 2 and "is a region of photographs" in refused.stderr
    wrong = blemish(*fit[:-1], "box:100,0,60,10")
    assert wrong.status == 2 and "reaches to 160, 10" in wrong.stderr


def test_a_strangers_regions_are_refused_by_whoever_opens_them(
    fitted_with_regions: Any, tmp_path: Path
) -> None:
    from blemish.core.errors import ArtifactError
    from blemish.line.artifact import MANIFEST

    _, path = fitted_with_regions("padim")
    content = path.read_bytes()
    forged = tmp_path / "forged.blemish"
    forged.write_bytes(content.replace(b"box:10,12,36,30", b"box:99,12,36,30"))
    with pytest.raises(ArtifactError):
        Inspector.load(forged)
    assert MANIFEST.encode() in content
