"""What an artifact keeps of the good patches in its memory bank: where each was seen, and pictures of them.

Pictures are cells of 16 x 16 pixels of what the network saw, each once however many patches it is beside, in sheets of
JPEG, with colours at full scale: so neighbours on a sheet, which are of other places, do not run into each other.
"""

from __future__ import annotations

import functools
import threading
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import FailFast, Field, ValidationError, model_validator

from blemish.core.errors import ArtifactError, ImageError, UsageError
from blemish.core.execution import Execution
from blemish.core.images import DecodeLimits, decode_image
from blemish.core.network import CompiledNetwork
from blemish.core.records import Record, Sha256, Text
from blemish.core.types import ByteArray, FloatArray
from blemish.line.artifact import MODEL, NEAREST, Artifact
from blemish.view.preprocessing import Preprocessing
from blemish.view.tiles import stitched

BANK = "bank.json"
SOURCES = "bank_sources.npy"
"""Of each vector of the bank: the number of its photograph; the middle of its patch there, x and y in pixels; the
number of the copy, 0 for the photograph itself; the middle of the patch on what the network saw of that, x and y."""

PICTURES = "good_patches.npy"
CELLS = "good_patch_cells.npy"
"""Of each cell in the pictures, in their order: the numbers of photograph and copy, and row and column there."""

NORMAL_PATCHES = "normal_patches.npy"
"""The largest distance of a patch in each good photograph as if unseen, sorted upwards."""

CELL = 16
SHEET = 64
"""Cells in each row of a sheet, and rows of a whole one."""

_MOST_SHEETS = 256
_NOTHING = 128
_SHEET_LIMITS = DecodeLimits(max_bytes=2**25, max_pixels=(CELL * SHEET) ** 2)


class BankPhotograph(Record):
    """A photograph that vectors of the bank are from.

    Attributes:
        name: as it was called.
        digest: SHA-256 of its file.
        scale: its pixels for each pixel of the network's input.
    """

    name: Text
    digest: Sha256
    scale: float = Field(gt=0, le=1e6, allow_inf_nan=False)


class BankRecord(Record):
    """The member `bank.json`.

    Attributes:
        photographs: those that vectors are from, which `bank_sources.npy` has the numbers of.
        copies: how each copy of a photograph was made, from number 1 on.
        margin: pixels of the network's input around what its patches cover.
        side: of the picture around each patch, in pixels of the network's input; 0 where there are no pictures.
        sheets: bytes of each sheet in `good_patches.npy`.
    """

    photographs: Annotated[tuple[BankPhotograph, ...], FailFast(), Field(min_length=1, max_length=100_000)]
    copies: Annotated[tuple[Text, ...], FailFast(), Field(max_length=10_000)] = ()
    margin: int = Field(0, ge=0, le=16_384)
    side: int = Field(0, ge=0, le=1024)
    sheets: Annotated[tuple[int, ...], FailFast(), Field(max_length=_MOST_SHEETS)] = ()

    @model_validator(mode="after")
    def _check_sheets(self) -> BankRecord:
        if bool(self.side) != bool(self.sheets) or any(size < 1 for size in self.sheets):
            raise ValueError("sheets and the side of their pictures belong together")
        return self


