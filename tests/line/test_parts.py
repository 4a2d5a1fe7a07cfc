"""Several like parts in a photograph: where they are found, what is cut out, and how the verdict is put together."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.errors import ImageError
from blemish.core.types import ByteArray, Prediction
from blemish.data.drawn_trays import Tray, render_tray
from blemish.view.foreground import Foreground
from blemish.view.parts import Box, Components, Parts, Split, cut_out, joined, map_shape, split
from blemish.view.preprocessing import Preprocessing, look

CELL, ROWS, COLUMNS = 128, 2, 3
USUAL = (COLUMNS * CELL, ROWS * CELL)
WASHERS = Parts(cut=(104, 104), count=(4, 6, 6), components=Components(threshold=30, area=0.06))
GREY = (70, 72, 75)


def tray(seed: int, **more: object) -> Tray:
    return render_tray(np.random.default_rng(seed), ROWS, COLUMNS, CELL, **more)  # type: ignore[arg-type]


def mat(*plates: tuple[int, int, int, int], size: tuple[int, int] = USUAL) -> ByteArray:
    """A grey mat of `size` (width, height) with bright plates, each as x, y, width, height."""
    image = np.full((size[1], size[0], 3), GREY, np.uint8)
    for x, y, width, height in plates:
        image[max(0, y) : y + height, max(0, x) : x + width] = 220
    return image


@given(st.integers(0, 10_000), st.sets(st.integers(0, ROWS * COLUMNS - 1), min_size=1))
@settings(max_examples=12)
def test_every_washer_of_a_tray_lies_whole_in_a_cut_of_its_own(seed: int, taken: set[int]) -> None:
    drawn = tray(seed, taken=sorted(taken))

    found = split(drawn.image, WASHERS, USUAL)

    assert found.count == len(found.boxes) == len(taken)
    holding = [
        [
            washer[max(0, box.y) : box.y + box.height, max(0, box.x) : box.x + box.width].sum()
            for box in found.boxes
        ]
        for washer in drawn.washers
    ]
    for held, washer in zip(holding, drawn.washers, strict=True):
        assert max(held) == washer.sum()
    assert len({int(np.argmax(held)) for held in holding}) == len(taken)


def test_parts_of_a_photograph_of_another_size_are_found_at_its_scale() -> None:
    image = tray(3).image
    larger = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)

    small, large = (split(np.asarray(one, np.uint8), WASHERS, USUAL) for one in (image, larger))

    assert small.count == large.count == 6
    for one, other in zip(small.boxes, large.boxes, strict=True):
        assert (other.width, other.height) == (2 * one.width, 2 * one.height)
        assert abs(other.x - 2 * one.x) <= 4 and abs(other.y - 2 * one.y) <= 4


def test_a_part_is_shown_alone_and_beyond_the_border_is_ground() -> None:
    image = mat((60, 60, 70, 70), (142, 60, 70, 70), (300, 2, 70, 70))

    found = split(image, WASHERS, USUAL)
    cuts = cut_out(image, found)

    assert found.count == 3
    assert all(cut.shape == (104, 104, 3) for cut in cuts)
    for cut in cuts:
        bright = (cut > 150).all(axis=2)
        # One plate, no pixel of its neighbours, and its own are all there.
        assert cv2.connectedComponents(bright.astype(np.uint8))[0] == 2
        assert bright.sum() == 70 * 70
        assert (cut[~bright] == GREY).all()


def test_a_splinter_beside_a_part_is_still_seen() -> None:
    image = mat((60, 60, 70, 70), (138, 90, 8, 8))

    found = split(image, WASHERS, USUAL)
    (cut,) = cut_out(image, found)

    assert (cut > 150).all(axis=2).sum() == 70 * 70 + 8 * 8


def test_a_part_that_is_larger_than_all_good_ones_is_covered_wholly() -> None:
    image = mat((30, 30, 230, 70))

    found = split(image, WASHERS, USUAL)

    covered = np.zeros(image.shape[:2], bool)
    for box in found.boxes:
        covered[max(0, box.y) : box.y + box.height, max(0, box.x) : box.x + box.width] = True
    assert found.count == 1 and len(found.boxes) == 3
    assert covered[30:100, 30:260].all()


@pytest.mark.parametrize(("cut_off", "count"), [(False, 2), (True, 1)])
def test_a_part_at_the_border_is_judged_unless_good_photographs_show_such(cut_off: bool, count: int) -> None:
    assert WASHERS.components is not None
    learnt = WASHERS.components.model_copy(update={"cut_off": cut_off})
    image = mat((100, 60, 70, 70), (340, 60, 70, 70))

    assert split(image, WASHERS.model_copy(update={"components": learnt}), USUAL).count == count


def test_specks_are_no_parts_and_an_empty_mat_is_refused_by_name() -> None:
    image = mat((50, 50, 20, 20), (200, 90, 12, 12))

    with pytest.raises(ImageError, match=r"^mat\.png: it shows no part where 6 are usual") as caught:
        split(image, WASHERS, USUAL, "mat.png")
    assert caught.value.kind == "no-part" and caught.value.path == Path("mat.png")


@given(st.integers(1, 7), st.integers(1, 7), st.integers(40, 300), st.integers(40, 300))
def test_cells_of_a_grid_cover_the_photograph_without_a_gap(
    rows: int, columns: int, width: int, height: int
) -> None:
    count = rows * columns
    grid = Parts(cut=(width // columns, height // rows), count=(count, count, count), grid=(rows, columns))
    image = np.arange(height * width * 3, dtype=np.uint32).astype(np.uint8).reshape(height, width, 3)

    found = split(image, grid, (width, height))
    cuts = cut_out(image, found)

    bands = [np.concatenate(cuts[row * columns : (row + 1) * columns], axis=1) for row in range(rows)]
    assert found.count == count
    assert np.array_equal(np.concatenate(bands), image)


@given(
    st.integers(0, 5),
    st.integers(0, 31),
    st.integers(0, 31),
    st.floats(-5, 5),
    st.sampled_from([16, 32, 128]),
)
@settings(max_examples=40)
def test_the_worst_part_is_the_photograph_and_its_peak_lies_where_it_is(
    worst: int, row: int, column: int, lowest: float, cell: int
) -> None:
    size = (3 * cell, 2 * cell)
    boxes = tuple(Box(x * cell, y * cell, cell, cell) for y in range(2) for x in range(3))
    maps = [np.full((32, 32), np.float32(lowest + number), np.float32) for number in range(6)]
    maps[worst][row, column] = 100
    said = [
        Prediction(100.0 if number == worst else float(number), one, types={"type": number})
        for number, one in enumerate(maps)
    ]

    whole = joined(said, Split(boxes, 6, size), size, (cell, cell))

    assert (whole.score, whole.part_count, whole.types) == (100.0, 6, {"type": worst})
    assert whole.anomaly_map.shape == map_shape(size, (cell, cell), (32, 32))
    assert whole.anomaly_map.min() >= np.float32(lowest)
    y, x = np.unravel_index(int(whole.anomaly_map.argmax()), whole.anomaly_map.shape)
    scale = cell / 32
    there = boxes[worst].x + (column + 0.5) * scale, boxes[worst].y + (row + 0.5) * scale
    here = (x + 0.5) * size[0] / whole.anomaly_map.shape[1], (y + 0.5) * size[1] / whole.anomaly_map.shape[0]
    assert abs(here[0] - there[0]) <= max(1, scale) and abs(here[1] - there[1]) <= max(1, scale)


def test_between_parts_the_map_is_as_low_as_anywhere() -> None:
    said = [Prediction(1.0, np.full((8, 8), value, np.float32)) for value in (3, 2)]
    found = Split((Box(10, 10, 20, 20), Box(60, -5, 20, 20)), 2, (100, 50))

    said_of_all = joined(said, found, (100, 50), (20, 20))
    whole, counted = said_of_all.anomaly_map, said_of_all.counted

    assert whole.shape == (20, 40)
    assert whole[4:12, 4:12].min() == 3 and whole[0:6, 24:32].max() == 2
    whole[4:12, 4:12] = 2
    assert (whole == 2).all()
    assert counted is not None and counted.sum() == 8 * 8 + 6 * 8
    assert counted[4:12, 4:12].all() and counted[0:6, 24:32].all()


# ----- the part alone -----

ALONE = Preprocessing(
    height=96,
    width=96,
    mean=(120, 120, 120),
    std=(1, 1, 1),
    view={"photograph": (128, 128), "foreground": Foreground(threshold=30, margin=0.05)},  # type: ignore[arg-type]
)


@given(st.integers(0, 1000), st.integers(1, 4))
@settings(max_examples=15)
def test_dust_and_small_noise_on_the_ground_move_the_edge_of_what_counts_by_a_pixel_at_most(
    seed: int, dust: int
) -> None:
    rng = np.random.default_rng(seed)
    clean = render_tray(rng, 1, 1, 128).image
    before = look(clean, ALONE)
    assert before.counted is not None and before.counted_in_photograph is not None
    far = ~before.counted_in_photograph
    dirty = (
        np.where(far[..., None], clean.astype(int) + rng.integers(-3, 4, clean.shape), clean)
        .clip(0, 255)
        .astype(np.uint8)
    )
    for _ in range(dust):
        y, x = (int(number) for number in rng.integers(2, 12, 2))
        dirty[y : y + 3, x : x + 3] = 235

    after = look(dirty, ALONE)

    assert after.counted is not None
    moved = (after.counted != before.counted).astype(np.uint8)
    assert not cv2.erode(moved, np.ones((3, 3), np.uint8)).any()
    # What lies inside that edge, the part and most of its margin, is the same bit by bit; outside is one colour.
    edge = cv2.dilate(
        cv2.morphologyEx(before.counted.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3))),
        np.ones((5, 5)),
    )
    assert np.array_equal(after.picture[edge == 0], before.picture[edge == 0])
    assert (after.picture[(edge == 0) & ~before.counted] == 120).all()


def test_a_burr_and_a_chipped_edge_are_still_seen() -> None:
    good = mat((30, 30, 70, 70), size=(128, 128))
    burr = mat((30, 30, 70, 70), (60, 96, 4, 10), size=(128, 128))
    chipped = good.copy()
    chipped[30:40, 30:40] = GREY

    pictures = [look(one, ALONE).picture for one in (good, burr, chipped)]

    assert not np.array_equal(pictures[0], pictures[1])
    assert (pictures[1].astype(int) - pictures[0]).max() > 60
    assert (pictures[0].astype(int) - pictures[2]).max() > 60
