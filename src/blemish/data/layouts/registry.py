"""Every layout, and which one a folder has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blemish.core.errors import UsageError
from blemish.data.layouts import exports, industry, published
from blemish.data.layouts.layout import Layout
from blemish.data.layouts.masks_beside import MASKS_BESIDE
from blemish.data.layouts.plain import FOLDERS, IMAGES
from blemish.data.layouts.split_folders import BTAD, MVTEC
from blemish.data.layouts.tree import FolderTree

LAYOUTS: tuple[Layout, ...] = (
    *published.LAYOUTS,
    *industry.LAYOUTS,
    *exports.LAYOUTS,
    MASKS_BESIDE,
    BTAD,
    MVTEC,
    FOLDERS,
    IMAGES,
)
"""The most exact first: a folder has the first one that recognises it."""


@dataclass(frozen=True)
class Recognised:
    """A layout, and why a folder is taken for it."""

    layout: Layout
    reason: str


def recognise(tree: FolderTree) -> Recognised | None:
    """The layout that a category's folder shows; None if it shows none, and may be photographs or categories."""
    for layout in LAYOUTS:
        if layout is not IMAGES and (reason := layout.recognise(tree)):
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


def categories_in(tree: FolderTree) -> list[Path]:
    """Folders directly in the root that are categories by themselves, sorted."""
    return [folder for folder in tree.folders.values() if recognise(tree.below(folder))]