class GoodPatches:
    """The good patches of an artifact, opened when first asked for; safe to use from several threads."""

    def __init__(self, artifact: Artifact, threads: int | None = None) -> None:
        names = (BANK, SOURCES, PICTURES, CELLS, NORMAL_PATCHES, MODEL)
        kept = {name: artifact.members[name] for name in names if name in artifact.members}
        self._artifact = Artifact(artifact.path, artifact.manifest, kept if BANK in kept else {})
        self._threads = threads
        self._lock = threading.Lock()

    @property
    def known(self) -> bool:
        """Whether the artifact holds any."""
        return BANK in self._artifact.members

    @property
    def path(self) -> Any:
        """Of the artifact."""
        return self._artifact.path

    @functools.cached_property
    def record(self) -> BankRecord:
        """What the artifact says of its bank.

        Raises:
            UsageError: it has none.
            ArtifactError: it is not valid.
        """
        if not self.known:
            raise UsageError(
                f"{self.path} holds no good patches to show beside a defect: fit a detector with a memory bank "
                "(patchcore, knn or few-shot) with this version of Blemish."
            )
        try:
            return BankRecord.model_validate_json(self._artifact.members[BANK])
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise self._unusable(f"{BANK} is not valid, {first['msg']}") from error

    @functools.cached_property
    def sources(self) -> npt.NDArray[np.int32]:
        """The member `bank_sources.npy`, int32 N x 6.

        Raises:
            ArtifactError: it is absent, or names what is not there.
        """
        record, found = self.record, self._artifact.array(SOURCES)
        if (found.dtype, found.ndim, found.shape[1:]) != (np.dtype("<i4"), 2, (6,)) or not len(found):
            raise self._unusable(f"{SOURCES} is not six numbers a vector")
        most = (len(record.photographs), 2**30, 2**30, len(record.copies) + 1, 2**15, 2**15)
        if (found < 0).any() or (found >= most).any():
            raise self._unusable(f"{SOURCES} names what is not there")
        return found

    @functools.cached_property
    def normal(self) -> FloatArray | None:
        """The member `normal_patches.npy`; None where it is absent.

        Raises:
            ArtifactError: it is not sorted distances.
        """
        if NORMAL_PATCHES not in self._artifact.members:
            return None
        found = self._artifact.array(NORMAL_PATCHES)
        plain = (found.dtype, found.ndim) == (np.dtype("<f4"), 1) and len(found) > 0
        if not plain or not np.isfinite(found).all() or (np.diff(found) < 0).any():
            raise self._unusable(f"{NORMAL_PATCHES} is not sorted distances")
        return np.asarray(found, np.float32)

    def nearest(self, given: FloatArray | ByteArray, contract: Preprocessing) -> FloatArray:
        """Distance of each patch and number of the nearest vector, 2 x h x w, of what the network is given.

        Args:
            given: of `blemish.line.rows.NetworkInput`.
            contract: of that.

        Raises:
            ArtifactError: the graph cannot say.
        """
        with self._lock:
            network = self._network
            if contract.tiled:
                found = stitched(network.each, np.asarray(given, np.uint8), contract)[0]
            else:
                found = network(np.asarray(given, np.float32)[None])[0][0]
        numbers = found[1]
        if not np.isfinite(found).all() or numbers.min() < 0 or numbers.max() >= len(self.sources):
            raise self._unusable(f"{SOURCES} does not belong to its {MODEL}")
        return np.asarray(found, np.float32)

    def picture(self, photograph: int, copy: int, x: int, y: int) -> tuple[ByteArray, int, int] | None:
        """What the network saw around a place of one copy of a photograph, and where that begins.

        Args:
            photograph, copy: numbers.
            x, y: the place, in pixels of the network's input.

        Returns:
            uint8 RGB, `side` x `side` x 3 or less at the picture's own size, with left and top in pixels of the
            input; None where no pictures were kept.

        Raises:
            ArtifactError: pictures cannot be read.
        """
        side = self.record.side
        if not side:
            return None
        contract = self._artifact.manifest.preprocessing.of_part
        left, wide = window(x, side, contract.width)
        top, high = window(y, side, contract.height)
        rows = range(top // CELL, -(-(top + high) // CELL))
        columns = range(left // CELL, -(-(left + wide) // CELL))
        whole = np.full((len(rows) * CELL, len(columns) * CELL, 3), _NOTHING, np.uint8)
        for row in rows:
            for column in columns:
                number = self._cells.get((photograph, copy, row, column))
                if number is not None:
                    down, right = (row - rows.start) * CELL, (column - columns.start) * CELL
                    whole[down : down + CELL, right : right + CELL] = self._cell(number)
        down, right = top - rows.start * CELL, left - columns.start * CELL
        return np.ascontiguousarray(whole[down : down + high, right : right + wide]), left, top

    @functools.cached_property
    def _network(self) -> CompiledNetwork:
        try:
            network = CompiledNetwork(
                self._artifact.content(MODEL), Execution(threads=self._threads), (NEAREST,)
            )
            (shape,) = network.outputs.values()
        except RuntimeError as error:
            raise self._unusable(str(error).splitlines()[0]) from error
        if len(shape) != 4 or shape[:2] != (1, 2):
            raise self._unusable(f"its {MODEL} does not say which patches are nearest")
        return network

    @functools.cached_property
    def _cells(self) -> dict[tuple[int, ...], int]:
        """Number of each cell by photograph, copy, row and column."""
        cells, pictures = self._artifact.array(CELLS), self._artifact.array(PICTURES)
        if (cells.dtype, cells.ndim, cells.shape[1:]) != (np.dtype("<i4"), 2, (4,)):
            raise self._unusable(f"{CELLS} is not four numbers a cell")
        if (pictures.dtype, pictures.shape) != (np.dtype("u1"), (sum(self.record.sheets),)):
            raise self._unusable(f"{PICTURES} is not the sheets that {BANK} tells of")
        if -(-len(cells) // SHEET**2) != len(self.record.sheets):
            raise self._unusable(f"{CELLS} does not belong to its sheets")
        return {tuple(cell): number for number, cell in enumerate(cells.tolist())}

    def _cell(self, number: int) -> ByteArray:
        """The pixels of a cell, uint8 16 x 16 x 3."""
        sheet, place = divmod(number, SHEET**2)
        row, column = (CELL * one for one in divmod(place, SHEET))
        pixels = self._sheet(sheet)
        if row + CELL > pixels.shape[0] or column + CELL > pixels.shape[1]:
            raise self._unusable(f"a sheet of {PICTURES} is too small")
        return pixels[row : row + CELL, column : column + CELL]

    def _sheet(self, number: int) -> ByteArray:
        with self._lock:
            if number not in self._sheets:
                start = sum(self.record.sheets[:number])
                content = self._artifact.array(PICTURES)[start : start + self.record.sheets[number]].tobytes()
                try:
                    self._sheets[number] = decode_image(content, PICTURES, _SHEET_LIMITS)
                except ImageError as error:
                    raise self._unusable(f"a sheet of {PICTURES} cannot be read: {error.detail}") from error
                for old in list(self._sheets)[:-4]:  # 3 MB each
                    del self._sheets[old]
            return self._sheets[number]

    @functools.cached_property
    def _sheets(self) -> dict[int, ByteArray]:
        return {}

    def _unusable(self, cause: str) -> ArtifactError:
        return ArtifactError(f"{self.path} cannot be used to show good patches ({cause}): fit it anew.")


def window(middle: int, side: int, length: int) -> tuple[int, int]:
    """Where a window of `side` pixels about a place begins, inwards at the border of `length`, and how long it is."""
    side = min(side, length)
    return min(max(middle - side // 2, 0), length - side), side
