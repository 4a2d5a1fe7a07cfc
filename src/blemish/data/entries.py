"""What reading a layout gives: entries (one per image) and problems (one per thing to tell the user)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blemish.core.file_names import name_bytes
from blemish.core.images import IMAGE_PROBLEM_KINDS

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLIT_NAMES = {"train": TRAIN, "training": TRAIN, "test": TEST, "testing": TEST}
SPLIT_NAMES |= {"validation": VALIDATION, "val": VALIDATION, "valid": VALIDATION}
"""What splits are called, in lower case."""

NO_FOLD = -1
"""The fold of an image that belongs to none."""

NORMAL, ANOMALOUS = "normal", "anomalous"
GOOD = "good"
"""The defect type of every normal image, as in MVTec AD."""
DEFECT = "defect"
"""The defect type where a layout names none."""

NORMAL_NAMES = frozenset({"good", "ok", "normal", "pass", "passed", "accept", "accepted", "nominal", "fine"})
"""Folder names and labels that mean a good part, in lower case."""

ANOMALOUS_NAMES = frozenset(
    {"bad", "ko", "ng", "nok", "nio", "defect", "defects", "defective", "anomaly", "anomalies", "anomalous"}
    | {"abnormal", "fail", "failed", "reject", "rejected", "faulty"}
)
"""Folder names and labels that mean a defective part, in lower case."""

TEST_SHARE = 0.2

PROBLEM_KINDS: tuple[str, ...] = (
    *IMAGE_PROBLEM_KINDS,
    "mask-missing",  # a defective image without a mask, in a catalog that has masks
    "mask-size",  # the mask has another width or height than its image
    "mask-empty",  # marked defective, but the mask marks nothing
    "mask-large",  # the mask covers more than half of the image, so pixel metrics say little
    "mask-without-image",  # a mask that belongs to no image
    "duplicate",  # the same pixels twice in one split
    "duplicate-across-splits",  # the same pixels in train and test: measured results would flatter
    "duplicate-across-labels",  # the same pixels marked normal and anomalous
    "label-missing",  # photographs without a label file among labelled ones
    "empty-class",  # a folder for good or defective images without any
    "unused",  # images or columns that no rule of the layout reads
    "left-out",  # files that are no photographs, and that the layout does not understand
    "unclear",  # the layout is a guess: the user has to say which photographs are of good parts
    "blank",  # a photograph of one level alone among others
    "mask-like",  # an image among photographs that looks like a mask, and belongs to none
    "bit-depth",  # 16-bit images that use fewer bits, so that they look dark
    "mixed-sizes",  # images of different sizes
)


@dataclass(frozen=True)
class Problem:
    """Something to tell the user about a catalog.

    Attributes:
        kind: one of `PROBLEM_KINDS`.
        path: the file or folder.
        detail: the cause and the way out, one sentence without the path.
        fatal: whether the catalog cannot be used because of it.
        other: the other file, where two belong together, as duplicates do.
    """

    kind: str
    path: str
    detail: str
    fatal: bool = False
    other: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The problem as JSON-ready values."""
        return {"kind": self.kind, "path": self.path, "detail": self.detail, "fatal": self.fatal}


@dataclass(frozen=True)
class Entry:
    """One image of a catalog: a row of its table; `fold` is that of a split with folds."""

    path: Path
    split: str
    label: str
    defect_type: str
    mask: Path | None = None
    fold: int = NO_FOLD


@dataclass
class Reading:
    """What one layout holds.

    Attributes:
        layout: its name.
        entries: one for each image.
        problems: what to tell the user.
        subclass: of the category, where the layout itself says it.
        unclear: what the user has to say before anything is learnt, a clause such as "nothing says which of the
            folders a, b hold good parts"; "" where the layout is no guess.
        known: files that the layout has read or understood besides the entries and their masks, as annotations; all
            other files are told as left out.
        aside: those images of `known` that are no masks, as photographs that nobody has labelled.
        ignorable: folders and files, relative to the root, that a user may want to leave out where it is unclear.
    """

    layout: str
    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    subclass: str = ""
    unclear: str = ""
    known: set[Path] = field(default_factory=set)
    aside: set[Path] = field(default_factory=set)
    ignorable: list[str] = field(default_factory=list)

    def set_aside(self, images: Iterable[Path]) -> None:
        """Know images that are neither parts to judge nor masks."""
        images = set(images)
        self.known |= images
        self.aside |= images


def part_normal(
    entries: Iterable[Entry],
    folder: Path,
    share: float = TEST_SHARE,
    group: Callable[[Path], Path] = lambda path: path,
) -> list[Entry]:
    """Give entries without a split of their own their split.

    Anomalous images go to test. Where there are any, `share` of the normal images (rounded, at least one of
    two) goes to test too: those whose path relative to `folder` has the smallest SHA-256. The rule needs no
    seed, is the same on every machine, and hardly moves when images are added. Without anomalous images
    everything is for training. Frames of one part taken one after another may be parted by it: name the
    splits in a manifest if that matters. Images of one `group`, as a folder of views of one part, stay together.
    """
    entries = list(entries)
    normal = [entry for entry in entries if entry.label == NORMAL]
    count = 0
    if len(normal) < len(entries) and len(normal) > 1:
        count = max(1, round(share * len(normal)))
    groups: dict[Path, list[Path]] = {}
    for entry in normal:
        groups.setdefault(group(entry.path), []).append(entry.path)
    test: set[Path] = set()
    for name in sorted(groups, key=lambda path: _rank(path, folder)):
        if len(test) < count and len(test) + len(groups[name]) < len(normal):
            test.update(groups[name])
    return [
        replace(entry, split=TEST if entry.label == ANOMALOUS or entry.path in test else TRAIN)
        for entry in entries
    ]


def split_of(text: str) -> str | None:
    """The split that a name of a folder or a file speaks of, as `valid` or `instances_train2017`; None if none."""
    words = re.findall(r"[a-z]+", text.lower())
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)


def named(names: Sequence[str], most: int = 12) -> str:
    """A list for a sentence: `a, b, c and 9 more`."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _rank(path: Path, folder: Path) -> bytes:
    """What sorts normal images for `part_normal`."""
    relative = path.relative_to(folder) if path.is_relative_to(folder) else path
    return hashlib.sha256(name_bytes(relative.as_posix())).digest()
