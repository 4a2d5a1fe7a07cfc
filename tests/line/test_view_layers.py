"""The layers on which regions are painted: the photograph at its place, and what is not looked at there."""

from __future__ import annotations

import cv2
import numpy as np

from blemish.core.types import ByteArray
from blemish.data.sample_line import render_good
from blemish.line.view_picture import at_its_place, shown_size, unseen_layer
from blemish.view.preprocessing import Preprocessing
from blemish.view.regions import IgnoredLater, Regions
from blemish.view.registration import Alignment, encoded_reference, reference_size, small_grey
from blemish.view.view import View

WIDTH, HEIGHT = 400, 300


def _board() -> ByteArray:
    board, _ = render_good("board", np.random.default_rng(3), 220)
    photograph = np.full((HEIGHT, WIDTH, 3), board[0, 0], np.uint8)
    photograph[40:260, 90:310] = board
    return photograph


def _layer(view: View, side: int) -> ByteArray:
    contract = Preprocessing(
        height=96, width=128, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0), view=view
    )
    read = cv2.imdecode(np.frombuffer(unseen_layer(contract, side), np.uint8), cv2.IMREAD_UNCHANGED)
    return np.asarray(read, np.uint8)


def test_a_moved_part_is_shown_where_its_shapes_are_named() -> None:
    board = _board()
    alignment = Alignment(
        reference=encoded_reference(small_grey(board, reference_size((WIDTH, HEIGHT)))),
        model="shift",
        method="correlation",
        certain_from=0.5,
        agreement_before=0.8,
        agreement=0.9,
        spread_before=2.0,
        spread=1.0,
        n_photographs=10,
    )
    shifted = np.roll(board, (12, -25), (0, 1))
    aligned = at_its_place(shifted, View(photograph=(WIDTH, HEIGHT), alignment=alignment))
    as_it_lies = at_its_place(shifted, View(photograph=(WIDTH, HEIGHT)))
    inside = (slice(60, 240), slice(110, 290))

    def difference(one: ByteArray) -> float:
        return float(np.abs(one[inside].astype(int) - board[inside]).mean())

    assert difference(aligned) < 4 < 10 < difference(as_it_lies)


def test_photographs_of_any_size_are_shown_at_one_that_is_no_larger_than_asked() -> None:
    view = View(photograph=(4000, 3000))
    assert shown_size(view) == (1600, 1200) and shown_size(view, 400) == (400, 300)
    for size in ((4000, 3000), (200, 150)):
        photograph = np.full((size[1], size[0], 3), 90, np.uint8)
        assert at_its_place(photograph, view, 400).shape == (300, 400, 3)


def test_what_is_ignored_is_hatched_and_what_is_seen_but_not_judged_is_amber() -> None:
    learnt = Regions(ignore=("box:0,0,100,60",))
    view = View(photograph=(WIDTH, HEIGHT), regions=learnt)
    layer = _layer(view, 200)
    assert layer.shape == (150, 200, 4)
    assert (
        layer[:30, :50, 3].all() and not layer[32:, 52:, 3].any()
    )  # its edge was learnt: all else is judged
    later = IgnoredLater(regions=Regions(ignore=("box:300,200,100,100",)), margin=10)
    more = _layer(view.model_copy(update={"ignored_later": later}), 200)
    colours = {tuple(int(value) for value in one) for one in more.reshape(-1, 4)}
    (amber,) = (one for one in colours if one[3] and one[2] > one[1] > one[0])
    beside, amber_pixels = more[140, 148], (more == np.array(amber, np.uint8)).all(-1)
    assert tuple(int(value) for value in beside) == amber
    assert amber_pixels.sum() < 0.4 * amber_pixels.size and not more[75, 70, 3]
