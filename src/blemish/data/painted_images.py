"""Photographs of good parts with defects painted in, kept as files: images to choose settings and thresholds on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from blemish import __version__
from blemish.core.errors import BlemishError, ImageError, UsageError
from blemish.core.images import read_image
from blemish.core.progress import track
from blemish.core.storage import file_digest
from blemish.core.types import BoolArray, ByteArray
from blemish.data.defect_files import write_image, write_mask
from blemish.data.folders import ORIGIN_FILE, made_folder
from blemish.data.painting import SMALLEST_AREA, Range
from blemish.data.patch_defects import PAINTERS
from blemish.data.textures import monochrome
from blemish.view.foreground import estimate_foreground


@dataclass(frozen=True)
class Painting:
    """How defects are painted.

    Attributes:
        painters: types of defects, see `blemish.data.patch_defects.PAINTERS`; all where none is named.
        inside_foreground: only where `estimate_foreground` sees the part; anywhere on photographs without a ground.
        bit_depth: bits that 16-bit photographs really use; what is painted has 8.
    """

    painters: tuple[str, ...] = ()
    inside_foreground: bool = False
    bit_depth: int = 16

    def names(self) -> list[str]:
        """The painters by name, in the order of `PAINTERS` where none is named.

        Raises:
            UsageError: there is none of such a name, or one is named twice.
        """
        for name in self.painters:
            if name not in PAINTERS:
                raise UsageError(f"There is no defect {name!r}: choose of {', '.join(PAINTERS)}.")
        if len(set(self.painters)) < len(self.painters):
            raise UsageError(f"One of the defects {', '.join(self.painters)} is named twice: name it once.")
        return list(self.painters) or list(PAINTERS)


USUAL_PAINTING = Painting()


@dataclass(frozen=True)
class PaintedImage:
    """One photograph with a defect painted in.

    Attributes:
        number: position of the photograph of a good part among those given.
        path, mask: the damaged photograph and the exact mask, PNG of the source's size.
        defect_type: name of the painter.
    """

    number: int
    path: Path
    mask: Path
    defect_type: str


def painted_images(
    sources: Sequence[Path], folder: Path, seed: int = 0, painting: Painting = USUAL_PAINTING
) -> list[PaintedImage]:
    """Paint a defect into each photograph, once: a folder that holds the same already is read instead.

    The types take turns in a seeded order. Where one cannot be seen on a photograph another is taken; a photograph
    that cannot be read, or on which none can be seen, is left out.

    Args:
        sources: photographs of good parts.
        folder: for `test/TYPE/NAME.png` and `ground_truth/TYPE/NAME_mask.png`; replaced as a whole if Blemish made it.
        seed: of types, places and shapes.
        painting: how.

    Raises:
        UsageError: there is no such painter, or `folder` holds other files.
        BlemishError: the folder cannot be written.
    """
    how = [painting.names(), painting.inside_foreground, painting.bit_depth]
    depends_on = json.dumps([__version__, seed, how, [_content(path) for path in sources]])
    key = hashlib.sha256(depends_on.encode()).hexdigest()
    rows = _kept(folder, key)
    if rows is None:
        origin: dict[str, Any] = {"made_by": "blemish", "key": key}
        with made_folder(folder, origin) as draft:
            rows = origin["painted"] = paint_into(draft, sources, seed, painting)
    return [
        PaintedImage(row["number"], folder / row["path"], folder / row["mask"], row["defect_type"])
        for row in rows
    ]


def paint_into(draft: Path, sources: Sequence[Path], seed: int, painting: Painting) -> list[dict[str, Any]]:
    """Paint a defect into each photograph; rows of position in `sources`, paths below `draft`, and defect type."""
    names = painting.names()
    order = np.random.default_rng(seed).permutation(len(names))
    rows = []
    for number, source in enumerate(track(sources, "Painting defects")):
        rng = np.random.default_rng([seed, number])
        first = names[int(order[number % len(names)])]
        others = [names[place] for place in rng.permutation(len(names)) if names[place] != first]
        try:
            image = read_image(source, bit_depth=painting.bit_depth)
        except ImageError:
            continue
        foreground = estimate_foreground(image) if painting.inside_foreground else None
        painted = _paint_first_visible(image, foreground, [first, *others], rng)
        if painted is None:
            continue
        kind, damaged, mask = painted
        name = f"{number:04d}-{source.stem[:80]}"
        image_path, mask_path = f"test/{kind}/{name}.png", f"ground_truth/{kind}/{name}_mask.png"
        write_image(draft / image_path, damaged)
        write_mask(draft / mask_path, mask)
        rows.append({"number": number, "path": image_path, "mask": mask_path, "defect_type": kind})
    return rows


def paint(
    name: str,
    image: ByteArray,
    foreground: BoolArray | None,
    rng: np.random.Generator,
    strength: Range | None = None,
    size: Range | None = None,
) -> tuple[ByteArray, BoolArray]:
    """Paint one defect, not one pixel of it outside the foreground where there is one; grey photographs stay grey.

    Args:
        name: one of `PAINTERS`.
        image: uint8 RGB H x W x 3.
        foreground: bool H x W, or None.
        rng: of place and shape.
        strength, size: ranges of these; the usual ones when None.

    Returns:
        The damaged photograph and the exact mask, bool H x W.

    Raises:
        BlemishError: nowhere could it be seen.
    """
    damaged, mask = PAINTERS[name](image, foreground, rng, size, strength)
    if foreground is not None:
        mask = mask & foreground
        if mask.sum() < SMALLEST_AREA * mask.size:
            raise BlemishError(
                f"No {name.replace('_', ' ')} could be seen on the part: choose another type of defect."
            )
    if bool((image == image[..., :1]).all()):  # colour in a grey photograph would give the defect away
        damaged = monochrome(damaged)
    return np.where(mask[..., None], damaged, image), mask


def _paint_first_visible(
    image: ByteArray, foreground: BoolArray | None, names: Sequence[str], rng: np.random.Generator
) -> tuple[str, ByteArray, BoolArray] | None:
    """Name, damaged photograph and mask of the first painter whose defect can be seen on it."""
    for name in names:
        try:
            return name, *paint(name, image, foreground, rng)
        except BlemishError:
            continue
    return None


def _kept(folder: Path, key: str) -> list[dict[str, Any]] | None:
    """Rows of a folder painted before from the same; None if there is none, or a file of it is missing."""
    try:
        origin = json.loads((folder / ORIGIN_FILE).read_text("utf-8"))
        rows: list[dict[str, Any]] = origin["painted"]
        whole = all((folder / row["path"]).is_file() and (folder / row["mask"]).is_file() for row in rows)
        return rows if whole and origin["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _content(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError:
        return "unreadable"
