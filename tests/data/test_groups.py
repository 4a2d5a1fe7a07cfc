"""What photographs of one part have in common: folder, time, number, or what a name says."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from blemish.core.errors import UsageError
from blemish.core.photograph_time import taken_at
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.categories import open_category
from blemish.data.groups import groups_by, joined
from blemish.data.splits import test_split as part_tests
from blemish.data.told import Told


def photograph(path: Path, seed: int = 0, taken: str = "", fraction: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 32), np.uint8))
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
        exif.get_ifd(0x8769)[0x9291] = fraction
    picture.save(path, exif=exif)
    return path


def together(groups: Sequence[str]) -> list[list[int]]:
    """Positions that are together, in the order of their first."""
    found: dict[str, list[int]] = {}
    for position, group in enumerate(groups):
        found.setdefault(group, []).append(position)
    return list(found.values())


def named(*names: str) -> list[Path]:
    return [Path("/line") / name for name in names]


def test_a_folder_is_a_group() -> None:
    assert together(groups_by(named("a/1.png", "b/1.png", "a/2.png"), "folder")) == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("^(.*?)_num", [[0, 1], [2, 3], [4]]),
        ("exp[0-9]", [[0, 1], [2, 3], [4]]),
        ("num_([0-9]+)", [[0, 2], [1], [3], [4]]),
    ],
)
def test_what_a_name_says_is_a_group_and_a_name_without_it_stands_alone(
    by: str, expected: list[list[int]]
) -> None:
    names = ("exp1_num_7.jpg", "exp1_num_8.jpg", "exp2_num_7.jpg", "exp2_num_9.jpg", "other.jpg")
    assert together(groups_by(named(*names), by)) == expected


def test_numbers_within_reach_of_each_other_are_a_group_wherever_the_name_has_them() -> None:
    names = (
        "exp1_num_855.jpg",
        "exp2_num_887.jpg",
        "exp6_num_1965.jpg",
        "exp5_num_1903.jpg",
        "x.jpg",
        "y.jpg",
    )
    assert together(groups_by(named(*names), "number:100")) == [[0, 1], [2, 3], [4], [5]]


def test_times_are_those_of_the_camera_to_the_fraction_and_else_those_of_the_file(tmp_path: Path) -> None:
    moments = (
        ("2026:01:01 10:00:00", "0"),
        ("2026:01:01 10:00:04", "9"),
        ("2026:01:01 10:00:09", "8"),
        ("", ""),
    )
    paths = [photograph(tmp_path / f"{number}.jpg", number, *moment) for number, moment in enumerate(moments)]
    damaged = photograph(tmp_path / "damaged.jpg", 9, "no time at all")
    for path in (paths[3], damaged):
        os.utime(path, (1000, 1000.5))
    assert together(groups_by([*paths, damaged], "5s")) == [[0, 1, 2], [3, 4]]
    assert together(groups_by([*paths, damaged], "4.9s")) == [[0, 1, 2], [3, 4]]
    assert together(groups_by([*paths, damaged], "4.5s")) == [[0], [1], [2], [3, 4]]
    assert taken_at(paths[1]) - taken_at(paths[0]) == pytest.approx(4.9)
    assert taken_at(tmp_path / "absent.jpg") == 0


@pytest.mark.parametrize(
    ("by", "why"),
    [
        ("(", "cannot be meant"),
        ("(?<=a)b", "cannot be meant"),
        ("(a)\\1", "cannot be meant"),
        ("a{1000}{1000}", "cannot be meant"),
        ("x" * 501, "longer than"),
        ("zebra", "finds nothing in any of the 3 names"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_ways_there_are(by: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        groups_by(named("a.png", "b.png", "c.png"), by)
    assert "number:100" in str(caught.value)


def test_an_expression_that_would_take_years_elsewhere_takes_no_time() -> None:
    start = time.perf_counter()
    groups_by(named(*["a" * 200 + f"{number}!.png" for number in range(200)]), "^(a+)+$|^(a|aa)+!|png")
    assert time.perf_counter() - start < 2


@given(
    st.lists(st.text(min_size=1, max_size=12).filter(lambda name: "/" not in name), min_size=2, max_size=12)
)
def test_any_name_of_a_file_has_a_group(names: list[str]) -> None:
    paths = named(*(f"{name}.png" for name in names))
    assert len(groups_by(paths, r"\.png$")) == len(paths)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abcd")), min_size=1, max_size=20))
def test_two_ways_to_group_are_joined_as_their_pieces_hang_together(rows: list[tuple[int, str]]) -> None:
    found = joined(np.array([one for one, _ in rows], np.intp), [name for _, name in rows])
    for place in range(len(rows)):
        reached, before = {place}, set[int]()
        while reached != before:
            before = set(reached)
            numbers, names = {rows[one][0] for one in before}, {rows[one][1] for one in before}
            reached = {i for i, (number, name) in enumerate(rows) if number in numbers or name in names}
        assert found[place] == min(reached)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Eight parts photographed thrice, in a category beside one with other names; and four bad ones."""
    for number in range(8):
        for view in range(3):
            photograph(tmp_path / f"cat/train/good/part{number}_{view}.png", 3 * number + view)
            photograph(tmp_path / f"cat/test/good/part{number + 20}_{view}.png", 100 + 3 * number + view)
            photograph(tmp_path / f"cat/test/bent/part{number + 40}_{view}.png", 200 + 3 * number + view)
    for number in range(4):
        photograph(tmp_path / f"dog/train/good/{number}.png", 300 + number)
    return tmp_path


def test_a_catalog_carries_the_groups_of_all_its_photographs(parts: Path) -> None:
    catalog = open_catalog(parts / "cat", told=Told(group_by="^part([0-9]+)_"))
    assert catalog.group_by == "^part([0-9]+)_"
    assert set(catalog.groups().values()) == {
        str(n) for first in (0, 20, 40) for n in range(first, first + 8)
    }
    assert open_catalog(parts / "cat").groups() == {}


def test_the_grouping_is_of_the_category_that_is_meant_alone(parts: Path) -> None:
    told = Told(group_by="^part([0-9]+)_")
    assert open_category(parts, "cat", told=told).groups()
    with pytest.raises(UsageError, match="finds nothing in any of the 4 names"):
        open_category(parts, "dog", told=told)


@pytest.mark.parametrize("by", ["folder", "number:1000"])
def test_all_in_one_group_is_refused(parts: Path, by: str) -> None:
    with pytest.raises(UsageError, match=f"--group-by {by} puts all 4 good photographs into one group"):
        open_catalog(parts / "dog", told=Told(group_by=by))


def test_validation_folds_keep_a_part_together_and_say_so(parts: Path) -> None:
    catalog: Catalog = open_catalog(parts / "cat", told=Told(group_by="^(part[0-9]+)_"))
    split = part_tests(catalog, folds=2)
    assert split.split_name.endswith("grouped by ^(part[0-9]+)_")
    for column in ("split", "fold"):
        assert (split.table.groupby("group")[column].nunique() == 1).all()
