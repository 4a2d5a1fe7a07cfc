"""Supervised splits: disjoint, stratified, seeded, complete, and identical photographs on one side."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.errors import CatalogError, UsageError
from blemish.core.images import pixel_digest, read_image
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.copies import group_numbers
from blemish.data.splits import share_of_groups, supervised_split

TYPES = ("good", "hole", "scratch")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Forty small photographs; number n shows the pixels of number n % 25, in another format from 25 on."""
    folder = tmp_path_factory.mktemp("photographs")
    paths = []
    for number in range(40):
        pixels = np.random.default_rng(number % 25).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        paths.append(folder / f"{number:02d}.{'png' if number < 25 else 'bmp'}")
        cv2.imwrite(str(paths[-1]), pixels)
    return paths


def catalog_of(category: Catalog, paths: list[Path], splits: list[str], types: list[str]) -> Catalog:
    table = category.table.iloc[[0] * len(paths)].reset_index(drop=True)
    labels = ["normal" if kind == "good" else "anomalous" for kind in types]
    columns = {"path": [str(path) for path in paths], "split": splits, "label": labels, "defect_type": types}
    return dataclasses.replace(category, table=table.assign(**columns))


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[int], list[str], list[str]]:
    numbers = sorted(draw(st.sets(st.integers(0, 39), min_size=3, max_size=40)))
    splits = [draw(st.sampled_from(("train", "test", "test", "test"))) for _ in numbers]
    types = ["good" if split == "train" else draw(st.sampled_from(TYPES)) for split in splits]
    splits[0], types[0] = "test", "hole"
    return numbers, splits, types


@settings(max_examples=60, deadline=None)
@given(drawn=rows(), share=st.floats(0.05, 0.95), seed=st.integers(0, 1000))
def test_a_split_keeps_its_promises(
    washers: Path,
    photographs: list[Path],
    drawn: tuple[list[int], list[str], list[str]],
    share: float,
    seed: int,
) -> None:
    numbers, splits, types = drawn
    catalog = catalog_of(open_catalog(washers), [photographs[n] for n in numbers], splits, types)
    split = supervised_split(catalog, share, seed)
    assert split.table.drop(columns="split").equals(catalog.table.drop(columns="split")), "complete"
    assert set(split.table["split"]) <= {"train", "test"}
    assert catalog.table["split"].tolist() == splits, "the catalog given is unchanged"
    now = split.table["split"].tolist()
    assert all(new == "train" for new, old in zip(now, splits, strict=True) if old == "train")
    shown: dict[str, set[str]] = {}
    for path, side in zip(split.table["path"], now, strict=True):
        shown.setdefault(pixel_digest(read_image(path)), set()).add(side)
    assert all(len(sides) == 1 for sides in shown.values()), "disjoint in pixels"
    again = supervised_split(catalog, share, seed).table["split"].tolist()
    assert now == again, "seeded"


@settings(max_examples=200, deadline=None)
@given(
    groups=st.lists(st.integers(0, 12), min_size=1, max_size=60),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 99),
)
def test_whole_groups_hold_nearly_the_share(groups: list[int], share: float, seed: int) -> None:
    chosen = share_of_groups(np.array(groups), share, np.random.default_rng(seed))
    sides = {(group, bool(one)) for group, one in zip(groups, chosen, strict=True)}
    assert len(sides) == len(set(groups)), "no group on both sides"
    largest = max(Counter(groups).values())
    wanted = min(max(round(share * len(groups)), 1), len(groups) - 1)
    assert wanted - largest < chosen.sum() <= wanted


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_every_type_gives_its_share(washers: Path, photographs: list[Path], share: float) -> None:
    kinds = ["good"] * 8 + ["hole"] * 12 + ["scratch"] * 4
    catalog = catalog_of(open_catalog(washers), photographs[:24], ["test"] * 24, kinds)
    moved = supervised_split(catalog, share).counts()["train"]
    assert moved == {"good": 8 * share, "hole": 12 * share, "scratch": 4 * share}
    others = catalog.subset(np.array(kinds) != "scratch")
    of_both = [supervised_split(one, share).table.set_index("path")["split"] for one in (catalog, others)]
    assert (of_both[0].loc[of_both[1].index] == of_both[1]).all(), "a type's choice does not depend on others"


def test_seeds_differ_and_a_copy_of_a_training_photograph_is_trained(washers: Path, tmp_path: Path) -> None:
    shutil.copytree(washers, tmp_path / "washer")
    copied = tmp_path / "washer" / "test" / "good" / "copy.png"
    shutil.copy(tmp_path / "washer" / "train" / "good" / "000.png", copied)
    broken = tmp_path / "washer" / "test" / "hole" / "broken.png"
    broken.write_bytes(b"no image")
    catalog = open_catalog(tmp_path / "washer")
    splits = [supervised_split(catalog, 0.5, seed).table.set_index("path")["split"] for seed in range(6)]
    assert all(one[str(copied)] == "train" for one in splits)
    assert len({one[str(broken)] for one in splits}) == 2, "one that cannot be read is drawn like the others"
    assert len({tuple(one) for one in splits}) > 1


def test_what_cannot_be_split_is_refused(washers: Path) -> None:
    catalog = open_catalog(washers)
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(UsageError, match="more than 0 and less than 1"):
            supervised_split(catalog, share)
    good = catalog.subset(catalog.table["label"] == "normal")
    with pytest.raises(CatalogError, match=r"no defective test photographs.*--synthetic"):
        supervised_split(good)


def test_groups_are_numbered_by_their_first_member() -> None:
    assert group_numbers(["a", "b", "a", "c", "b"]).tolist() == [0, 1, 0, 3, 1]
