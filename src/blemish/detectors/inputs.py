"""What detectors take: a folder, paths, images in memory or a catalog, all of which become files of a catalog."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pandas as pd

from blemish.core.errors import UsageError
from blemish.core.image_files import is_photograph
from blemish.core.image_inputs import ImageInput, is_image, pixels_of
from blemish.core.pictures import encoded
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.entries import GOOD, NORMAL, TRAIN
from blemish.data.readable import photographs_in

ImageInputs: TypeAlias = "ImageInput | Sequence[ImageInput] | Catalog"
"""A folder or manifest, one photograph, several, or a catalog."""


@contextmanager
def catalog_of(data: ImageInputs, bit_depth: int = 16) -> Iterator[Catalog]:
    """What is to be learnt from, as a catalog; images in memory lie in a folder for as long as the context lasts.

    Args:
        data: a catalog, as it is; a folder in any layout or a manifest, opened; or photographs of good parts, all of
            them for training.
        bit_depth: bits that 16-bit photographs really use.

    Raises:
        CatalogError: a folder that cannot be learnt from.
        ImageError: an image in memory cannot be used.
        UsageError: what was given is no photograph.
    """
    if isinstance(data, Catalog):
        yield data
    elif isinstance(data, str | Path) and not is_photograph(data):
        yield open_catalog(data)
    else:
        with files_of([data] if is_image(data) else data, bit_depth) as paths:
            yield _good_parts(paths)


@contextmanager
def files_of(images: ImageInputs, bit_depth: int = 16) -> Iterator[list[Path]]:
    """Photographs as files, in their order: those in memory are written, for as long as the context lasts.

    Equal pixels give equal files, losslessly, so caches know them again. Of a catalog and of a folder it is every
    photograph.

    Raises:
        ImageError: an image in memory cannot be used.
        UsageError: what was given is no photograph, or a folder cannot be listed.
    """
    with ExitStack() as kept:
        if isinstance(images, Catalog):
            yield [Path(path) for path in images.table["path"]]
        elif isinstance(images, str | Path):
            yield photographs_in(Path(images)) if Path(images).is_dir() else [Path(images)]
        else:
            folder: Path | None = None
            paths = []
            for number, image in enumerate(_several(images)):
                if not isinstance(image, str | Path):
                    folder = folder or Path(kept.enter_context(TemporaryDirectory(prefix="blemish-")))
                    image = _written(image, number, folder, bit_depth)
                paths.append(Path(image))
            yield paths


def is_several(images: ImageInputs) -> bool:
    """Whether there are several photographs, or a folder of them, rather than one."""
    return not is_image(images) or (isinstance(images, str | Path) and Path(images).is_dir())


def _good_parts(paths: Sequence[Path]) -> Catalog:
    """Photographs of good parts, all of them for training, as a catalog of the layout "images"."""
    files = sorted(str(path.absolute()) for path in paths)
    root = Path(os.path.commonpath([Path(file).parent for file in files])) if files else Path.cwd()
    table = pd.DataFrame({"path": files}, dtype=object)  # names need not be UTF-8
    table["split"], table["label"], table["defect_type"] = TRAIN, NORMAL, GOOD
    table["mask"] = pd.Series([None] * len(files), dtype=object)
    return Catalog("images", root, "images", table)


def _several(images: object) -> Iterable[ImageInput]:
    if is_image(images):
        return [images]
    if isinstance(images, Iterable):
        return images
    raise UsageError(
        f"A {type(images).__name__} holds no photographs: give a folder, paths, PIL images, uint8 arrays or a catalog."
    )


def _written(image: ImageInput, number: int, folder: Path, bit_depth: int) -> Path:
    """A file of an image in memory, named so that files sort as the images were given."""
    content = encoded(pixels_of(image, f"image {number}", bit_depth), ".png")
    path = folder / f"{number:06d}-{hashlib.sha256(content).hexdigest()[:12]}.png"
    path.write_bytes(content)
    return path
