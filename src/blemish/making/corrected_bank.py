"""What an artifact keeps of its good patches, with those of corrected photographs behind them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from blemish.core.types import ByteArray
from blemish.line.artifact import Artifact, array_content
from blemish.line.good_patches import (
    BANK,
    CELL,
    CELLS,
    PICTURES,
    SHEET,
    SOURCES,
    BankPhotograph,
    BankRecord,
    GoodPatches,
)
from blemish.making.corrected_goods import ReadPhotograph
from blemish.making.good_patches import cells_around, sheets_of
from blemish.view.preprocessing import Preprocessing

_QUALITY = 75
_FILLER = (-1, -1, -1, -1)
"""Of a cell that nobody asks for: it fills a sheet, so that the next begins with the next cell."""


def with_corrected(artifact: Artifact, photographs: Sequence[ReadPhotograph]) -> dict[str, bytes]:
    """Members that say where the patches of corrected photographs are from, behind the others; none without any.

    Args:
        artifact: the inspector that is learnt from.
        photographs: those whose `added` patches stand behind the bank, in this order.
    """
    adding = [one for one in photographs if len(one.added)]
    if BANK not in artifact.members or not adding:
        return {}
    good = GoodPatches(artifact)
    record, contract = good.record, artifact.manifest.preprocessing
    first = len(record.photographs)
    rows, entries = [], []
    for number, one in enumerate(adding, first):
        found, scale = _rows(one, number, record, contract)
        rows.append(found)
        entries.append(
            BankPhotograph(
                name=one.correction.photograph.name[-200:],
                digest=one.correction.photograph.digest,
                scale=scale,
            )
        )
    added = np.concatenate(rows)
    members = {SOURCES: array_content(np.concatenate([good.sources, added]).astype(np.int32))}
    record = record.model_copy(update={"photographs": (*record.photographs, *entries)})
    if record.side:
        wanted = cells_around(added, record.side, contract)
        pixels = [_cell(adding[cell[0] - first], cell[2], cell[3]) for cell in wanted]
        sheets = list(sheets_of(pixels, _QUALITY))
        before = artifact.array(CELLS)
        filler = np.tile(np.asarray(_FILLER, np.int32), (-len(before) % SHEET**2, 1))
        cells = np.concatenate([before, filler, np.asarray(wanted, np.int32)])
        joined = np.concatenate([artifact.array(PICTURES), np.frombuffer(b"".join(sheets), np.uint8)])
        record = record.model_copy(update={"sheets": (*record.sheets, *map(len, sheets))})
        members |= {CELLS: array_content(cells), PICTURES: array_content(joined)}
    return members | {BANK: record.model_dump_json().encode()}


def _rows(
    one: ReadPhotograph, number: int, record: BankRecord, contract: Preprocessing
) -> tuple[npt.NDArray[np.int32], float]:
    """Where the added patches of a photograph are, as `bank_sources.npy` has it, N x 6; and the photograph's scale."""
    grid = one.patches.distances.shape
    stride = (contract.width - 2 * record.margin) / grid[1]
    places = np.stack(np.divmod(one.added, grid[1])[::-1], 1)
    middles = np.floor(record.margin + (places + 0.5) * stride)
    within = middles / (contract.width, contract.height)
    way = one.look.to_photograph
    within = within if way is None else within @ way[:, :2].T + way[:, 2]
    on_photograph = np.clip(np.rint(within * one.size), 0, 2**30 - 1)
    rows = np.zeros((len(one.added), 6), np.int32)
    rows[:, 0], rows[:, 1:3], rows[:, 4:] = number, on_photograph, middles
    scale = np.sqrt(one.size[0] / contract.width * one.size[1] / contract.height)
    return rows, float(scale)


def _cell(one: ReadPhotograph, row: int, column: int) -> ByteArray:
    """Pixels of a cell of what the network saw, uint8 16 x 16 x 3."""
    picture = one.look.picture
    top, left = row * CELL, column * CELL
    part = picture[top : top + CELL, left : left + CELL]
    missing = (0, CELL - part.shape[0]), (0, CELL - part.shape[1]), (0, 0)
    return np.pad(part, missing, mode="edge")
