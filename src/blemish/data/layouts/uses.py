"""What a layout made of every folder and file, and what it left out."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blemish.data.entries import NORMAL, Problem, Reading, named
from blemish.data.layouts.doubts import is_named_like_annotations
from blemish.data.layouts.layout import BY_NAMES_ALONE
from blemish.data.layouts.tree import FolderTree

MASKS, ASIDE, LEFT_OUT = "masks", "set aside", "left out"
_ABOUT = re.compile(r"readme|licen[cs]e|copying|citation|changelog|authors|notice|subclasses", re.IGNORECASE)
_DOCUMENT = re.compile(
    r"\.(md|rst|pdf|html?|bib|docx|xlsx|log|toml|ini|cfg|py|ipynb|names|data|blemish|training|parquet|txt|jsonl?|csv|tsv|xml|ya?ml)",
    re.IGNORECASE,
)
"""What is written about photographs, and Blemish's own files, by name and by suffix; but for annotations."""


@dataclass(frozen=True)
class FolderUse:
    """What became of the files of one kind that lie directly in a folder.

    Attributes:
        folder: relative to the category's root, with slashes; "." for the root.
        use: "good", "defective", "masks", "set aside" (known, and neither part nor mask) or "left out".
        files: how many.
        split: of good and defective photographs; "" for others.
        defect_type: of defective ones; "" for others.
    """

    folder: str
    use: str
    files: int
    split: str = ""
    defect_type: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values, without what is empty."""
        return {name: value for name, value in vars(self).items() if value != ""}


def folder_uses(tree: FolderTree, reading: Reading) -> tuple[FolderUse, ...]:
    """What the layout made of every folder, sorted."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for entry in reading.entries:
        good = entry.label == NORMAL
        kind = "" if good else entry.defect_type
        counts[_folder(tree, entry.path), "good" if good else "defective", entry.split, kind] += 1
    masks = {entry.mask for entry in reading.entries if entry.mask and entry.mask.is_relative_to(tree.root)}
    known = reading.known & set(tree.listing.images)
    for mask in masks | (known - reading.aside):
        counts[_folder(tree, mask), MASKS, "", ""] += 1
    for path in known & reading.aside:
        counts[_folder(tree, path), ASIDE, "", ""] += 1
    for path in unread(tree, reading):
        counts[_folder(tree, path), LEFT_OUT, "", ""] += 1
    return tuple(
        FolderUse(folder, use, count, split, kind)
        for (folder, use, split, kind), count in sorted(counts.items())
    )


def left_out(tree: FolderTree, reading: Reading) -> list[Problem]:
    """A problem for each folder with photographs that are neither entries nor masks nor known otherwise."""
    problems = [Problem(error.kind, str(error.path), error.detail) for error in tree.listing.unlistable]
    told = {problem.path for problem in reading.problems}
    folders: dict[Path, list[str]] = defaultdict(list)
    for path in unread(tree, reading):
        if told.isdisjoint((str(path), str(path.parent))):
            folders[path.parent].append(path.name)
    for folder, names in sorted(folders.items()):
        detail = (
            f"{len(names)} images in it are not used ({named(names, 3)}): the layout {reading.layout} knows no class "
            "for them; move them to a class or leave them."
        )
        problems.append(Problem("unused", str(folder), detail))
    files: dict[Path, list[str]] = defaultdict(list)
    for path in not_understood(tree, reading):
        files[path.parent].append(path.name)
    for folder, names in sorted(files.items()):
        detail = (
            f"{len(names)} files in it are left out ({named(names)}): they are no photographs that can be read, and "
            f"the layout {reading.layout} does not know them; convert what is a photograph, or --ignore them."
        )
        problems.append(Problem("left-out", str(folder), detail))
    return problems


def not_understood(tree: FolderTree, reading: Reading) -> list[Path]:
    """Files that are no photographs, neither read by the layout nor documents about the photographs."""
    return [
        path
        for path in tree.listing.others
        if path not in reading.known and not _is_document(tree, path, reading.layout not in BY_NAMES_ALONE)
    ]


def _is_document(tree: FolderTree, path: Path, exact: bool) -> bool:
    """Whether a file is about the photographs; what is named like annotations is, where an exact layout knows them."""
    if _ABOUT.fullmatch(path.stem):
        return True
    document = _DOCUMENT.fullmatch(path.suffix) is not None
    return document and (exact or not is_named_like_annotations(path.relative_to(tree.root)))


def unread(tree: FolderTree, reading: Reading) -> list[Path]:
    """Photographs that are neither entries nor masks nor known otherwise."""
    used = (
        {entry.path for entry in reading.entries} | {entry.mask for entry in reading.entries} | reading.known
    )
    return [path for path in tree.listing.images if path not in used]


def _folder(tree: FolderTree, path: Path) -> str:
    return tree.relative(path.parent) if path.parent != tree.root else "."
