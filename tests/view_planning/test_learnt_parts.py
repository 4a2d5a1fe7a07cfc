"""What is learnt of the parts in good photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from blemish.core.types import ByteArray
from blemish.data.catalog import open_catalog
from blemish.data.defect_files import write_image
from blemish.data.drawn_trays import render_tray
from blemish.view.parts import Parts
from blemish.view_planning.plan import PlannedView, ViewOptions, plan_view
from blemish.view_planning.scale import Reading

CELL = 96


def tray(number: int, taken: int = 6) -> ByteArray:
    rng = np.random.default_rng([5, number])
    return render_tray(rng, 2, 3, CELL, sorted(rng.permutation(6)[:taken].tolist())).image


def planned(images: list[ByteArray], folder: Path, any_shape: bool = True) -> PlannedView:
    paths = [folder / f"{number}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        write_image(path, image)
    return plan_view(paths, Reading("patchcore", 128, any_shape), ViewOptions(parts="auto"))


def parts_of(found: PlannedView) -> Parts:
    assert found.view is not None and found.view.parts is not None
    return found.view.parts


def test_number_and_size_of_parts_are_those_of_the_good_photographs(tmp_path: Path) -> None:
    found = planned([tray(number, taken) for number, taken in enumerate((3, 6, 6, 6, 5))], tmp_path)

    parts = parts_of(found)
    assert parts.count == (3, 6, 6)
    # A washer is 0.67 of its place wide, with a margin of 8 % on either side.
    assert all(0.67 * CELL < side < 0.67 * CELL * 1.35 for side in parts.cut)
    assert (found.height, found.width) == (128, 128)
    assert parts.components is not None and not parts.components.cut_off


def test_parts_that_the_border_often_cuts_off_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    found = planned([tray(number)[:, CELL // 2 :] for number in range(5)], tmp_path)

    parts = parts_of(found)
    assert parts.count == (4, 4, 4)
    assert parts.components is not None and parts.components.cut_off
    assert found.view is not None and "parts that the border cuts off are left out" in " ".join(
        found.view.reasons
    )


def test_a_network_that_reads_squares_is_given_squares(tmp_path: Path) -> None:
    plates = []
    for number in range(4):
        image = np.full((200, 300, 3), 60, np.uint8)
        image[20 + number : 60 + number, 30:130] = image[120:160, 160:260] = 200
        plates.append(image)

    wide, square = (parts_of(planned(plates, tmp_path, any_shape)).cut for any_shape in (True, False))

    assert wide[0] > 1.5 * wide[1]
    assert square == (wide[0], wide[0])


def test_things_that_are_not_alike_are_no_parts(tmp_path: Path) -> None:
    images = []
    for number in range(4):
        image = np.full((200, 300, 3), 60, np.uint8)
        image[20:180, 20 + number : 150 + number] = 200
        image[60:140, 200:280] = 180
        images.append(image)

    found = planned(images, tmp_path)

    assert found.view is not None and found.view.parts is None
    assert "no like parts" in " ".join(found.view.reasons)


@pytest.mark.real
@pytest.mark.parametrize("name", ["screw", "metal_plate", "magnetic_tile"])
def test_real_photographs_of_one_part_and_of_a_surface_are_looked_at_whole(
    name: str, real_data: Path
) -> None:
    paths = open_catalog(real_data / name).train_normal()[:40]

    view = plan_view(paths, Reading("patchcore", 128), ViewOptions(parts="auto")).view

    assert view is not None and view.parts is None and view.reasons
