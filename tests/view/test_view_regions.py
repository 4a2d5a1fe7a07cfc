"""Regions: shapes and masks as pixels, and looks at photographs on which nothing outside has any influence."""

from __future__ import annotations

import base64
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from blemish.core.errors import UsageError
from blemish.core.overlay import hatched
from blemish.core.types import Prediction
from blemish.line.regions import find_regions, peak_region
from blemish.line.rows import feature_row
from blemish.view.asked_regions import asked_regions
from blemish.view.less import with_less
from blemish.view.preprocessing import Preprocessing, look, seen
from blemish.view.regions import IgnoredLater, MaskBits, Regions, continued, covered
from blemish.view.view import View
from blemish.view_planning.plan import ViewOptions, plan_view
from blemish.view_planning.scale import Reading

MEAN, SPREAD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def contract(view: View | None, height: int = 64, width: int = 96) -> Preprocessing:
    return Preprocessing(height=height, width=width, mean=MEAN, std=SPREAD, view=view)


def noise(seed: int, width: int, height: int) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@st.composite
def boxes(draw: st.DrawFn, width: int, height: int) -> str:
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    across, down = draw(st.integers(1, width - x)), draw(st.integers(1, height - y))
    return f"box:{x},{y},{across},{down}"


@st.composite
def shapes(draw: st.DrawFn, width: int, height: int) -> str:
    if draw(st.booleans()):
        return draw(boxes(width, height))
    points = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    corners = draw(st.lists(points, min_size=3, max_size=6, unique=True))
    numbers = [number for corner in corners for number in corner]
    (x0, y0), *others = corners
    if all((x - x0) * (others[0][1] - y0) == (y - y0) * (others[0][0] - x0) for x, y in others):
        return draw(boxes(width, height))
    return "polygon:" + ",".join(map(str, numbers))


@st.composite
def all_regions(draw: st.DrawFn, width: int, height: int) -> Regions:
    several = st.lists(shapes(width, height), max_size=3).map(tuple)
    bits = None
    if draw(st.booleans()):
        seed = draw(st.integers(0, 99))
        bits = MaskBits.of(np.random.default_rng(seed).random((height, width)) > 0.3)
    return Regions(include=draw(several), ignore=draw(several), mask=bits)


@given(st.lists(boxes(40, 30), max_size=3), st.lists(boxes(40, 30), max_size=3))
def test_boxes_are_exactly_their_pixels(include: list[str], ignore: list[str]) -> None:
    expected = np.full((30, 40), not include)
    for shapes_, value in ((include, True), (ignore, False)):
        for shape in shapes_:
            x, y, across, down = map(int, shape.removeprefix("box:").split(","))
            expected[y : y + down, x : x + across] = value
    regions = Regions(include=tuple(include), ignore=tuple(ignore))
    assert np.array_equal(regions.counted((40, 30), (40, 30)), expected)


@given(boxes(40, 30), st.integers(20, 130), st.integers(20, 130))
def test_a_photograph_of_another_size_has_the_box_where_it_reaches(
    shape: str, width: int, height: int
) -> None:
    x, y, across, down = map(int, shape.removeprefix("box:").split(","))
    ignored = ~Regions(ignore=(shape,)).counted((40, 30), (width, height))
    columns, rows = np.arange(width), np.arange(height)
    inside_x = (columns * 40 < (x + across) * width) & ((columns + 1) * 40 > x * width)
    inside_y = (rows * 30 < (y + down) * height) & ((rows + 1) * 30 > y * height)
    assert np.array_equal(ignored, inside_y[:, None] & inside_x)


def test_a_polygon_has_its_corners_and_what_lies_between() -> None:
    counted = Regions(include=("polygon:2,1,8,1,8,7,2,7",)).counted((12, 10), (12, 10))
    assert counted.sum() == 49 and counted[1, 2] and counted[7, 8] and not counted[8, 8]
    doubled = Regions(include=("polygon:2,1,8,1,8,7,2,7",)).counted((12, 10), (24, 20))
    assert 150 < doubled.sum() < 250


