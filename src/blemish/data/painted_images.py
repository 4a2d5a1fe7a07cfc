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
from blemish.data.entries import named
from blemish.data.folders import ORIGIN_FILE, made_folder
from blemish.data.synthetic import DEFECT_PAINTERS
from blemish.data.textures import monochrome


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
    sources: Sequence[Path],
    folder: Path,
    painters: Sequence[str] = (),
    seed: int = 0,
    bit_depth: int = 16,
) -> list[PaintedImage]:
    """Paint a defect into each photograph, once: a folder that holds the same already is read instead.

    The types take turns in a seeded order. Where one cannot be seen on a photograph another is taken; a photograph
    that cannot be read, or on which none can be seen, is left out.

    Args:
        sources: photographs of good parts.
        folder: for `test/TYPE/NAME.png` and `ground_truth/TYPE/NAME_mask.png`; replaced as a whole if Blemish made it.
        painters: types of defects, see `check_painters`.
        seed: of types, places and shapes.
        bit_depth: bits that 16-bit photographs really use; what is painted has 8.

    Raises:
        UsageError: there is no such painter, or `folder` holds other files.
        BlemishError: the folder cannot be written.
    """
    names = check_painters(painters)
    depends_on = [__version__, names, seed, bit_depth, [_content(path) for path in sources]]
    key = hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()
    rows = _kept(folder, key)
    if rows is None:
        origin: dict[str, Any] = {"made_by": "blemish", "key": key}
        with made_folder(folder, origin) as draft:
            rows = origin["painted"] = paint_into(draft, sources, names, seed, bit_depth)
    return [
        PaintedImage(row["number"], folder / row["path"], folder / row["mask"], row["defect_type"])
        for row in rows
    ]


def check_painters(names: Sequence[str]) -> list[str]:
    """The painters of these names; all of them, in their order, where none is named.

    Raises:
        UsageError: there is none of such a name, or one is named twice.
    """
    for name in names:
        if name not in DEFECT_PAINTERS:
            raise UsageError(f"There is no defect {name!r}: choose of {', '.join(DEFECT_PAINTERS)}.")
    if len(set(names)) < len(names):
        raise UsageError(f"{named(names)}: one of these defects is named twice; name it once.")
    return list(names) or list(DEFECT_PAINTERS)


def paint_into(
    draft: Path, sources: Sequence[Path], names: Sequence[str], seed: int, bit_depth: int
) -> list[dict[str, Any]]:
    """Paint a defect into each photograph; rows of position in `sources`, paths below `draft`, and defect type."""
    order = np.random.default_rng(seed).permutation(len(names))
    rows = []
    for number, source in enumerate(track(sources, "Painting defects")):
        rng = np.random.default_rng([seed, number])
        first = names[int(order[number % len(names)])]
        others = [names[place] for place in rng.permutation(len(names)) if names[place] != first]
        try:
            image = read_image(source, bit_depth=bit_depth)
        except ImageError:
            continue
        painted = _paint_first_visible(image, [first, *others], rng)
        if painted is None:
            continue
        kind, damaged, mask = painted
        name = f"{number:04d}-{source.stem[:80]}"
        image_path, mask_path = f"test/{kind}/{name}.png", f"ground_truth/{kind}/{name}_mask.png"
        write_image(draft / image_path, damaged)
        write_mask(draft / mask_path, mask)
        rows.append({"number": number, "path": image_path, "mask": mask_path, "defect_type": kind})
    return rows


def _paint_first_visible(
    image: ByteArray, names: Sequence[str], rng: np.random.Generator
) -> tuple[str, ByteArray, BoolArray] | None:
    """Name, damaged photograph and mask of the first painter whose defect can be seen on it."""
    for name in names:
        try:
            damaged, mask = DEFECT_PAINTERS[name](image, None, rng)
        except BlemishError:
            continue
        if bool((image == image[..., :1]).all()):  # colour in a grey photograph would give the defect away
            damaged = np.where(mask[..., None], monochrome(damaged), image)
        return name, damaged, mask
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
