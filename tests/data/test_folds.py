"""Splits with folds: no copy on two sides, stratified, seeded, complete, named, and painted exactly."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blemish.core.errors import CatalogError, UsageError
from blemish.core.images import read_image, read_mask
from blemish.data import splits
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.painted_images import Painting
from blemish.data.painted_splits import normal_split, train_split
from blemish.data.patch_defects import PAINTERS
from blemish.data.sample_line import sample_images

SHOWN = 36
FORMS = 4
STAINS_AND_HOLES = Painting(("stain", "hole"))
relaxed = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[list[Path]]:
    """Thirty-six different photographs, each as PNG, twice as JPEG of other quality, and smaller."""
    folder = tmp_path_factory.mktemp("files")
    found = []
    for sample in sample_images("board", train=SHOWN, good=0, per_defect_type=0, size=96):
        pixels = sample.image[..., ::-1]
        small = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA)
        forms = [folder / f"{sample.index:02d}-{form}" for form in ("a.png", "b.jpg", "c.jpg", "d.png")]
        cv2.imwrite(str(forms[0]), pixels)
        cv2.imwrite(str(forms[1]), pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])
        cv2.imwrite(str(forms[2]), pixels, [cv2.IMWRITE_JPEG_QUALITY, 55])
        cv2.imwrite(str(forms[3]), small)
        found.append(forms)
    return found


def catalog_of(washers: Path, rows: Iterable[tuple[Path, str, str]]) -> Catalog:
    """A catalog of (path, split, defect type)."""
    paths, split, types = zip(*sorted(rows), strict=True)
    table = pd.DataFrame(
        {
            "path": [str(path) for path in paths],
            "split": split,
            "label": ["normal" if kind == "good" else "anomalous" for kind in types],
            "defect_type": types,
            "mask": pd.Series([None] * len(paths), dtype=object),
        }
    )
    return dataclasses.replace(open_catalog(washers), table=table)


@st.composite
def drawn_rows(draw: st.DrawFn) -> list[tuple[int, int, str, str]]:
    """Number, form, split and type: every file once, copies anywhere, and enough of each class to be split."""
    wanted = [(number, 0, "train", "good") for number in range(8)]
    wanted += [(number, 0, "test", "good") for number in range(8, 16)]
    wanted += [(number, 0, "test", "hole") for number in range(16, 24)]
    wanted += [
        (number, 0, "test", draw(st.sampled_from(("hole", "dent", "stain")))) for number in range(24, 30)
    ]
    places = st.sampled_from((("train", "good"), ("test", "good"), ("test", "hole"), ("test", "dent")))
    for number, form in draw(
        st.sets(st.tuples(st.integers(0, SHOWN - 1), st.integers(1, FORMS - 1)), max_size=8)
    ):
        wanted.append((number, form, *draw(places)))
    return wanted


def numbers_of(paths: Iterable[str]) -> set[str]:
    """Which of the photographs are shown: the tests' own knowledge, which no code under test has."""
    return {Path(path).name.split("-")[1 if Path(path).name[4] == "-" else 0] for path in paths}


def sides(catalog: Catalog) -> dict[str, set[str]]:
    """Photographs shown on each side of a catalog."""
    return {name: numbers_of(rows["path"]) for name, rows in catalog.table.groupby("split")}


def assert_disjoint(parts: Iterable[set[str]]) -> None:
    together = Counter(number for part in parts for number in part)
    assert not [number for number, count in together.items() if count > 1]


def fold_parts(catalog: Catalog) -> list[set[str]]:
    validation = catalog.validation()
    return [numbers_of(validation.loc[validation["fold"] == fold, "path"]) for fold in catalog.folds]


@relaxed
@given(drawn=drawn_rows(), seed=st.integers(0, 99))
def test_the_test_set_is_parted_without_a_copy_on_two_sides(
    washers: Path, files: list[list[Path]], drawn: list[tuple[int, int, str, str]], seed: int
) -> None:
    catalog = catalog_of(washers, [(files[number][form], split, kind) for number, form, split, kind in drawn])
    parted = splits.test_split(catalog, seed=seed)
    assert_disjoint(sides(parted).values())
    assert_disjoint(fold_parts(parted))
    assert parted.folds == (0, 1, 2)
    tested = set(catalog.test()["path"])
    assert set(parted.test()["path"]) | set(parted.validation()["path"]) == tested, "the test set is complete"
    kept = set(parted.table["path"])
    missing = [path for path in catalog.table["path"] if path not in kept]
    assert {problem.path for problem in parted.problems} >= set(missing), "what is left out is named"
    assert numbers_of(missing) <= numbers_of(tested)
    again = splits.test_split(catalog, seed=seed)
    assert again.table.equals(parted.table) and again.split_name == parted.split_name
    assert parted.split_name == f"test set 40 % test, 60 % validation, 3 folds, seed {seed}"