@pytest.mark.parametrize(
    "shape",
    [
        "box", "box:", "box:1,2,3", "box:1,2,3,4,5", "box:1,2,0,4", "box:-1,2,3,4", "box:1.5,2,3,4", "box:1, 2,3,4",
        "circle:1,2,3", "polygon:1,2,3,4", "polygon:1,2,3,4,5", "polygon:0,0,5,5,9,9", "polygon:3,3,3,3,3,3",
        "box:1,2,3,9999999", "BOX:1,2,3,4", "box:١,2,3,4",
    ],
)  # fmt: skip
def test_what_is_no_shape_is_refused_in_a_sentence(shape: str) -> None:
    with pytest.raises(ValidationError):
        Regions(ignore=(shape,))
    with pytest.raises(UsageError, match="is not possible: "):
        asked_regions((), (shape,), None, (100, 100))


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_a_mask_is_the_same_after_its_journey_in_a_manifest(width: int, height: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) > 0.5
    view = View(photograph=(width, height), regions=Regions(mask=MaskBits.of(mask)))
    again = View.model_validate_json(view.model_dump_json())
    assert again == view and again.regions is not None and again.regions.mask is not None
    assert np.array_equal(again.regions.mask.pixels(), mask)


def packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content)).decode()


@pytest.mark.parametrize(
    ("width", "height", "bits"),
    [
        (8, 8, packed(bytes(7))),
        (8, 8, packed(bytes(10_000_000))),
        (8, 8, "AAAA"),
        (8, 8, "!"),
        (8, 8, packed(bytes(8))[:-4]),
        (65_536, 65_536, packed(b"")),
        (0, 8, packed(b"")),
        (8192, 8192, "A" * 2**20),
    ],
)
def test_a_strangers_mask_is_checked_before_it_is_unpacked(width: int, height: int, bits: str) -> None:
    with pytest.raises(ValidationError):
        MaskBits(width=width, height=height, bits=bits)


