"""Copies: files that show one and the same photograph, whatever they are called and however they were saved.

The splits keep copies together, and of those with equal pixels one alone is learnt from. Two files are copies if their
pixels are equal, or if one is the other re-encoded: as JPEG, at another quality, at another size. What was cropped,
turned or brightened is another photograph here; `blemish explore` reports such pairs too.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.errors import BlemishError, CatalogError
from blemish.core.images import pixel_digest, read_image
from blemish.core.progress import track
from blemish.core.same_photograph import MOST_DIFFERENCE, SIGNATURE_SIDE, preview, same_picture, signature
from blemish.core.storage import file_digest
from blemish.core.types import ByteArray, FloatArray
from blemish.data.catalog import Catalog
from blemish.data.entries import ANOMALOUS, TRAIN, Problem, named

_PREVIEWS_KEPT = 1024
_BLOCK = 2048


def close_pairs(vectors: FloatArray, within: float) -> Iterator[tuple[int, int]]:
    """Pairs (first < second) of rows of float32 N x D whose Euclidean distance is at most `within`.

    All pairs are compared, by blocks: the time grows with the square of N, the memory does not.
    """
    squares = np.einsum("nd,nd->n", vectors, vectors)
    for row in range(0, len(vectors), _BLOCK):
        for column in range(row, len(vectors), _BLOCK):
            rows, columns = slice(row, row + _BLOCK), slice(column, column + _BLOCK)
            distances = squares[rows, None] + squares[None, columns] - 2 * vectors[rows] @ vectors[columns].T
            for i, j in zip(*np.nonzero(distances <= within**2), strict=True):
                if row + i < column + j:
                    yield row + int(i), column + int(j)


def equal_groups(paths: Sequence[Path], known: Mapping[Path, str] | None = None) -> npt.NDArray[np.intp]:
    """For each file the position of the first file with equal pixels; its own position if there is none.

    A file that cannot be decoded is a copy of those with the same bytes.

    Args:
        paths: the files.
        known: `pixel_digest` of those that have been decoded already; the others are decoded.
    """
    known = known or {}
    if unknown := [path for path in paths if path not in known]:
        known = {**known, **{path: _content_of_file(path) for path in track(unknown, "Looking for copies")}}
    return group_numbers([known[path] for path in paths])


def copy_groups(paths: Sequence[Path], bit_depth: int = 16) -> npt.NDArray[np.intp]:
    """For each file the position of the first file that is the same photograph; its own position if none is.

    Every file is decoded once, and once more where it may have a copy. Being a copy is passed on: if a second file is
    a copy of the first and a third of the second, all three are one group. A file that cannot be decoded is a copy of
    those with the same bytes.
    """
    contents: list[str] = []
    signatures: dict[int, ByteArray] = {}
    for position, path in enumerate(track(paths, "Looking for copies")):
        try:
            image = read_image(path, bit_depth=bit_depth)
        except BlemishError:
            contents.append(_bytes_of_file(path))
            continue
        contents.append(pixel_digest(image))
        signatures[position] = signature(image)
    groups = group_numbers(contents)
    firsts = [position for position in signatures if groups[position] == position]
    for one, other in _re_encoded([paths[first] for first in firsts], signatures, firsts, groups, bit_depth):
        kept, joined = sorted((groups[firsts[one]], groups[firsts[other]]))
        groups[groups == joined] = kept
    return groups


def counted_once(catalog: Catalog, contents: Mapping[Path, str]) -> Catalog:
    """The catalog with one training photograph of each content: the first with a mask, or else the first.

    A hundred copies of one photograph are one photograph, and would have themselves for neighbours. Those left out are
    `problems` of the kind "duplicate". Photographs of several defect types stand once for each of them.

    Args:
        catalog: one category.
        contents: what tells a photograph from others, as `pixel_digest` does; those without one are kept.

    Raises:
        CatalogError: a photograph is labelled good and defective.
    """
    first: dict[tuple[str, str], int] = {}
    labels: dict[str, int] = {}
    gone: set[int] = set()
    columns = (catalog.table[name].tolist() for name in ("path", "label", "defect_type", "mask"))
    paths, label, types, masks = columns
    for row in np.flatnonzero(catalog.table["split"] == TRAIN).tolist():
        content = contents.get(Path(paths[row]))
        if content is None:
            continue
        other = labels.setdefault(content, row)
        if label[other] != label[row]:
            good, bad = (other, row) if label[row] == ANOMALOUS else (row, other)
            raise CatalogError(
                f"{paths[good]} is labelled good and {paths[bad]} defective, and both show the same pixels: remove the "
                "wrong one."
            )
        kept = first.setdefault((content, types[row]), row)
        if kept == row:
            continue
        if masks[kept] is None and masks[row] is not None:
            first[content, types[row]], row = row, kept
        gone.add(row)
    if not gone:
        return catalog
    problems = []
    for row in sorted(gone):
        kept = first[contents[Path(paths[row])], types[row]]
        detail = f"it shows the same pixels as {paths[kept]} and counts once with it."
        problems.append(Problem("duplicate", paths[row], detail, other=paths[kept]))
    left = catalog.subset([row not in gone for row in range(len(catalog))])
    return replace(left, problems=(*catalog.problems, *problems))


def copies_in_words(copies: Sequence[Mapping[str, str]], count: int) -> str:
    """A sentence on photographs that count once: `path` of each left out, `same_as` of the one that is kept.

    Args:
        copies: at least one.
        count: different photographs.
    """
    names = sorted({Path(one[key]).name for one in copies for key in ("path", "same_as")})
    many = len({one[key] for one in copies for key in ("path", "same_as")})
    return (
        f"{many} photographs show the same pixels as others and count once, so {count} of {count + len(copies)} are "
        f"learnt from: {named(names)}."
    )


def group_numbers(keys: Sequence[Hashable]) -> npt.NDArray[np.intp]:
    """For each key the position of the first one equal to it."""
    first: dict[Hashable, int] = {}
    return np.array([first.setdefault(key, position) for position, key in enumerate(keys)], dtype=np.intp)


def _re_encoded(
    paths: Sequence[Path],
    signatures: dict[int, ByteArray],
    firsts: Sequence[int],
    groups: npt.NDArray[np.intp],
    bit_depth: int,
) -> Iterator[tuple[int, int]]:
    """Pairs of positions in `firsts` that are one photograph, while `groups` still has them apart."""
    if len(firsts) < 2:
        return
    # Smoothed, for sizes that differ are sampled at different places.
    smooth = [cv2.GaussianBlur(signatures[first].astype(np.float32), (0, 0), 1.0) for first in firsts]
    vectors: FloatArray = np.stack(smooth).reshape(len(firsts), -1).astype(np.float32)
    vectors -= vectors.mean(axis=0)  # smaller numbers, so that float32 squares stay exact enough

    @lru_cache(maxsize=_PREVIEWS_KEPT)
    def kept_preview(number: int) -> ByteArray:
        return preview(read_image(paths[number], bit_depth=bit_depth))

    for one, other in close_pairs(vectors, MOST_DIFFERENCE * SIGNATURE_SIDE):
        apart = groups[firsts[one]] != groups[firsts[other]]
        if apart and same_picture(kept_preview(one), kept_preview(other)):
            yield one, other


def _content_of_file(path: Path) -> str:
    """What tells a photograph from others: its pixels."""
    try:
        return pixel_digest(read_image(path))
    except BlemishError:
        return _bytes_of_file(path)


def _bytes_of_file(path: Path) -> str:
    """What tells a file that cannot be decoded from others: its bytes, or else its name."""
    try:
        return f"file {file_digest(path)}"
    except (BlemishError, OSError):
        return f"path {path}"