@relaxed
@given(
    counts=st.dictionaries(st.sampled_from(("hole", "dent", "stain")), st.integers(1, 9), min_size=1),
    good=st.integers(5, 12),
    seed=st.integers(0, 99),
)
def test_every_type_is_parted_40_to_60_and_dealt_evenly(
    washers: Path, files: list[list[Path]], counts: dict[str, int], good: int, seed: int
) -> None:
    counts = {**counts, "hole": max(5, counts.get("hole", 0)), "good": good}
    kinds = [kind for kind, count in counts.items() for _ in range(count)][:SHOWN]
    counts = Counter(kinds)
    rows = [(files[number][0], "test", kind) for number, kind in enumerate(kinds)]
    try:
        parted = splits.test_split(catalog_of(washers, rows), seed=seed)
    except CatalogError as error:
        assert "too few images" in str(error) and min(counts["good"], counts["hole"]) < 5
        return
    tested, validation = Counter(parted.test()["defect_type"]), parted.validation()
    for kind, count in counts.items():
        assert tested[kind] == (0 if count == 1 else min(max(round(0.4 * count), 1), count - 1))
        of_kind = [
            int(((validation["defect_type"] == kind) & (validation["fold"] == fold)).sum())
            for fold in range(3)
        ]
        assert max(of_kind) - min(of_kind) <= 1
    defective = validation[validation["label"] == "anomalous"]
    of_fold = [int((defective["fold"] == fold).sum()) for fold in range(3)]
    assert max(of_fold) - min(of_fold) <= len(counts)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=drawn_rows(), seed=st.integers(0, 99), whole=st.booleans())
def test_painted_splits_have_no_copy_on_two_sides_and_keep_the_test_set(
    washers: Path,
    files: list[list[Path]],
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[int, int, str, str]],
    seed: int,
    whole: bool,
) -> None:
    drawn += [(number, 0, "train", "good") for number in range(30, SHOWN)]
    catalog = catalog_of(washers, [(files[number][form], split, kind) for number, form, split, kind in drawn])
    folder = tmp_path_factory.mktemp("painted") / "painted"
    try:
        if whole:
            parted = normal_split(catalog, seed=seed, folder=folder, painting=STAINS_AND_HOLES)
        else:
            parted = train_split(catalog, folder, seed=seed, painting=STAINS_AND_HOLES)
    except CatalogError as error:  # nearly all training images are copies of test images
        assert "good training images" in str(error) or "too few images" in str(error)
        return
    assert_disjoint(fold_parts(parted))
    for fold in parted.folds:
        assert_disjoint(sides(parted.for_fold(fold)).values())
    if not whole:
        assert_disjoint(sides(parted).values())
    assert set(parted.test()["path"]) == set(catalog.test()["path"]), "kept for the end as it is"
    learnable = numbers_of(str(path) for path in catalog.train_normal()) - numbers_of(catalog.test()["path"])
    assert numbers_of(parted.table.loc[parted.table["split"] != "test", "path"]) == learnable, "complete"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, files: list[list[Path]]) -> Catalog:
    """Thirty good parts to learn from, two good and two bad to test."""
    root = tmp_path_factory.mktemp("parts") / "part"
    for number in range(34):
        kind = "train/good" if number < 30 else "test/good" if number < 32 else "test/hole"
        (root / kind).mkdir(parents=True, exist_ok=True)
        shutil.copy(files[number][0], root / kind)
    return open_catalog(root)


def test_the_training_set_is_parted_60_to_40_and_three_quarters_are_painted(
    parts: Catalog, tmp_path: Path
) -> None:
    parted = train_split(parts, tmp_path / "painted", seed=3)
    assert parted.counts()["train"] == {"good": 18}
    validation = parted.validation()
    assert Counter(validation["fold"]) == {0: 4, 1: 4, 2: 4}
    for fold in range(3):
        labels = Counter(validation.loc[validation["fold"] == fold, "label"])
        assert labels == {"anomalous": 3, "normal": 1}
    assert "60 % train, 40 % validation with defects painted into 75 %, 3 folds, seed 3" in parted.split_name
    assert list(parted.table["path"]) == sorted(parted.table["path"])
    kinds = validation.loc[validation["label"] == "anomalous", "defect_type"]
    assert set(kinds) <= set(PAINTERS) and max(Counter(kinds).values()) <= 3
    by_stem = {path.stem: path for path in parts.train_normal()}
    for row in validation[validation["label"] == "anomalous"].itertuples():
        damaged, mask = read_image(row.path), read_mask(row.mask)
        original = read_image(by_stem[Path(row.path).stem.split("-", 1)[1]])
        assert (damaged != original).any(axis=2)[mask].mean() > 0.9
        assert np.array_equal(damaged[~mask], original[~mask])


