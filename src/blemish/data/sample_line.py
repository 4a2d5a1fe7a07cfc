"""The sample line: a generated data set that every installation carries, for demos, tests, first steps.

Six categories in the MVTec AD layout with exact masks: three textures cut from real photographs, three drawn
parts.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blemish.core.errors import UsageError
from blemish.core.progress import task
from blemish.core.types import BoolArray, ByteArray
from blemish.data.defect_files import write_image, write_mask
from blemish.data.drawn_parts import PARTS, render_part
from blemish.data.folders import made_folder, refuse_foreign_folder
from blemish.data.synthetic import DEFECT_PAINTERS
from blemish.data.textures import TEXTURES, monochrome, render_texture

SAMPLE_CATEGORIES: tuple[str, ...] = (*TEXTURES, *PARTS)

# A busy surface hides what a plain one shows: (size, strength) of defects are multiplied so that a person
# sees each of them, and none jumps to the eye.
SEVERITY: dict[str, tuple[float, float]] = {
    "brick": (0.9, 0.75),
    "grass": (2.1, 1.5),
    "gravel": (2.1, 1.5),
    "washer": (0.75, 0.7),
}


@dataclass(frozen=True)
class SampleImage:
    """One image of the sample line: where it belongs, its pixels, and its mask (None for a good part)."""

    split: str
    kind: str
    index: int
    image: ByteArray
    mask: BoolArray | None


def write_sample_line(
    out: Path,
    categories: Sequence[str] = SAMPLE_CATEGORIES,
    train: int = 40,
    good: int = 16,
    per_defect_type: int = 4,
    size: int = 256,
    seed: int = 0,
) -> list[Path]:
    """Write the sample line in the MVTec AD layout, one folder per category.

    An image depends only on (seed, category, split, type, index, size): asking for more images never changes
    the others, and the same call writes the same bytes. A category made before is replaced as a whole.

    Args:
        out: folder for the categories' folders.
        categories: some of `SAMPLE_CATEGORIES`.
        train: good images to learn from, at least 1.
        good: good images to test with.
        per_defect_type: test images of each type in `DEFECT_PAINTERS`.
        size: side of the images in pixels, 64 to 2048.
        seed: 0 or above.

    Returns:
        The categories' folders, in the order asked for.

    Raises:
        UsageError: an unknown category, a number out of its range, or a category's folder that holds other
            files.
    """
    _check(categories, train, good, per_defect_type, size, seed)
    folders = [Path(out) / category for category in categories]
    for folder in folders:
        refuse_foreign_folder(folder)
    images = train + good + per_defect_type * len(DEFECT_PAINTERS)
    with task("Making the sample line", total=images * len(folders)) as advance:
        for category, folder in zip(categories, folders, strict=True):
            origin = {"made_by": "blemish sample", "category": category, "size": size, "seed": seed}
            with made_folder(folder, origin) as draft:
                for sample in sample_images(category, train, good, per_defect_type, size, seed):
                    _write(draft, sample)
                    advance(1)
    return folders


def sample_images(
    category: str, train: int, good: int, per_defect_type: int, size: int = 256, seed: int = 0
) -> Iterator[SampleImage]:
    """Make the images of one category, a few at a time; arguments as for `write_sample_line`."""
    wanted = [("train", "good", index) for index in range(train)]
    wanted += [("test", "good", index) for index in range(good)]
    wanted += [("test", kind, index) for kind in DEFECT_PAINTERS for index in range(per_defect_type)]
    workers = os.cpu_count() or 1
    # NumPy and OpenCV release the interpreter while they work, so threads are enough.
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(wanted), 4 * workers):
            group = wanted[start : start + 4 * workers]
            yield from pool.map(lambda what: _sample_image(category, what, size, seed), group)


def _sample_image(category: str, what: tuple[str, str, int], size: int, seed: int) -> SampleImage:
    split, kind, index = what
    # Randomness of one image, independent of how many others there are.
    rng = np.random.default_rng([seed, zlib.crc32(f"{category}/{split}/{kind}".encode()), index])
    if kind == "good":
        return SampleImage(split, kind, index, render_good(category, rng, size)[0], None)
    _, image, mask = render_defective(category, kind, rng, size)
    return SampleImage(split, kind, index, image, mask)


def render_good(
    category: str, rng: np.random.Generator, size: int = 256
) -> tuple[ByteArray, BoolArray | None]:
    """A photograph of a good part, uint8 `size` x `size` x 3, and its foreground (None: all of it)."""
    if category in TEXTURES:
        return render_texture(category, rng, size), None
    return render_part(category, rng, size)


def render_defective(
    category: str, kind: str, rng: np.random.Generator, size: int = 256
) -> tuple[ByteArray, ByteArray, BoolArray]:
    """A part before and after it was damaged, uint8 `size` x `size` x 3 both, and the damage's exact mask."""
    before, foreground = render_good(category, rng, size)
    painter = DEFECT_PAINTERS[kind]
    larger, stronger = SEVERITY.get(category, (1.0, 1.0))
    after, mask = painter(
        before,
        foreground,
        rng,
        size=(painter.size[0] * larger, painter.size[1] * larger),
        strength=(min(1.0, painter.strength[0] * stronger), min(1.0, painter.strength[1] * stronger)),
    )
    if category in TEXTURES:  # a coloured defect in a grey picture would give itself away
        after = np.where(mask[..., None], monochrome(after), before)
    return before, after, mask


def _write(folder: Path, sample: SampleImage) -> None:
    """Write image and mask as MVTec AD names them."""
    write_image(folder / sample.split / sample.kind / f"{sample.index:03d}.png", sample.image)
    if sample.mask is not None:
        name = f"{sample.index:03d}_mask.png"
        write_mask(folder / "ground_truth" / sample.kind / name, sample.mask)


def _check(
    categories: Sequence[str], train: int, good: int, per_defect_type: int, size: int, seed: int
) -> None:
    if not categories:
        raise UsageError(f"No category was asked for: choose some of {', '.join(SAMPLE_CATEGORIES)}.")
    for category in categories:
        if category not in SAMPLE_CATEGORIES:
            raise UsageError(
                f"The sample line has no category {category!r}: choose of {', '.join(SAMPLE_CATEGORIES)}."
            )
    limits = (
        ("train", train, 1, 100_000),
        ("good", good, 0, 100_000),
        ("per defect type", per_defect_type, 0, 100_000),
        ("size", size, 64, 2048),
        ("seed", seed, 0, 2**63 - 1),
    )
    for name, value, least, most in limits:
        if not least <= value <= most:
            raise UsageError(f"{name} {value} is out of range: give a whole number from {least} to {most}.")