@pytest.mark.parametrize(
    "regions",
    [
        {"ignore": ["box:90,0,20,5"]},
        {"include": ["polygon:0,0,5,0,5,100"]},
        {"ignore": ["box:0,0,1,1"] * 101},
        {"ignore": ["box:0,0,1,1"], "colour": "red"},
    ],
)
def test_a_strangers_regions_are_checked(regions: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        View.model_validate({"photograph": (100, 100), "regions": regions})


@settings(max_examples=60)
@given(st.data(), st.sampled_from([(96, 64), (50, 90), (300, 12), (31, 17)]), st.booleans())
def test_nothing_outside_has_any_influence_on_the_picture(
    data: st.DataObject, size: tuple[int, int], later: bool
) -> None:
    width, height = size
    regions = data.draw(all_regions(40, 30))
    after = IgnoredLater(regions=data.draw(all_regions(40, 30)), margin=3) if later else None
    view = View(photograph=(40, 30), regions=regions, ignored_later=after)
    counted = np.logical_and.reduce([one.counted((40, 30), size) for one in view.all_regions])
    first, second = noise(1, width, height), noise(2, width, height)
    second[counted] = first[counted]
    one, other = look(first, contract(view)), look(second, contract(view))
    assert np.array_equal(one.picture, other.picture)
    assert np.array_equal(feature_row(first, "direct", view), feature_row(second, "direct", view))
    shown = one.counted_in_photograph
    assert shown is not None and not (shown & ~counted).any()


def test_what_counts_is_not_touched_and_the_rest_has_the_means_colour() -> None:
    view = View(photograph=(40, 30), regions=Regions(ignore=("box:5,5,20,10",)))
    image = noise(3, 40, 30)
    shown = seen(image, contract(view))
    counted = Regions(ignore=("box:5,5,20,10",)).counted((40, 30), (40, 30))
    assert np.array_equal(shown[counted], image[counted])
    assert (shown[~counted] == (124, 116, 104)).all()


def test_without_regions_a_look_is_what_it_was() -> None:
    image = noise(4, 50, 40)
    plain = look(image, contract(None))
    viewed = look(image, contract(View(photograph=(50, 40))))
    assert np.array_equal(plain.picture, viewed.picture) and viewed.counted is None


def test_pictures_filled_by_other_means_are_kept_apart() -> None:
    view = View(photograph=(40, 30), regions=Regions(ignore=("box:5,5,20,10",)))
    other = contract(view).model_copy(update={"mean": (0.0, 0.0, 0.0)})
    assert other.picture_key != contract(view).picture_key
    assert other.model_copy(update={"view": None}).picture_key == contract(None).picture_key


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_a_coarse_pixel_is_covered_when_a_fine_one_in_it_is(
    rows: int, columns: int, height: int, width: int, seed: int
) -> None:
    mask = np.random.default_rng(seed).random((rows, columns)) > 0.8
    coarse = covered(mask, height, width)
    for y in range(min(height, 12)):
        for x in range(min(width, 12)):
            top, left = y * rows // height, x * columns // width
            bottom, right = max(top + 1, (y + 1) * rows // height), max(left + 1, (x + 1) * columns // width)
            assert coarse[y, x] == mask[top:bottom, left:right].any()


@settings(max_examples=30)
@given(st.integers(0, 999))
def test_a_continued_photograph_takes_the_colour_of_the_nearest_pixel(seed: int) -> None:
    random = np.random.default_rng(seed)
    counted = np.ones((20, 30), np.bool_)
    x, y = random.integers(0, 20), random.integers(0, 12)
    counted[y : y + 8, x : x + 10] = False
    image = noise(seed, 30, 20)
    shown = continued(image, counted)
    assert np.array_equal(shown[counted], image[counted])
    places = np.argwhere(counted)
    for place in np.argwhere(~counted):
        distances = np.hypot(*(places - place).T)
        # OpenCV's distances are right to a few percent.
        near = places[distances <= distances.min() * 1.06 + 1e-6]
        assert any((shown[tuple(place)] == image[tuple(one)]).all() for one in near)


def test_the_map_has_its_lowest_value_where_nothing_counts() -> None:
    view = View(photograph=(96, 64), regions=Regions(ignore=("box:0,0,48,64",)))
    looked = look(noise(5, 96, 64), contract(view))
    found = np.random.default_rng(0).random((64, 96), np.float32)
    placed = looked.placed(Prediction(3.0, found))
    assert placed.score == 3.0 and (placed.anomaly_map[:, :48] == found[:, 48:].min()).all()
    assert np.array_equal(placed.anomaly_map[:, 48:], found[:, 48:])
    assert placed.counted is not None and placed.counted.shape == (64, 96)


@settings(max_examples=60)
@given(st.data())
def test_no_region_of_a_verdict_lies_outside(data: st.DataObject) -> None:
    regions = data.draw(all_regions(40, 30))
    counted = regions.counted((40, 30), (80, 61))
    if not counted.any():
        return
    found = np.random.default_rng(data.draw(st.integers(0, 99))).random((24, 32), np.float32)
    threshold = data.draw(st.sampled_from([-1.0, 0.3, 0.9]))  # below all, too: then everything is anomalous
    boxes_found = find_regions(found, threshold, 80, 61, counted=counted)
    for region in (*boxes_found, peak_region(found, 80, 61, counted)):
        box = counted[region.y : region.y + region.height, region.x : region.x + region.width]
        assert box[0].any() and box[-1].any() and box[:, 0].any() and box[:, -1].any()


def test_hatching_dims_only_what_is_ignored() -> None:
    image = noise(6, 120, 80)
    mask = np.zeros((8, 12), np.bool_)
    mask[:, 6:] = True
    drawn = hatched(image, mask)
    assert np.array_equal(drawn[:, :60], image[:, :60])
    assert drawn[:, 60:].astype(float).std() < image[:, 60:].astype(float).std()


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), noise(number, 200, 100))
    return paths


def plan(photographs: list[Path], **asked: Any) -> View:
    view = plan_view(photographs, Reading("padim", 128), ViewOptions(**asked)).view
    assert view is not None
    return view


