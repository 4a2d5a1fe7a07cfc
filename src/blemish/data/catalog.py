"""The catalog: the table of one category's images, whatever layout they lie in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from blemish.core.errors import CatalogError, UsageError
from blemish.core.file_names import as_text
from blemish.data.entries import (
    NO_FOLD,
    NORMAL,
    PROBLEM_KINDS,
    TEST,
    TRAIN,
    VALIDATION,
    Problem,
    Reading,
    named,
)
from blemish.data.groups import with_groups
from blemish.data.layouts.as_told import read_as_told
from blemish.data.layouts.doubts import refuse, unclear_problem
from blemish.data.layouts.layout import BY_NAMES_ALONE
from blemish.data.layouts.masks_beside import take_masks
from blemish.data.layouts.plain import IMAGES
from blemish.data.layouts.registry import categories_in, layout_named, recognise
from blemish.data.layouts.tree import FolderTree
from blemish.data.layouts.uses import FolderUse, folder_uses, left_out, not_understood, unread
from blemish.data.manifest import MANIFEST_SUFFIXES, read_manifest
from blemish.data.part_names import UNNAMED, names_part
from blemish.data.subclasses import subclass_of
from blemish.data.told import NOTHING_TOLD, Told

__all__ = ["PROBLEM_KINDS", "Catalog", "Problem", "open_catalog", "open_catalogs"]

LAYOUTS_UNDERSTOOD = (
    "a folder of photographs of good parts; good/ and bad/; train/good, test/good and test/DEFECT as in "
    "MVTec AD (ok and ko as in BTAD); masks beside photographs; published sets and exports of annotations, as VisA, "
    "COCO and YOLO (docs/layouts.md); a CSV or Parquet manifest with the column path"
)

_MOST_ABOVE = 4  # names: of the folder, and of those above it that may say what is in it


@dataclass(frozen=True, eq=False)
class Catalog:
    """The table of one category's images.

    Attributes:
        category: name of the product or surface.
        root: folder that was opened, absolute.
        layout: a name of `blemish.data.layouts.registry.LAYOUTS`, "manifest", or "told" where the user has said it.
        table: one row per image, sorted by path, index 0 to n-1, with the columns `path` (absolute str),
            `split` ("train", "test" or "validation"), `label` ("normal" or "anomalous"), `defect_type` (str,
            "good" for normal images) and `mask` (absolute str or None); after a split with folds also `fold`
            (int, -1 for none), and with `group_by` also `group` (str).
        problems: what reading the layout found; `check_catalog` looks into the images too.
        subclass: the group of categories that it belongs to (see `blemish.data.subclasses`); "" for none.
        reason: why the folder is taken for this layout, a clause.
        unclear: what the user has to say before anything is learnt from it, a clause; "" where nothing is open.
        uses: what the layout made of every folder.
        left_out: files that it made nothing of, photographs and others, sorted; none of a manifest.
        litter: what systems and programs left beside them, which nobody looks at, sorted.
        group_by: what photographs of one part have in common, as the user said it; "" where nobody did.
        split_name: the split that `blemish.data.splits` has made, in words with its seed; "" for the layout's own.
    """

    category: str
    root: Path
    layout: str
    table: pd.DataFrame
    problems: tuple[Problem, ...] = ()
    split_name: str = ""
    subclass: str = ""
    reason: str = ""
    unclear: str = ""
    uses: tuple[FolderUse, ...] = ()
    left_out: tuple[Path, ...] = ()
    litter: tuple[Path, ...] = ()
    group_by: str = ""

    def __len__(self) -> int:
        return len(self.table)

    def train_normal(self) -> list[Path]:
        """Paths of the images that a detector may learn from."""
        rows = (self.table["split"] == TRAIN) & (self.table["label"] == NORMAL)
        return [Path(path) for path in self.table.loc[rows, "path"]]

    def groups(self) -> dict[Path, str]:
        """The group of each photograph; empty where nobody has said what belongs together."""
        if "group" not in self.table:
            return {}
        return {
            Path(path): group for path, group in zip(self.table["path"], self.table["group"], strict=True)
        }

    def test(self) -> pd.DataFrame:
        """Rows of the test images, index 0 to m-1."""
        return self.table[self.table["split"] == TEST].reset_index(drop=True)

    def validation(self) -> pd.DataFrame:
        """Rows of the validation images, index 0 to m-1."""
        return self.table[self.table["split"] == VALIDATION].reset_index(drop=True)

    @property
    def folds(self) -> tuple[int, ...]:
        """Numbers of the folds that validation images belong to, ascending; empty without folds."""
        if "fold" not in self.table:
            return ()
        numbers = self.table.loc[self.table["split"] == VALIDATION, "fold"]
        return tuple(sorted({int(number) for number in numbers} - {NO_FOLD}))

    def for_fold(self, fold: int) -> Catalog:
        """The catalog as one fold sees it: its validation images, and no training image that belongs to it.

        Raises:
            CatalogError: there is no such fold.
        """
        if fold not in self.folds:
            raise CatalogError(
                f"{self.root} has no fold {fold}: make a split with folds, as blemish.data.splits does."
            )
        split, folds = self.table["split"].to_numpy(dtype=str), self.table["fold"].to_numpy(dtype=int)
        out = ((split == TRAIN) & (folds == fold)) | ((split == VALIDATION) & (folds != fold))
        return self.subset(~out)

    def grouped(self, by: str) -> Catalog:
        """The catalog with photographs of one part together; `by` and errors are of `blemish.data.groups.groups_by`.

        Raises:
            UsageError: `by` cannot be meant, finds nothing in any name, or puts all good training photographs together.
        """
        return replace(self, table=with_groups(self.table, by), group_by=by)

    def subset(self, keep: npt.NDArray[Any] | Sequence[int] | Sequence[bool] | pd.Series[Any]) -> Catalog:
        """The catalog with the rows in `keep` only: a truth value for each row, or positions of rows."""
        rows = np.asarray(keep)
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else np.sort(rows.astype(np.intp))
        return replace(self, table=self.table.iloc[rows].reset_index(drop=True))

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of images by split and defect type: `{"train": {"good": 320}, "test": {"hole": 9}}`."""
        counts: dict[str, dict[str, int]] = {TRAIN: {}, TEST: {}}
        if (self.table["split"] == VALIDATION).any():
            counts = {TRAIN: {}, VALIDATION: {}, TEST: {}}
        pairs = Counter(zip(self.table["split"], self.table["defect_type"], strict=True))
        for (split, defect_type), count in sorted(pairs.items()):
            counts[split][defect_type] = count
        return counts


