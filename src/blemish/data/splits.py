"""Splits: which photographs are learnt from, which settings are chosen on, and which are kept for testing.

All are decided by a seed, stratified by defect type, and named in the catalog (`Catalog.split_name`). Copies of one
photograph (`blemish.data.copies`) always stand on one side, and in one fold. So do those of one group
(`blemish.data.groups`), but for what the layout itself has for training and for testing.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blemish.core.errors import CatalogError, UsageError
from blemish.core.types import BoolArray
from blemish.data.catalog import Catalog
from blemish.data.copies import copy_groups, equal_groups
from blemish.data.entries import ANOMALOUS, NO_FOLD, NORMAL, TEST, TRAIN, VALIDATION, Problem
from blemish.data.groups import joined

FOLDS = 3
TEST_SHARE, TRAIN_SHARE = 0.4, 0.6

Groups = npt.NDArray[np.intp]


def supervised_split(
    catalog: Catalog, share: float = 0.5, seed: int = 0, known: Mapping[Path, str] | None = None
) -> Catalog:
    """Move a seeded share of the labelled test photographs to training, stratified by defect type.

    Good photographs are a stratum of their own. Photographs of equal pixels stay together; those of a training
    photograph go to training.
    Of every type with two photographs or more at least one stays for testing.

    Args:
        catalog: one category, whose defective photographs stand among the test images.
        share: of each type's photographs that go to training, in (0, 1).
        seed: of the choice; a type's choice does not depend on the other types.
        known: `pixel_digest` of the photographs that have been decoded already; the others are.

    Raises:
        UsageError: `share` is not in (0, 1).
        CatalogError: there are no defective test photographs.
    """
    require_defects_to_move(catalog, share)
    table = catalog.table
    testing = (table["split"] == TEST).to_numpy()
    # By pixels alone: good parts in one fixture under one light are alike, and no copies.
    copies = equal_groups([Path(path) for path in catalog.table["path"]], known)
    moved, groups = testing & np.isin(copies, copies[~testing]), with_parts(catalog, copies)
    moved |= stratified_share(groups, types_of(catalog), testing & ~moved, share, seed)
    split = np.where(moved, TRAIN, table["split"].to_numpy(dtype=str))
    name = named_by(catalog, f"{share:.0%} of the labelled test images to training, seed {seed}")
    return replace(catalog, table=table.assign(split=split.astype(object)), split_name=name)


def require_defects_to_move(catalog: Catalog, share: float) -> None:
    """Refuse, before any photograph is decoded, what `supervised_split` cannot do; errors as there."""
    check_share(share)
    if (catalog.test()["label"] == NORMAL).all():
        raise CatalogError(
            f"{catalog.root} has no defective test photographs that could be learnt from: add labelled ones, or take "
            "unet with --synthetic, which paints defects."
        )


def test_split(
    catalog: Catalog, test_share: float = TEST_SHARE, folds: int = FOLDS, seed: int = 0
) -> Catalog:
    """Part the test images: `test_share` stay for testing, the others become validation images in folds.

    Both are stratified by defect type; the only image of a type goes to validation. A training image that is a copy
    of a test image is left out of the catalog and named in its `problems`.

    Args:
        catalog: one category with good and defective test images.
        test_share: of each type's images that stay, in (0, 1).
        folds: parts of the validation images, at least 2.
        seed: of the choice.

    Returns:
        The catalog with the column `fold`: 0 to `folds` - 1 for validation images, -1 for all others.

    Raises:
        UsageError: `test_share` or `folds` is out of range.
        CatalogError: some fold, or the test part, would lack good or defective images.
    """
    check_share(test_share)
    check_folds(folds)
    refuse_folds(catalog)
    if catalog.test().empty:
        raise CatalogError(
            f"{catalog.root} has no test images to part: add labelled ones, or validate on painted defects, as blemish "
            "search does with --split train."
        )
    catalog, groups = without_copies_of_test(catalog)
    testing = (catalog.table["split"] == TEST).to_numpy()
    types, labels = types_of(catalog), catalog.table["label"].to_numpy(dtype=str)
    kept = stratified_share(groups, types, testing, test_share, seed)
    fold = fold_numbers(groups, types, labels, testing & ~kept, folds, seed)
    percent = round(100 * test_share)
    name = f"test set {percent} % test, {100 - percent} % validation, {folds} folds, seed {seed}"
    parted = with_folds(catalog, np.where(testing & ~kept, VALIDATION, splits_of(catalog)), fold, name)
    require_both_classes(parted, folds)
    return parted


test_split.__test__ = False  # type: ignore[attr-defined]  # its name is not that of a pytest function


def without_copies_of_test(catalog: Catalog) -> tuple[Catalog, Groups]:
    """The catalog without training images that are copies of test images, and the groups of copies, or parts, in it.

    The test set stays as it is, so that figures on it can be compared; each image left out is one of the `problems`.
    Validation images of the layout's own stand aside, for those of the folds take their place.
    """
    catalog = catalog.subset((catalog.table["split"] != VALIDATION).to_numpy())
    groups = groups_of(catalog)
    training = (catalog.table["split"] == TRAIN).to_numpy()
    out = training & np.isin(groups, groups[~training])
    paths = catalog.table["path"].to_numpy(dtype=str)
    problems = []
    for row in np.flatnonzero(out):
        other = str(paths[(groups == groups[row]) & ~training][0])
        detail = f"it is a copy of {other}, which is in test, and is left out of training."
        problems.append(Problem("duplicate-across-splits", str(paths[row]), detail, other=other))
    kept = replace(catalog.subset(~out), problems=(*catalog.problems, *problems))
    return kept, with_parts(kept, groups[~out])


def groups_of(catalog: Catalog) -> Groups:
    """For each row of the catalog the number of its group of copies."""
    return copy_groups([Path(path) for path in catalog.table["path"]])


def with_parts(catalog: Catalog, copies: Groups) -> Groups:
    """The groups of copies, joined with what the user has said belongs together."""
    return joined(copies, catalog.table["group"].tolist()) if "group" in catalog.table else copies


def named_by(catalog: Catalog, name: str) -> str:
    """The name of a split, with the groups that it keeps together."""
    return f"{name}, grouped by {catalog.group_by}" if catalog.group_by else name


def types_of(catalog: Catalog) -> npt.NDArray[np.str_]:
    """Defect type of each row."""
    return catalog.table["defect_type"].to_numpy(dtype=str)


def stratified_share(
    groups: Groups, types: npt.NDArray[np.str_], among: BoolArray, share: float, seed: int
) -> BoolArray:
    """Choose of the rows in `among` a share of each type, whole groups of copies only.

    A group of several types counts as its first row's. A type's choice depends on the seed and its own rows alone.
    """
    types = types[_first_of_group(groups, among)]
    chosen = np.zeros(len(groups), np.bool_)
    for name in np.unique(types[among]):
        rows = np.flatnonzero(among & (types == name))
        rng = np.random.default_rng((seed, zlib.crc32(str(name).encode())))
        chosen[rows[share_of_groups(groups[rows], share, rng)]] = True
    return chosen


def share_of_groups(groups: Groups, share: float, rng: np.random.Generator) -> BoolArray:
    """Choose whole groups at random that together hold nearly, and never more than, `share` of the members.

    At least one member (where a group is as small as that) and never all are asked for; what is missing is less than
    the largest group. Returns a truth value for each member.
    """
    count = len(groups)
    wanted = min(max(round(share * count), 1), count - 1)
    names, sizes = np.unique(groups, return_counts=True)
    chosen: list[int] = []
    for place in rng.permutation(len(names)):
        if sizes[place] <= wanted:
            chosen.append(int(names[place]))
            wanted -= int(sizes[place])
    return np.isin(groups, chosen)


def fold_numbers(
    groups: Groups,
    types: npt.NDArray[np.str_],
    labels: npt.NDArray[np.str_],
    among: BoolArray,
    folds: int,
    seed: int,
) -> npt.NDArray[np.intp]:
    """Deal the rows in `among` to folds, whole groups of copies only; -1 for all other rows.

    Group by group, the largest first: each goes to the fold that has the fewest of its type so far, then the fewest
    of its label. So without copies the counts of a type differ by one at most, and rare types even each other out.
    """
    rng = np.random.default_rng((seed, 1))
    leaders = _first_of_group(groups, among)
    types, labels, ties = types[leaders], labels[leaders], rng.permutation(folds)
    fold = np.full(len(groups), NO_FOLD, np.intp)
    of_label = {label: np.zeros(folds, int) for label in np.unique(labels)}
    for name in np.unique(types[among]):
        of_type = np.zeros(folds, int)
        numbers, sizes = np.unique(groups[among & (types == name)], return_counts=True)
        order = rng.permutation(len(numbers))
        for place in order[np.argsort(-sizes[order], kind="stable")]:
            rows = among & (groups == numbers[place])
            counts = of_label[labels[np.flatnonzero(rows)[0]]]
            best = int(np.lexsort((ties, counts, of_type))[0])
            fold[rows] = best
            of_type[best] += sizes[place]
            counts[best] += sizes[place]
    return fold


def with_folds(
    catalog: Catalog, split: npt.NDArray[np.str_], fold: npt.NDArray[np.intp], name: str
) -> Catalog:
    """The catalog with another split, its folds and its name."""
    table = catalog.table.assign(split=split.astype(object), fold=fold.astype(int))
    return replace(catalog, table=table, split_name=named_by(catalog, name))


def require_both_classes(catalog: Catalog, folds: int) -> None:
    """Refuse a split in which something cannot be ranked.

    Raises:
        CatalogError: one of the `folds`, or a test part that is not empty, lacks good or defective images.
    """
    validation = catalog.validation()
    parts = {
        f"fold {fold}": set(validation.loc[validation["fold"] == fold, "label"]) for fold in range(folds)
    }
    parts["the test part"] = set(catalog.test()["label"]) or {NORMAL, ANOMALOUS}
    for part, labels in parts.items():
        if labels != {NORMAL, ANOMALOUS}:
            missing = "good" if NORMAL not in labels else "defective"
            raise CatalogError(
                f"{catalog.root} has too few images for the split '{catalog.split_name}': {part} would have no "
                f"{missing} ones; give more, or use fewer folds."
            )


def check_share(share: float) -> None:
    """Refuse a share that leaves nothing on one side.

    Raises:
        UsageError: it is not in (0, 1).
    """
    if not 0 < share < 1:
        raise UsageError(f"A share of {share:g} is not possible: choose more than 0 and less than 1.")


def check_folds(folds: int) -> None:
    """Refuse what cannot be folds.

    Raises:
        UsageError: fewer than 2.
    """
    if folds < 2:
        raise UsageError(f"{folds} folds are not possible: choose 2 or more.")


def refuse_folds(catalog: Catalog) -> None:
    """Refuse a catalog that has folds already.

    Raises:
        CatalogError: it has.
    """
    if "fold" in catalog.table:
        raise CatalogError(f"{catalog.root} has folds already: open it anew to split it otherwise.")


def splits_of(catalog: Catalog) -> npt.NDArray[np.str_]:
    """Split of each row."""
    return catalog.table["split"].to_numpy(dtype=str)


def _first_of_group(groups: Groups, among: BoolArray) -> Groups:
    """For each row the first row of its group that is in `among`; the row itself where there is none."""
    first: dict[int, int] = {}
    for row in np.flatnonzero(among):
        first.setdefault(int(groups[row]), int(row))
    return np.array([first.get(int(group), row) for row, group in enumerate(groups)], dtype=np.intp)
