"""Splits that look at no test image: what is validated on are good training images, most with a painted defect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from blemish.core.errors import CatalogError
from blemish.core.types import BoolArray
from blemish.data.catalog import Catalog
from blemish.data.entries import ANOMALOUS, NORMAL, TRAIN, VALIDATION
from blemish.data.painted_images import USUAL_PAINTING, Painting, painted_images
from blemish.data.splits import (
    FOLDS,
    TRAIN_SHARE,
    Groups,
    check_folds,
    check_share,
    fold_numbers,
    refuse_folds,
    require_both_classes,
    splits_of,
    stratified_share,
    types_of,
    with_folds,
    without_copies_of_test,
)

PAINTED_SHARE = 0.75

Folds = npt.NDArray[np.intp]


def train_split(
    catalog: Catalog,
    folder: Path,
    train_share: float = TRAIN_SHARE,
    folds: int = FOLDS,
    painted_share: float = PAINTED_SHARE,
    seed: int = 0,
    painting: Painting = USUAL_PAINTING,
) -> Catalog:
    """Part the good training images: `train_share` to learn from, the others for validation in folds.

    Into `painted_share` of each fold a defect is painted; that picture stands for its original. The test set stays as
    it is; a training image that is a copy of a test image is left out and named in the catalog's `problems`.

    Args:
        catalog: one category.
        folder: for the painted images and their masks, see `blemish.data.painted_images.painted_images`.
        train_share: of the good training images that are learnt from, in (0, 1).
        folds: parts of the validation images, at least 2.
        painted_share: of each fold that gets a defect, in (0, 1); one image at least stays good, and one does not.
        seed: of everything.
        painting: how.

    Returns:
        The catalog with the column `fold`: 0 to `folds` - 1 for validation images, -1 for all others.

    Raises:
        UsageError: a share, `folds` or a painter is not possible.
        CatalogError: a fold would have no good or no painted images, or the test set lacks a class.
    """
    check_share(train_share)
    catalog, groups, good = _good_images(catalog, folds, painted_share)
    learnt = stratified_share(groups, types_of(catalog), good, train_share, seed)
    fold = _folds(catalog, groups, good & ~learnt, folds, seed)
    percent = round(100 * train_share)
    name = (
        f"training set {percent} % train, {100 - percent} % validation with defects painted into "
        f"{round(100 * painted_share)} %, {folds} folds, seed {seed}"
    )
    split = np.where(good & ~learnt, VALIDATION, splits_of(catalog))
    parted = with_folds(catalog, split, fold, name)
    parted = _painted(parted, folder, painted_share, seed, painting)
    require_both_classes(parted, folds)
    return parted


def normal_split(
    catalog: Catalog,
    folds: int = FOLDS,
    seed: int = 0,
    folder: Path | None = None,
    painted_share: float = PAINTED_SHARE,
    painting: Painting = USUAL_PAINTING,
) -> Catalog:
    """K-fold over the good training images: each is learnt from, and validated on by those that learn from the others.

    Every good training image has its fold, and stands in the table once more as a validation image of that fold;
    `Catalog.for_fold` gives each fold its own side. With `folder`, defects are painted as by `train_split`; without,
    validation images are all good. Arguments, test set and errors are as of `train_split`.
    """
    catalog, groups, good = _good_images(catalog, folds, painted_share)
    fold = _folds(catalog, groups, good, folds, seed)
    name = f"{folds} folds of the good training images, seed {seed}"
    if folder is not None:
        name = name.replace(", seed", f" with defects painted into {round(100 * painted_share)} %, seed")
    learnt = with_folds(catalog, splits_of(catalog), fold, name)
    again = learnt.table[good].assign(split=VALIDATION)
    doubled = replace(learnt, table=pd.concat([learnt.table, again], ignore_index=True))
    if folder is not None:
        doubled = _painted(doubled, folder, painted_share, seed, painting)
        require_both_classes(doubled, folds)
    return _sorted(doubled)


def _good_images(catalog: Catalog, folds: int, painted_share: float) -> tuple[Catalog, Groups, BoolArray]:
    """The catalog without copies of test images, the groups of copies, and which rows are good training images."""
    check_folds(folds)
    check_share(painted_share)
    refuse_folds(catalog)
    catalog, groups = without_copies_of_test(catalog)
    good = ((catalog.table["split"] == TRAIN) & (catalog.table["label"] == NORMAL)).to_numpy()
    return catalog, groups, good


def _folds(catalog: Catalog, groups: Groups, among: BoolArray, folds: int, seed: int) -> Folds:
    """Folds of the good images in `among`.

    Raises:
        CatalogError: there are too few different ones.
    """
    different = len(np.unique(groups[among]))
    if different < folds:
        raise CatalogError(
            f"{catalog.root} has {different} different good training images to validate on in {folds} folds: "
            "photograph more good parts, or use fewer folds."
        )
    labels = catalog.table["label"].to_numpy(dtype=str)
    return fold_numbers(groups, types_of(catalog), labels, among, folds, seed)


def _painted(catalog: Catalog, folder: Path, share: float, seed: int, painting: Painting) -> Catalog:
    """The catalog with painted images in the place of a share of each fold's validation images."""
    table = catalog.table
    fold = table["fold"].to_numpy(dtype=int)
    validation = (table["split"] == VALIDATION).to_numpy()
    each: Groups = np.arange(len(table), dtype=np.intp)
    chosen = np.flatnonzero(stratified_share(each, fold.astype(str), validation, share, seed))
    # Fold by fold, so that the types, which take turns, are spread evenly over the folds.
    chosen = chosen[np.argsort(fold[chosen], kind="stable")]
    sources = [Path(path) for path in table["path"].iloc[chosen]]
    columns = {
        name: table[name].to_numpy(dtype=object, copy=True)
        for name in ("path", "label", "defect_type", "mask")
    }
    rows = {number: int(row) for number, row in enumerate(chosen)}
    for one in painted_images(sources, folder.absolute(), seed, painting):
        values = (str(one.path), ANOMALOUS, one.defect_type, str(one.mask))
        for name, value in zip(columns, values, strict=True):
            columns[name][rows[one.number]] = value
    # Of objects: pandas' text type holds no name that is not UTF-8.
    series = {name: pd.Series(values, table.index, dtype=object) for name, values in columns.items()}
    return _sorted(replace(catalog, table=table.assign(**series)))


def _sorted(catalog: Catalog) -> Catalog:
    """The catalog in the order that all catalogs have."""
    keys = list(zip(catalog.table["path"], catalog.table["split"], strict=True))
    # Not by pandas, which sorts no text that is not UTF-8.
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return replace(catalog, table=catalog.table.iloc[order].reset_index(drop=True))