def open_catalog(
    root: Path | str, category: str | None = None, told: Told = NOTHING_TOLD, *, guess: bool = False
) -> Catalog:
    """Open the images of one category: a folder in any layout, or a manifest file.

    Args:
        root: the folder or manifest.
        category: what the category is called; with None, as the folder is, or a folder above it where that has a name
            that names no part, as `good`, `train` or `images`; "part" where these have too.
        told: what the user says that the folder is.
        guess: open it even where its layout leaves open which images are good; `Catalog.unclear` then says so.

    Raises:
        CatalogError: there is nothing to learn from, the layout is not understood or leaves open what is good, or
            `root` holds several categories (the error names them).
        UsageError: `told` names no layout, says what folders are of a manifest, or groups photographs as cannot be.
    """
    root = _existing(root, told)
    categories = _categories(root, told)
    if categories is not None and len(categories) == 1:
        (only,) = open_catalogs(root, told, guess=guess)
        return replace(only, category=category or only.category)
    if categories is not None:
        names = named([category.name for category in categories])
        raise CatalogError(
            f"{root} holds {len(categories)} categories ({names}): choose one, for example {categories[0]}."
        )
    return _open_category(root, category, told, guess)


def open_catalogs(root: Path | str, told: Told = NOTHING_TOLD, *, guess: bool = False) -> list[Catalog]:
    """Open one category, or each category in a root of several, sorted by name.

    Photographs in the root that belong to none of several are told by the first.

    Raises:
        CatalogError, UsageError: as `open_catalog`, for any of them.
    """
    root = _existing(root, told)
    categories = _categories(root, told)
    if categories is None:
        return [_open_category(root, None, told, guess)]
    catalogs = [_open_category(path, path.name, told, guess) for path in categories]
    outside = _outside(FolderTree(root, told.ignore), catalogs)
    return [replace(catalogs[0], problems=catalogs[0].problems + outside), *catalogs[1:]]


def _outside(tree: FolderTree, catalogs: Sequence[Catalog]) -> tuple[Problem, ...]:
    """A problem for each folder with photographs that belong to none of several categories."""
    used = {path for catalog in catalogs for name in ("path", "mask") for path in catalog.table[name]}
    folders = Counter(
        path.parent
        for path in tree.images()
        if str(path) not in used and not any(path.is_relative_to(catalog.root) for catalog in catalogs)
    )
    detail = "{} images in it belong to no category, and are not used; open the folder alone, or leave them."
    return tuple(
        Problem("unused", str(folder), detail.format(count)) for folder, count in sorted(folders.items())
    )


def _existing(root: Path | str, told: Told) -> Path:
    root = Path(root).absolute()
    root = root.resolve() if ".." in root.parts else root
    if not root.exists():
        raise CatalogError(f"{root} does not exist: name a folder of images or a manifest.")
    if root.is_file() and root.suffix.lower() not in MANIFEST_SUFFIXES:
        raise CatalogError(f"{root} is a file but no manifest (.csv or .parquet): name a folder of images.")
    if root.is_file() and (told.layout or told.good or told.defective):
        raise UsageError(
            f"{root} is a manifest, whose rows say what is good: leave out --layout, --good and --defective, or "
            "name its folder."
        )
    return root


