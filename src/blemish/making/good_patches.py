"""What an inspector keeps of the good patches in its memory bank, so that it can show one beside a defect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import simplejpeg

from blemish.core.file_names import shown
from blemish.core.images import read_image, upright_size
from blemish.core.progress import say, track
from blemish.core.types import ByteArray
from blemish.detectors.bank_sources import BankSources
from blemish.detectors.base import Detector
from blemish.evaluation.result import image_name
from blemish.features.pixels import PixelCache
from blemish.line.artifact import array_content
from blemish.line.good_patches import (
    BANK,
    CELL,
    CELLS,
    NORMAL_PATCHES,
    PICTURES,
    SHEET,
    SOURCES,
    BankPhotograph,
    BankRecord,
    window,
)
from blemish.making.reading import Readable
from blemish.view.preprocessing import Preprocessing, look

MOST_BYTES = 3_000_000
"""Of all pictures."""

TRIED = ((96, 85), (80, 85), (64, 80), (48, 75), (32, 75))
"""Sides of the picture around each patch, in pixels of the network's input, and qualities of JPEG: the first whose
pictures are small enough. A side of 96 is a fifth of the usual input, so that one sees which place it is."""

_MOST_CELLS = 200_000
"""Held at once, 150 MB; of so many no sheets are small enough anyway."""

Cell = tuple[int, int, int, int]


@dataclass(frozen=True)
class _Origin:
    """A photograph: its path, where what was learnt from lies in it (x, y, width and height), and its own size."""

    path: Path
    box: tuple[int, int, int, int]


def bank_members(
    detector: Detector, readable: Readable, farthest: Sequence[float], pictures: bool = True
) -> dict[str, bytes]:
    """Members that say where each vector of the memory bank is from, and show it; none of a detector without one.

    Args:
        detector: fitted.
        readable: what it was fitted on.
        farthest: largest distance of a patch in each good photograph as if unseen; empty where that is not known.
        pictures: whether they show it, too.

    Raises:
        ImageError: a photograph is gone.
    """
    sources = detector.bank_sources()
    if sources is None:
        return {}
    contract = detector.preprocessing()
    origins = _origins(detector, readable)
    owners, numbers = np.unique(sources.owners, return_inverse=True)
    seen = sorted({int(copy) for copy in sources.places[:, 0]} - {0})
    copy_numbers = {0: 0} | {copy: number for number, copy in enumerate(seen, 1)}
    stride = (contract.width - 2 * sources.margin) / sources.grid[1]
    middles = np.floor(sources.margin + (sources.places[:, :0:-1] + 0.5) * stride).astype(np.int64)
    rows = np.zeros((len(numbers), 6), np.int32)
    rows[:, 0] = numbers
    rows[:, 3] = [copy_numbers[copy] for copy in sources.places[:, 0].tolist()]
    rows[:, 4:] = middles
    photographs = []
    for number, owner in enumerate(owners.tolist()):
        file = sources.paths[owner]
        origin = origins.get(file) or _Origin(file, (0, 0, *upright_size(file)))
        mine = np.flatnonzero(numbers == number)
        ways = [
            sources.copies[copy].way_back(contract.width, contract.height, stride)
            for copy in sources.places[mine, 0]
        ]
        places = np.array(
            [way[:, :2] @ place + way[:, 2] for way, place in zip(ways, middles[mine], strict=True)]
        )
        rows[mine, 1:3], scale = _on_photograph(places, origin, file, contract)
        name = shown(image_name(origin.path, readable.catalog.root))
        name = re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", name)[-200:]
        photographs.append(BankPhotograph(name=name, digest=readable.digests[str(origin.path)], scale=scale))
    words = tuple(str(sources.copies[copy]) for copy in seen)
    record = BankRecord(photographs=tuple(photographs), copies=words, margin=sources.margin)
    members = {SOURCES: array_content(rows)}
    if farthest:
        members[NORMAL_PATCHES] = array_content(np.sort(np.asarray(farthest, np.float32)))
    if pictures and (kept := _pictures(sources, owners, seen, rows, contract, stride)) is not None:
        cells, sheets, side = kept
        record = record.model_copy(update={"side": side, "sheets": tuple(map(len, sheets))})
        members[CELLS] = array_content(np.asarray(cells, np.int32))
        members[PICTURES] = array_content(np.frombuffer(b"".join(sheets), np.uint8))
    return members | {BANK: record.model_dump_json().encode()}


def _origins(detector: Detector, readable: Readable) -> dict[Path, _Origin]:
    """Of each file of a part the photograph it was cut out of; nothing where photographs are learnt from whole."""
    if detector.cuts is None:
        return {}
    found = {}
    for path in readable.catalog.train_normal():
        cut, size = detector.cuts.photograph(path), upright_size(path)
        for file, box in zip(cut.files, cut.found.boxes, strict=True):
            across, down = size[0] / cut.found.size[0], size[1] / cut.found.size[1]
            where = box.x * across, box.y * down, box.width * across, box.height * down
            left, top, width, height = map(round, where)
            found[file] = _Origin(path, (left, top, width, height))
    return found


def _on_photograph(
    places: npt.NDArray[np.float64], origin: _Origin, file: Path, contract: Preprocessing
) -> tuple[npt.NDArray[np.int32], float]:
    """Places on the network's input in pixels of the photograph, N x 2, and how many of these one of the input's is."""
    within = places / (contract.width, contract.height)
    if contract.view is not None and contract.view.alignment is not None:
        way = look(read_image(file, bit_depth=contract.bit_depth), contract).to_photograph
        within = within if way is None else within @ way[:, :2].T + way[:, 2]
    left, top, width, height = origin.box
    whole = np.rint(within * (width, height) + (left, top))
    scale = np.sqrt(width / contract.width * height / contract.height)
    return np.clip(whole, 0, 2**30 - 1).astype(np.int32), float(scale)


def _pictures(
    sources: BankSources,
    owners: npt.NDArray[np.int64],
    copies: Sequence[int],
    rows: npt.NDArray[np.int32],
    contract: Preprocessing,
    stride: float,
) -> tuple[list[Cell], list[bytes], int] | None:
    """Cells around all patches, the sheets of their pixels, and the side that they reach; None where no side is small
    enough."""
    pixels: dict[Cell, ByteArray] | None = None
    for side, quality in TRIED:
        wanted = cells_around(rows, side, contract)
        if len(wanted) > _MOST_CELLS:
            continue
        if pixels is None:  # the first side that can be held is the largest of those that are tried
            pixels = dict(_cut(sources, owners, copies, wanted, contract, stride))
        sheets = list(sheets_of([pixels[cell] for cell in wanted], quality))
        if sum(map(len, sheets)) <= MOST_BYTES:
            return wanted, sheets, side
    say(
        f"No pictures of good patches are kept, as those of {len(rows):,} take more than {MOST_BYTES / 1e6:.3g} MB: "
        "choose a smaller bank to have them shown beside defects."
    )
    return None


def cells_around(rows: npt.NDArray[np.int32], side: int, contract: Preprocessing) -> list[Cell]:
    """Numbers of photograph and copy, row and column of all cells within so many pixels of the patches, sorted."""
    found: set[Cell] = set()
    for photograph, _, _, copy, x, y in rows.tolist():
        left, wide = window(x, side, contract.width)
        top, high = window(y, side, contract.height)
        found.update(
            (photograph, copy, row, column)
            for row in range(top // CELL, -(-(top + high) // CELL))
            for column in range(left // CELL, -(-(left + wide) // CELL))
        )
    return sorted(found)


def _cut(
    sources: BankSources,
    owners: npt.NDArray[np.int64],
    copies: Sequence[int],
    wanted: Sequence[Cell],
    contract: Preprocessing,
    stride: float,
) -> Iterator[tuple[Cell, ByteArray]]:
    """The pixels of cells, uint8 16 x 16 x 3 each; each photograph is read once."""
    of_copy: dict[int, dict[int, list[Cell]]] = {}
    for cell in wanted:
        of_copy.setdefault(cell[0], {}).setdefault(cell[1], []).append(cell)
    cache = PixelCache()
    for photograph, theirs in track(of_copy.items(), "Keeping pictures of good patches", len(of_copy)):
        picture = cache.read(sources.paths[owners[photograph]], contract)
        yield from _cells_of(picture, theirs, sources, copies, stride)


def _cells_of(
    picture: ByteArray,
    wanted: Mapping[int, Sequence[Cell]],
    sources: BankSources,
    copies: Sequence[int],
    stride: float,
) -> Iterator[tuple[Cell, ByteArray]]:
    for number, cells in wanted.items():
        copy = picture if number == 0 else sources.copies[copies[number - 1]].of(picture, stride)
        height, width = copy.shape[:2]
        whole = np.pad(copy, ((0, -height % CELL), (0, -width % CELL), (0, 0)), mode="edge")
        for cell in cells:
            row, column = CELL * cell[2], CELL * cell[3]
            yield cell, whole[row : row + CELL, column : column + CELL].copy()


def sheets_of(cells: Sequence[ByteArray], quality: int) -> Iterator[bytes]:
    """Cells side by side, row by row, in JPEG."""
    for start in range(0, len(cells), SHEET**2):
        some = cells[start : start + SHEET**2]
        rows = -(-len(some) // SHEET)
        filled = np.zeros((rows * SHEET, CELL, CELL, 3), np.uint8)
        filled[: len(some)] = some
        sheet = filled.reshape(rows, SHEET, CELL, CELL, 3).swapaxes(1, 2)
        pixels = np.ascontiguousarray(sheet.reshape(rows * CELL, SHEET * CELL, 3))
        # With fewer colours than pixels a decoder would mix those of neighbours, which are of other places.
        yield simplejpeg.encode_jpeg(pixels, quality, "RGB", "444", fastdct=False)
