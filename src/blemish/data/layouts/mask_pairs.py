"""Masks that lie among photographs, and the photograph that each belongs to.

`10000_GT.png` is the mask of `10000.png`, `Label/0576_label.png` that of `0576.png`, and `exp1.png` that of `exp1.jpg`:
the name pairs them, and the content says which of the two is the mask. A mask that has no photograph by name is told.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blemish.data.class_words import class_of
from blemish.data.entries import split_of
from blemish.data.mask_like import looks_of

MASK_WORDS = frozenset(
    {
        "gt",
        "mask",
        "masks",
        "label",
        "labels",
        "groundtruth",
        "ground",
        "truth",
        "seg",
        "segs",
        "segmentation",
        "annot",
    }
    | {
        "segmentations",
        "annotation",
        "annotations",
        "msk",
        "lbl",
        "segm",
        "labelled",
        "pixelwise",
        "maske",
        "masken",
    }
)
"""Words that the names of masks, and of their folders, have besides the photograph's."""

_PHOTOGRAPH_WORDS = frozenset(
    {"img", "imgs", "image", "images", "photo", "photos", "rgb", "orig", "original", "raw"}
)
_SUFFIX = re.compile(r"(?<=[^a-z])(?:gt|mask|label|seg)s?$|(?<=.)(?:groundtruth|mask)s?$")
_BETWEEN = re.compile(r"[\W_]+")


@dataclass
class Pairs:
    """Masks among some images.

    Attributes:
        of: masks of each photograph that has any, sorted.
        alone: mask-like images that belong to none, sorted; none of one level alone.
        blank: images of one level alone that belong to none, as black photographs are, sorted.
        unlike: images that have a word of masks and the name of a photograph, but look like none, sorted.
    """

    of: dict[Path, list[Path]] = field(default_factory=lambda: defaultdict(list))
    alone: list[Path] = field(default_factory=list)
    blank: list[Path] = field(default_factory=list)
    unlike: list[Path] = field(default_factory=list)


def is_mask_name(path: Path, root: Path) -> bool:
    """Whether the name of an image or of a folder below `root` that holds it speaks of masks."""
    parents = path.relative_to(root).parts[:-1]
    return _bare(path.stem) != path.stem.lower() or any(MASK_WORDS & set(_words(part)) for part in parents)


def may_be_pairs(paths: Iterable[Path], root: Path) -> bool:
    """Whether any two of some images may be mask and photograph, as far as their names say."""
    paths = list(paths)
    names = Counter(path.stem.lower() for path in paths)
    if len(names) < len(paths):
        return True
    return any(_bare(name) in names for name in names if _bare(name) != name) or any(
        is_mask_name(path, root) for path in paths
    )


def mask_pairs(paths: Sequence[Path], root: Path) -> Pairs:
    """Pair masks with photographs, by names and contents; nothing where all images look like masks."""
    likely = [path for path in paths if is_mask_name(path, root)]
    looks = looks_of(paths, likely)
    masks = [path for path in paths if looks[path].mask_like]
    if len(masks) == len(paths):  # parts of black and white: the names alone tell
        masks = likely
    photographs: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(set(paths) - set(masks)):
        for key in {path.stem.lower(), _without(path.stem, _PHOTOGRAPH_WORDS)}:
            photographs[key].append(path)
    pairs, spoken = Pairs(), set(likely)
    only_masks = {mask.parent for mask in masks} - {path.parent for path in set(paths) - set(masks)}
    for mask in masks:
        named = mask in spoken or mask.parent in only_masks
        near = photographs[mask.stem.lower()] or photographs[_bare(mask.stem)]
        found = _closest(mask, [one for one in near if _may_pair(mask, one, named, root)], root)
        if found is not None:
            pairs.of[found].append(mask)
        elif photographs:
            (pairs.blank if looks[mask].flat else pairs.alone).append(mask)
    names = {path.stem.lower() for path in paths}
    pairs.unlike = [
        path
        for path in sorted(set(paths) - set(masks))
        if (bare := _bare(path.stem)) != path.stem.lower() and bare in names
    ]
    return pairs


def _may_pair(mask: Path, photograph: Path, named: bool, root: Path) -> bool:
    """Whether a mask and a photograph of one name may belong together.

    They lie in one folder; or the mask is named as such or lies among masks alone, and in no split or class of its own.
    """
    if mask.parent == photograph.parent:
        return True
    own = set(_folders(mask, root)) - set(_folders(photograph, root))
    return named and not any(split_of(folder) or class_of(folder) for folder in own)


def _closest(mask: Path, photographs: Sequence[Path], root: Path) -> Path | None:
    """The one of several photographs whose folders are most like the mask's; None if there is none, or two are."""
    ranked = sorted(((_alike(mask, path, root), path) for path in photographs), reverse=True)
    if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
        return None
    return ranked[0][1] if ranked else None


def _alike(mask: Path, photograph: Path, root: Path) -> tuple[bool, int, int]:
    """How near two images lie: in one folder, folders in common, and the fewest others."""
    of_mask, of_photograph = (Counter(_folders(path, root)) for path in (mask, photograph))
    common = (of_mask & of_photograph).total()
    return mask.parent == photograph.parent, common, -of_photograph.total()


def _folders(path: Path, root: Path) -> list[str]:
    """Names of the folders that hold an image, without those that say what is in them."""
    parts = (part.lower() for part in path.relative_to(root).parts[:-1])
    return [part for part in parts if not set(_words(part)) <= MASK_WORDS | _PHOTOGRAPH_WORDS]


def _bare(stem: str) -> str:
    """The name of a mask without the words that say that it is one."""
    bare = _without(stem, MASK_WORDS)
    return bare if bare != stem.lower() else _SUFFIX.sub("", bare).rstrip("_-. ")


def _without(stem: str, words: frozenset[str]) -> str:
    """A name in lower case without some words at its ends; whole where nothing is left."""
    name = stem.lower()
    while True:
        parts = _BETWEEN.split(name)
        if len(parts) > 1 and parts[-1] in words:
            name = re.sub(r"[\W_]+[^\W_]*$", "", name)
        elif len(parts) > 1 and parts[0] in words:
            name = re.sub(r"^[^\W_]*[\W_]+", "", name)
        else:
            return name or stem.lower()


def _words(name: str) -> list[str]:
    return [word for word in _BETWEEN.split(name.lower()) if word]
