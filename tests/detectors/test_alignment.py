"""Alignment learnt from good photographs: taken where it helps, refused in a sentence where it would not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from blemish.core.errors import UsageError
from blemish.core.types import ByteArray
from blemish.data.catalog import open_catalog
from blemish.data.sample_line import render_good
from blemish.detectors.registry import create_detector, detector_names
from blemish.line.rows import features_record, network_input
from blemish.line.runtime import Inspector

WIDTH, HEIGHT = 240, 180
SIZE = 192
DEFECT = 12


def lying(
    angle: float, right: float, down: float, number: int, damaged: bool = False
) -> tuple[ByteArray, Any]:
    """A board that lies turned and shifted, and the place of the defect in its middle, x and y."""
    board, _ = render_good("board", np.random.default_rng(7), 100)
    light = np.random.default_rng(number).uniform(0.92, 1.08)
    canvas = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    canvas[:] = np.median(board[0], axis=0)
    canvas[40:140, 70:170] = board
    x, y = 105, 84
    if damaged:
        canvas[y : y + DEFECT, x : x + DEFECT] = (250, 30, 240)
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), angle, 1.0)
    matrix[:, 2] += right, down
    border = cv2.BORDER_REPLICATE
    image = cv2.warpAffine(canvas, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=border)
    grain = np.random.default_rng(number).normal(0, 2, image.shape)
    place = matrix @ np.array([x + DEFECT / 2, y + DEFECT / 2, 1.0])
    return (image * light + grain).clip(0, 255).astype(np.uint8), place


def write(folder: Path, count: int, turns: float, shifts: float) -> Path:
    """Good boards that lie anyhow, and some to test."""
    rng = np.random.default_rng(1)
    for split, number in (("train", count), ("test", 3)):
        (folder / split / "good").mkdir(parents=True)
        for index in range(number):
            where = rng.uniform(-turns, turns), rng.uniform(-shifts, shifts), rng.uniform(-shifts, shifts) / 2
            image, _ = lying(*where, number=index)
            Image.fromarray(image).save(folder / split / "good" / f"{index:02d}.png")
    return folder


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Boards turned by any angle."""
    return write(tmp_path_factory.mktemp("turned"), 10, 180, 14)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Boards that all lie in one place."""
    return write(tmp_path_factory.mktemp("still"), 8, 0, 0)


@pytest.fixture(scope="module")
def inspector(turned: Path, tmp_path_factory: pytest.TempPathFactory, blemish: Callable[..., Any]) -> Path:
    """Of the turned boards, by `blemish fit --align auto`."""
    out = tmp_path_factory.mktemp("aligned") / "board.blemish"
    small = ("--size", SIZE, "--set", "coreset_size=200", "--set", "copies=none")
    outcome = blemish("fit", turned, "--out", out, *small, "--align", "auto")
    assert outcome.status == 0, outcome.stderr
    assert "turned and shifted to one place" in " ".join(outcome.stdout.split())
    return out


@pytest.mark.parametrize(("angle", "right", "down"), [(0, 0, 0), (77, 15, -9), (190, -20, 5), (305, 0, 10)])
def test_a_defect_on_a_turned_part_is_marked_in_its_photograph(
    inspector: Path, angle: float, right: float, down: float
) -> None:
    image, place = lying(angle, right, down, 50, damaged=True)
    found = Inspector.load(inspector).inspect(image)
    assert found.verdict == "reject"
    box = max(found.regions, key=lambda region: region.score)
    assert box.x - 4 <= place[0] <= box.x + box.width + 4
    assert box.y - 4 <= place[1] <= box.y + box.height + 4
    assert max(box.width, box.height) < 5 * DEFECT


def test_what_was_learnt_stands_in_the_file_and_the_look(inspector: Path) -> None:
    opened = Inspector.load(inspector)
    view = opened.manifest.preprocessing.view
    assert view is not None and view.alignment is not None and view.alignment.model == "turn"
    assert view.alignment.agreement > view.alignment.agreement_before + 0.1
    assert view.alignment.spread < view.alignment.spread_before
    assert any("agree with the best of them" in reason for reason in view.reasons)
    look = opened.input_of(lying(120, 5, 5, 51)[0]).look
    assert look is not None and look.aligned and look.agreement is not None and look.agreement > 0.8
    strange = opened.input_of(
        np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    ).look
    assert strange is not None and not strange.aligned


def test_laboratory_and_line_place_their_maps_alike(turned: Path) -> None:
    detector = create_detector("padim", size=SIZE, align="auto").fit(turned)
    image, place = lying(60, 10, 4, 52, damaged=True)
    said = detector.predict(image).anomaly_map
    row, column = np.unravel_index(int(said.argmax()), said.shape)
    seen = (column + 0.5) / said.shape[1] * WIDTH, (row + 0.5) / said.shape[0] * HEIGHT
    assert np.hypot(*(np.array(seen) - place)) < DEFECT


def test_rows_of_features_are_those_of_the_part_at_its_place(turned: Path, tmp_path: Path) -> None:
    planned = create_detector("patchcore", size=SIZE, align="auto").plan_view(
        open_catalog(turned).train_normal()
    )
    images = [lying(angle, 8, -4, 70)[0] for angle in (15, 160)]
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for image, path in zip(images, paths, strict=True):
        Image.fromarray(image).save(path)
    for features in ("direct", "pixels"):
        whole = create_detector("isolation-forest", features=features)
        seen = whole.clone().look_as(planned)
        rows = [seen.read_input(path) for path in paths]
        for row, image in zip(rows, images, strict=True):
            line = network_input(image, seen.preprocessing(), features_record(features)).values
            assert np.array_equal(row, line)
        usual = [whole.read_input(path) for path in paths]
        assert not np.array_equal(rows[0], usual[0])
        if features == "pixels":
            assert np.abs(rows[0] - rows[1]).mean() < 0.5 * np.abs(usual[0] - usual[1]).mean()


def test_parts_that_lie_still_are_left_alone(still: Path) -> None:
    paths = open_catalog(still).train_normal()
    planned = create_detector("patchcore", size=SIZE, align="auto").plan_view(paths)
    assert planned.view is not None and planned.view.alignment is None and planned.view.key == ""
    assert "as they lie" in planned.view.reasons[-1] and "instead of" in planned.view.reasons[-1]
    for align in ("shift", "turn"):
        with pytest.raises(
            UsageError, match=f"align={align} would not help here: .* agree .*leave it at none"
        ):
            create_detector("patchcore", size=SIZE, align=align).plan_view(paths)


def test_textures_and_too_few_photographs_are_refused(tmp_path: Path, turned: Path) -> None:
    paths = []
    for number in range(6):
        Image.fromarray(render_good("gravel", np.random.default_rng(number), 128)[0]).save(
            path := tmp_path / f"{number}.png"
        )
        paths.append(path)
    with pytest.raises(UsageError, match="least that photographs of one part have"):
        create_detector("patchcore", size=SIZE, align="shift").plan_view(paths)
    with pytest.raises(UsageError, match="too few to measure"):
        create_detector("patchcore", size=SIZE, align="shift").plan_view(
            open_catalog(turned).train_normal()[:3]
        )


def test_a_round_part_is_shifted_and_not_turned(tmp_path: Path) -> None:
    rng, paths = np.random.default_rng(2), []
    for number in range(8):
        image = np.full((128, 160, 3), 60, np.uint8)
        x, y = (int(one) for one in rng.integers((60, 44), (101, 85)))
        for radius, grey in ((34, 200), (24, 150), (12, 60)):
            cv2.circle(image, (x, y), radius, (grey, grey, grey), -1, cv2.LINE_AA)
        grain = rng.normal(0, 3, image.shape)
        Image.fromarray((image + grain).clip(0, 255).astype(np.uint8)).save(
            path := tmp_path / f"{number}.png"
        )
        paths.append(path)
    with pytest.raises(UsageError, match="when they are shifted alone; ask for shift or auto"):
        create_detector("patchcore", size=SIZE, align="turn").plan_view(paths)
    view = create_detector("patchcore", size=SIZE, align="shift").plan_view(paths).view
    assert view is not None and view.alignment is not None and view.alignment.model == "shift"


@pytest.mark.parametrize("name", detector_names())
def test_every_detector_knows_it_and_refuses_what_it_is_not(name: str, turned: Path) -> None:
    detector = create_detector(name, align="sideways")
    with pytest.raises(UsageError, match="align=sideways is not possible: choose none, shift, turn or auto"):
        detector.plan_view(open_catalog(turned).train_normal())


def test_a_wrong_value_is_refused_before_anything_is_read(
    tmp_path: Path, turned: Path, blemish: Callable[..., Any]
) -> None:
    outcome = blemish("fit", turned, "--out", tmp_path / "x.blemish", "--align", "sideways")
    assert outcome.status == 2 and "choose none, shift, turn or auto" in " ".join(outcome.stderr.split())


def test_masks_are_learnt_from_where_the_part_is_brought(turned: Path, tmp_path: Path) -> None:
    from blemish.detectors.supervised.segmentation_examples import mask_as_seen

    detector = create_detector("unet", align="auto", size=SIZE)
    planned = detector.plan_view(open_catalog(turned).train_normal())
    contract = detector.look_as(planned).preprocessing()
    centres = []
    for number, angle in enumerate((20, 140, 260)):
        image, place = lying(angle, 6, -4, 60 + number, damaged=True)
        mask = cv2.circle(np.zeros(image.shape[:2], np.uint8), tuple(int(one) for one in place), 5, 255, -1)
        for name, pixels in (("photograph", image), ("mask", mask)):
            Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        seen = mask_as_seen(tmp_path / "mask.png", tmp_path / "photograph.png", contract)
        centres.append(np.argwhere(seen).mean(0))
    assert np.ptp(np.array(centres), axis=0).max() < 3
