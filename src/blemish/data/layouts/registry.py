"""Every layout, and which one a folder has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blemish.core.errors import UsageError
from blemish.data.layouts import exports, industry, published
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.masks_beside import MASKS_BESIDE
from blemish.data.layouts.plain import FOLDERS, IMAGES
from blemish.data.layouts.split_folders import BTAD, MVTEC
from blemish.data.layouts.tree import FolderTree

_EXACT: tuple[Layout, ...] = (*published.LAYOUTS, *industry.LAYOUTS, *exports.LAYOUTS)
LAYOUTS: tuple[Layout, ...] = (*_EXACT, MASKS_BESIDE, BTAD, MVTEC, FOLDERS, IMAGES)
"""The most exact first: a folder has the first one that recognises it."""


@dataclass(frozen=True)
class Recognised:
    """A layout, and why a folder is taken for it."""

    layout: Layout
    reason: str


def recognise(tree: FolderTree, layouts: Sequence[Layout] = LAYOUTS) -> Recognised | None:
    """The one of some layouts that a category's folder shows; None if none, and it may be photographs or categories."""
    for layout in layouts:
        reason = None if layout is IMAGES else layout.recognise(tree)
        # Masks lie among the photographs of several categories too.
        if reason and not (layout is MASKS_BESIDE and categories_in(tree, _EXACT)):
            return Recognised(layout, reason)
    return None


def layout_named(name: str) -> Layout:
    """The layout that `--layout` names.

    Raises:
        UsageError: there is none of this name.
    """
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    names = ", ".join(layout.name for layout in LAYOUTS)
    raise UsageError(f"--layout {name} is not known: choose {names}.")


def categories_in(tree: FolderTree, layouts: Sequence[Layout] = LAYOUTS) -> list[Path]:
    """Folders that are categories by themselves, sorted, in the root or in the folder that an archive unpacked into.

    Args:
        tree: the root.
        layouts: the ones that they may show.
    """
    found = [folder for folder in tree.folders.values() if recognise(tree.below(folder), layouts)]
    inner = None if found else _only_folder(tree)
    return categories_in(tree.below(inner), layouts) if inner else found


def _only_folder(tree: FolderTree) -> Path | None:
    """The one folder in the root that all photographs lie in; None if there is none or several."""
    holding = {path.relative_to(tree.root).parts[0] for path in tree.listing.images}
    return next((folder for folder in tree.folders.values() if holding == {folder.name}), None)