def test_painted_images_are_painted_once_and_anew_where_something_changed(
    parts: Catalog, tmp_path: Path
) -> None:
    def painted(seed: int = 0, **options: Painting) -> dict[str, tuple[int, bytes]]:
        train_split(parts, tmp_path / "painted", seed=seed, **options)
        found = sorted((tmp_path / "painted").rglob("*.png"))
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}

    first = painted()
    assert painted() == first
    assert painted(seed=1) != first
    assert {Path(path).parent.name for path in painted(painting=Painting(("stain",)))} == {"stain"}
    again = painted()
    assert {path: content for path, (_, content) in again.items()} == {
        path: content for path, (_, content) in first.items()
    }
    Path(next(iter(again))).unlink()
    assert painted().keys() == first.keys()


def test_k_fold_learns_from_the_other_folds(parts: Catalog, tmp_path: Path) -> None:
    for parted in (
        normal_split(parts, 5, seed=1),
        normal_split(parts, 5, seed=1, folder=tmp_path / "painted"),
    ):
        assert parted.folds == (0, 1, 2, 3, 4)
        for fold in parted.folds:
            one = parted.for_fold(fold)
            assert len(one.train_normal()) == 24 and len(one.validation()) == 6
            assert set(one.validation()["fold"]) == {fold}
        assert len(parted.train_normal()) == 30 == len(parted.validation())
    assert "painted" in parted.split_name and "seed 1" in parted.split_name
    with pytest.raises(CatalogError, match="no fold 5"):
        parted.for_fold(5)


def test_a_split_survives_as_a_manifest(parts: Catalog, tmp_path: Path) -> None:
    for parted in (
        train_split(parts, tmp_path / "painted"),
        normal_split(parts, folder=tmp_path / "others"),
    ):
        parted.table.to_csv(tmp_path / "split.csv", index=False)
        read = open_catalog(tmp_path / "split.csv")
        assert read.table.astype(object).equals(parted.table.astype(object))
        assert read.folds == parted.folds
    (tmp_path / "wrong.csv").write_text("path,split,fold\na.png,train,first\n")
    with pytest.raises(CatalogError, match=r"line 2: unknown fold 'first'"):
        open_catalog(tmp_path / "wrong.csv")


def test_what_cannot_be_split_is_refused(washers: Path, files: list[list[Path]], tmp_path: Path) -> None:
    few = catalog_of(
        washers,
        [(files[number][0], "train", "good") for number in range(2)]
        + [(files[number][0], "test", "good") for number in range(2, 5)]
        + [(files[number][0], "test", "hole") for number in range(5, 12)],
    )
    with pytest.raises(
        CatalogError, match=r"too few images for the split 'test set 40 %.*would have no good ones"
    ):
        splits.test_split(few)
    with pytest.raises(CatalogError, match="1 different good training images to validate on in 3 folds"):
        train_split(few, tmp_path)
    with pytest.raises(CatalogError, match="2 different good training images to validate on in 3 folds"):
        normal_split(few)
    catalog = open_catalog(washers)
    for folds in (0, 1):
        with pytest.raises(UsageError, match="choose 2 or more"):
            splits.test_split(catalog, folds=folds)
    with pytest.raises(UsageError, match="more than 0 and less than 1"):
        train_split(catalog, tmp_path, painted_share=1.0)
    with pytest.raises(UsageError, match="no defect 'dragon'"):
        train_split(catalog, tmp_path / "painted", painting=Painting(("dragon",)))
    parted = splits.test_split(catalog)
    with pytest.raises(CatalogError, match="has folds already"):
        splits.test_split(parted)
    with pytest.raises(CatalogError, match=r"no test images to part.*--split train"):
        splits.test_split(catalog.subset(catalog.table["split"] == "train"))
    normal_only = catalog.subset(catalog.table["label"] == "normal")
    with pytest.raises(CatalogError, match="fold 0 would have no defective ones"):
        splits.test_split(normal_only)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="files of yours"):
        train_split(catalog, tmp_path / "mine")