def test_what_is_asked_for_is_planned_and_said(photographs: list[Path], tmp_path: Path) -> None:
    mask = np.zeros((50, 100), np.uint8)
    mask[:25] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    view = plan(
        photographs,
        include=("box:0,0,150,100", "box:100,0,100,20"),
        ignore=("polygon:0,0,20,0,0,20",),
        mask=str(tmp_path / "mask.png"),
    )
    assert view.regions is not None
    counted = view.regions.counted((200, 100), (200, 100))
    assert counted[10, 190] and not counted[40, 190] and not counted[60, 50] and not counted[2, 2]
    assert any("of the photograph, inside box:0,0,150,100" in reason for reason in view.reasons)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"ignore": ("box:150,0,60,10",)}, "reaches to 210, 10, out of the photographs of usually 200 x 100"),
        ({"ignore": ("box:0,0,200,100",)}, "0 pixels are left"),
        ({"include": ("box:3,3,1,1",)}, "at least 64 are needed"),
        ({"include": ("box:0,0,50,50",), "ignore": ("box:0,0,60,60",)}, "what is ignored leaves nothing"),
        (
            {"include": ("box:0,0,50,50", "box:100,0,99,99"), "ignore": ("box:0,0,60,60",)},
            "Of box:0,0,50,50, which is to be looked at",
        ),
        ({"mask": "nowhere.png"}, "nowhere.png cannot be read"),
        ({"ignore": ("box:0,0,1,1",) * 101}, "at most 100"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_in_a_sentence(
    photographs: list[Path], asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        plan_view(photographs, Reading("padim", 128), ViewOptions(**asked))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("shape", "value", "said"),
    [
        ((100, 100), 255, "which is another shape"),
        ((100, 200), 0, "is black everywhere"),
        ((100, 200), None, "too many"),
    ],
)
def test_a_mask_of_another_shape_a_black_one_and_a_scattered_one_are_refused(
    photographs: list[Path], tmp_path: Path, shape: tuple[int, int], value: int | None, said: str
) -> None:
    path = tmp_path / "mask.png"
    if value is None:  # of more pieces than a manifest takes
        cv2.imwrite(str(tmp_path / "large.png"), noise(0, 4000, 2000))
        cv2.imwrite(str(path), noise(1, 4000, 2000)[..., 0])
        photographs = [tmp_path / "large.png"]
    else:
        cv2.imwrite(str(path), np.full(shape, value, np.uint8))
    with pytest.raises(UsageError) as refused:
        plan_view(photographs, Reading("padim", 128), ViewOptions(mask=str(path)))
    assert said in str(refused.value)


def test_one_ignored_pixel_is_ignored(photographs: list[Path]) -> None:
    view = plan(photographs, ignore="box:7,5,1,1")
    image = noise(0, 200, 100)
    other = image.copy()
    other[5, 7] ^= 255
    assert np.array_equal(look(image, contract(view)).picture, look(other, contract(view)).picture)


def less(view: View, **asked: Any) -> View:
    given_: dict[str, Any] = {"ignore": (), "include": (), "mask": None} | asked
    return with_less(view, **given_, margin=8, height=64, width=96)


def test_ignored_area_grows_step_by_step_and_never_shrinks() -> None:
    view = View(photograph=(96, 64), regions=Regions(ignore=("box:0,0,20,20",)))
    once = less(view, ignore=("box:30,30,10,10",))
    twice = less(once, include=("box:20,20,76,44",))
    counted = [
        np.logical_and.reduce([one.counted((96, 64), (96, 64)) for one in each.all_regions])
        for each in (view, once, twice)
    ]
    assert all((after <= before).all() and (after != before).any() for before, after in pairwise(counted))
    assert not counted[2][35, 35] and not counted[2][10, 50] and counted[2][30, 50]
    assert sum(reason.startswith("Since the fit") for reason in twice.reasons) == 1
    for shapes_, said in (
        ({"include": ("box:0,0,20,20",)}, "Nothing is left to judge"),
        ({"ignore": ("box:30,30,5,5",)}, "Nothing would change"),
        ({"ignore": ("box:0,0,96,64",)}, "Nothing is left to judge"),
        ({}, "Nothing is named"),
    ):
        with pytest.raises(UsageError, match=said):
            less(once, **shapes_)


def test_a_mask_may_not_bring_back_what_is_ignored(tmp_path: Path) -> None:
    view = View(photograph=(96, 64), regions=Regions(ignore=("box:0,0,20,20",)))
    white = np.full((64, 96), 255, np.uint8)
    cv2.imwrite(str(tmp_path / "white.png"), white)
    with pytest.raises(UsageError, match="is white on 400 pixels of photographs that are ignored now"):
        less(view, mask=tmp_path / "white.png")
    white[:20, :20] = white[40:] = 0
    cv2.imwrite(str(tmp_path / "less.png"), white)
    changed = less(view, mask=tmp_path / "less.png")
    assert changed.ignored_later is not None
    counted = changed.ignored_later.regions.counted((96, 64), (96, 64))
    assert np.array_equal(counted, white > 0)


def test_what_was_taken_away_later_is_judged_nowhere_near() -> None:
    view = less(View(photograph=(96, 64)), ignore=("box:40,20,10,10",))
    looked = look(noise(0, 96, 64), contract(view))
    assert looked.scored_by_map and looked.counted is not None
    near = np.zeros((64, 96), np.bool_)
    near[12:38, 32:58] = True
    assert np.array_equal(~looked.counted, near)
    found = np.zeros((64, 96), np.float32)
    found[near], found[50, 80] = 9, 5
    placed = looked.placed(Prediction(9.0, found))
    assert placed.score == 5.0 and placed.anomaly_map.max() == 5.0
