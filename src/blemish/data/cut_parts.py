"""Photographs of several like parts as files of one part each, for those who learn from files."""

from __future__ import annotations

import os
import shutil
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from blemish.core.ahead import look_ahead
from blemish.core.errors import CatalogError
from blemish.core.images import read_image, read_mask
from blemish.core.progress import track
from blemish.core.settings import cache_folder, cache_limit_bytes
from blemish.core.storage import write_error
from blemish.core.types import ByteArray
from blemish.data.catalog import Catalog
from blemish.data.defect_files import write_image, write_mask
from blemish.data.entries import NORMAL, TEST
from blemish.view.parts import Split, cut_out, split
from blemish.view.view import View

_PREFIX = "parts-"
_LEFT_BEHIND = 7 * 24 * 3600
"""Seconds after which a folder is what a killed process has left."""


@dataclass(frozen=True)
class CutPhotograph:
    """The parts of one photograph: a file of each, and where they are."""

    files: tuple[Path, ...]
    found: Split


@dataclass(frozen=True)
class CutCatalog:
    """A catalog of parts.

    Attributes:
        catalog: a row for each part, those of a photograph one `group`.
        rows: for each part the row of its photograph.
    """

    catalog: Catalog
    rows: npt.NDArray[np.intp]


class CutParts:
    """Cuts photographs into files, lossless, which lie in the cache's folder for as long as this object lives.

    Attributes:
        view: with several parts in a photograph.
        bit_depth: bits that 16-bit photographs really use.
    """

    def __init__(self, view: View, bit_depth: int) -> None:
        assert view.parts is not None
        self.view, self.bit_depth, self._parts = view, bit_depth, view.parts
        self._folder: Path | None = None
        self._known: dict[tuple[Path, int, int], CutPhotograph] = {}
        self._bytes = self._number = 0
        self._lock = threading.Lock()

    def photograph(self, path: Path) -> CutPhotograph:
        """The parts of a photograph, cut once.

        Raises:
            ImageError: it cannot be read, or shows no part.
            CatalogError: all parts together are larger than the cache may be.
            BlemishError: they cannot be written.
        """
        key = _state_of(path)
        if key not in self._known:
            self._known[key] = self._written(path)
        return self._known[key]

    @contextmanager
    def passing(self, path: Path) -> Iterator[CutPhotograph]:
        """The parts of a photograph; where it was not cut before, their files are gone behind the context.

        Raises:
            ImageError, CatalogError, BlemishError: as `photograph`.
        """
        known = self._known.get(_state_of(path))
        cut = known or self._written(path)
        try:
            yield cut
        finally:
            if known is None:
                for file in cut.files:
                    with self._lock:
                        self._bytes -= file.stat().st_size
                    file.unlink()

    def catalog(self, catalog: Catalog) -> CutCatalog:
        """The parts of all photographs but those for testing.

        Of a good photograph all parts are good. Of a defective one those are defective that its mask shows, and the
        others are left out; without a mask it is its only part.

        Raises:
            ImageError, BlemishError: as `photograph`.
            CatalogError: as `photograph`; or of a defective photograph nothing says which part is.
        """
        kept = np.flatnonzero(catalog.table["split"].to_numpy(dtype=str) != TEST)
        table = catalog.table.iloc[kept]
        paths = [Path(path) for path in table["path"]]
        cut = look_ahead(self.photograph, paths)
        lines: list[dict[str, Any]] = []
        rows: list[int] = []
        records = table.to_dict("records")
        for row, record, one in zip(
            kept.tolist(), records, track(cut, "Cutting parts out", len(paths)), strict=True
        ):
            for line in self._lines({str(name): value for name, value in record.items()}, one):
                lines.append(line)
                rows.append(row)
        columns = [*catalog.table.columns, *(["group"] if "group" not in catalog.table else [])]
        made = pd.DataFrame(lines, columns=columns, dtype=object)
        return CutCatalog(replace(catalog, table=made), np.asarray(rows, np.intp))

    def _lines(self, record: dict[str, Any], cut: CutPhotograph) -> Iterator[dict[str, Any]]:
        """Rows of the parts of one photograph."""
        record = {"group": f"photograph {record['path']}", **record}
        if record["label"] == NORMAL:
            yield from (record | {"path": str(file)} for file in cut.files)
        elif isinstance(record["mask"], str):
            yield from self._defective(record, cut)
        elif len(cut.files) == 1:
            yield record | {"path": str(cut.files[0])}
        else:
            raise CatalogError(
                f"{record['path']} is defective and shows {len(cut.files)} parts, and nothing says which of them is: "
                "give it a mask, or photograph defective parts alone."
            )

    def _defective(self, record: dict[str, Any], cut: CutPhotograph) -> Iterator[dict[str, Any]]:
        """Rows of the parts that a mask shows, with masks of their own."""
        whole = read_mask(Path(record["mask"]))
        found = self._split(read_image(Path(record["path"]), bit_depth=self.bit_depth), Path(record["path"]))
        size = found.size
        picture = cv2.resize(whole.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT).astype(
            np.uint8
        )
        # Neither neighbours nor what lies beyond the border is defective: no colour of the ground is written.
        found = replace(found, ground=(0, 0, 0))
        for file, mask in zip(
            cut.files, cut_out(np.repeat(picture[..., None], 3, axis=2), found), strict=True
        ):
            if mask.any():
                place = self._place()
                self._write(place, mask[..., 0] > 0)
                yield record | {"path": str(file), "mask": str(place)}

    def _written(self, path: Path) -> CutPhotograph:
        image = read_image(path, bit_depth=self.bit_depth)
        found = self._split(image, path)
        files = []
        for part in cut_out(image, found):
            place = self._place()
            self._write(place, part)
            files.append(place)
        # Labels are as large as a picture, and not needed to put maps back.
        return CutPhotograph(tuple(files), replace(found, labels=None, owners=()))

    def _split(self, image: ByteArray, path: Path) -> Split:
        return split(image, self._parts, self.view.photograph, str(path))

    def _write(self, place: Path, pixels: npt.NDArray[Any]) -> None:
        try:
            write_mask(place, pixels) if pixels.dtype == np.bool_ else write_image(place, pixels)
            with self._lock:
                self._bytes += place.stat().st_size
        except OSError as error:
            raise write_error(place, error) from error
        if self._bytes > cache_limit_bytes():
            raise CatalogError(
                f"The parts that are cut out take more than the {cache_limit_bytes() / 1e9:.3g} GB that the cache may: "
                "set BLEMISH_CACHE_GB to more, or learn from fewer photographs."
            )

    def _place(self) -> Path:
        """A name for a file that is not there yet; names sort as they were given."""
        with self._lock:
            if self._folder is None:
                self._folder = _new_folder()
                weakref.finalize(self, _remove, self._folder, os.getpid())
            self._number += 1
            return self._folder / f"{self._number:09d}.png"


def _remove(folder: Path, owner: int) -> None:
    """Remove a folder with the process that made it; one that was forked off it leaves it alone."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _new_folder() -> Path:
    """A folder among the caches, from which those are gone that killed processes have left."""
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob(f"{_PREFIX}*"):
            if time.time() - old.stat().st_mtime > _LEFT_BEHIND:
                shutil.rmtree(old, ignore_errors=True)
        return Path(mkdtemp(prefix=_PREFIX, dir=cache))
    except OSError as error:
        raise write_error(cache, error) from error


def _state_of(path: Path) -> tuple[Path, int, int]:
    """What says that a file is still the same."""
    try:
        status = path.stat()
    except OSError:
        return path, 0, 0
    return path, status.st_mtime_ns, status.st_size