def _manifest_in(root: Path) -> Path | None:
    """The manifest that `root` is or holds."""
    if root.is_file():
        return root
    return next((path for path in (root / "manifest.csv", root / "manifest.parquet") if path.is_file()), None)


def _categories(root: Path, told: Told) -> list[Path] | None:
    """Folders of the categories in a root of several; None if `root` is one category itself."""
    if told.good or told.defective or _manifest_in(root):
        return None
    tree = FolderTree(root, told.ignore)
    if told.layout:
        layout = layout_named(told.layout)
        if layout.recognise(tree):
            return None
        return categories_in(tree, (layout,)) or None
    return None if recognise(tree) else categories_in(tree) or None


def _open_category(root: Path, category: str | None, told: Told, guess: bool) -> Catalog:
    """Open `root` as one category of that name."""
    manifest = _manifest_in(root)
    folder = root if root.is_dir() else root.parent
    tree = FolderTree(folder, told.ignore)
    reading, reason = _read(tree, manifest, told)
    if reading.layout in BY_NAMES_ALONE:
        take_masks(tree, reading, sure=bool(told.good))
    if told.layout == IMAGES.name:
        reading.unclear = ""
    if reading.entries and not guess:
        refuse(tree, reading)
    learnable = any(entry.split == TRAIN and entry.label == NORMAL for entry in reading.entries)
    if not learnable and not (reading.entries and reading.unclear):
        seen = f"{len(reading.entries)} images, but none of good parts for training"
        if not reading.entries:
            seen = _describe(tree) if root.is_dir() else "none of the images it names exist"
        first = "".join(f" {problem.path}: {problem.detail}" for problem in reading.problems[:1])
        raise CatalogError(
            f"{root} cannot be learnt from: {seen}.{first} Layouts understood: {LAYOUTS_UNDERSTOOD}."
        )
    uses = folder_uses(tree, reading)
    not_read: list[Path] = []
    if manifest is None:
        reading.problems += left_out(tree, reading)
        not_read = sorted([*unread(tree, reading), *not_understood(tree, reading)])
    reading.problems += unclear_problem(tree, reading)
    category = as_text(category or _name_of(root))
    subclass = reading.subclass or subclass_of(category, folder)
    catalog = Catalog(
        category,
        folder,
        reading.layout,
        _table(reading),
        tuple(reading.problems),
        subclass=subclass,
        reason=reason,
        unclear=reading.unclear,
        uses=uses,
        left_out=tuple(not_read),
        litter=tree.listing.litter,
    )
    return catalog.grouped(told.group_by) if told.group_by else catalog


def _name_of(root: Path) -> str:
    """What a category is called whose folder or manifest this is; `UNNAMED` where neither it nor those above say."""
    folders = root.parents if root.is_file() else (root, *root.parents)
    names = [folder.name for folder in folders]
    if root.is_file() and root.stem != "manifest":
        names.insert(0, root.stem)
    return next((name for name in names[:_MOST_ABOVE] if names_part(name)), UNNAMED)


def _read(tree: FolderTree, manifest: Path | None, told: Told) -> tuple[Reading, str]:
    """Entries and problems of a folder by its layout, and why it is taken for that."""
    if told.good or told.defective:
        return read_as_told(tree, told), "it is told which folders are which"
    if told.layout:
        return layout_named(told.layout).read(tree), f"it is told to be {told.layout}"
    if manifest is not None:
        reading = read_manifest(manifest)
        reading.entries = [entry for entry in reading.entries if tree.counts(entry.path)]
        return reading, f"{manifest.name} names its images"
    found = recognise(tree)
    if found is not None:
        return found.layout.read(tree), found.reason
    return IMAGES.read(tree), "it holds photographs, and no folder in it says more"


def _describe(tree: FolderTree) -> str:
    """What lies in a folder, for an error: its folders, and its files by suffix."""
    files = Counter(
        path.suffix.lower() or "no suffix" for path in (*tree.listing.images, *tree.listing.others)
    )
    parts = [f"{count} files {suffix}" for suffix, count in files.most_common()]
    folders = [f"{folder.name}/" for folder in tree.folders.values()]
    found = " and ".join(filter(None, [named(folders), named(parts, 5)])) or "nothing"
    return f"found {found}; no layout knows good parts among them"


def _table(reading: Reading) -> pd.DataFrame:
    """Entries as the catalog's table."""
    entries = sorted(reading.entries, key=lambda entry: (entry.path, entry.split))
    table = pd.DataFrame(
        {
            "path": [str(entry.path) for entry in entries],
            "split": [entry.split for entry in entries],
            "label": [entry.label for entry in entries],
            "defect_type": [as_text(entry.defect_type) for entry in entries],
            "mask": [entry.mask and str(entry.mask) for entry in entries],
        },
        dtype=object,  # not pandas' text type, which holds no name that is not UTF-8, and turns None into NaN
    )
    if any(entry.fold != NO_FOLD for entry in entries):
        table["fold"] = [entry.fold for entry in entries]
    return table
