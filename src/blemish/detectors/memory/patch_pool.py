"""Patches of good images, gathered in bounded memory, and the memory bank chosen among them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from blemish.core.ahead import look_ahead
from blemish.core.progress import task, track
from blemish.core.types import ByteArray
from blemish.detectors.augmentation import COPIES, Augmentation
from blemish.detectors.bank_sources import ITSELF, BankSources, Copy, grid_places
from blemish.detectors.copies import Copies
from blemish.detectors.frozen import batch_of_one
from blemish.detectors.memory.coreset import (
    drawn_row,
    first_of_equals,
    greedy_coreset,
    nearest_by_group,
    random_projection,
)
from blemish.detectors.memory.coreset_torch import greedy_coreset_on
from blemish.detectors.tiled import kept_patches, tiles_of_good
from blemish.detectors.turned_copies import places_inside, turned
from blemish.features.extraction import FeatureExtractor, FeatureMaps
from blemish.features.learning_device import computed_there, learning_device
from blemish.features.pixels import PixelCache

MOST_TURNED: int = 480
MOST_OTHERS: int = 120
"""Turned copies that are read, and copies of any other kind: what they add falls with their number, and reading them is
what takes time."""

_PROJECTED = 64


@dataclasses.dataclass(frozen=True)
class PatchPool:
    """Candidate patches for a memory bank.

    Attributes:
        vectors: N x D.
        owners: position of each vector's image, N.
        grid: rows and columns of an image's patches.
        patches: how many patches all images had before they were thinned out.
        suspicious: images of which some vectors are left out, with how far they stand out (see
            `blemish.detectors.memory.suspicious`).
        begun: rows of the bank that was chosen to see that; None where nobody has looked.
        places: of each vector the position of its copy in `copies`, its row and its column there, int32 N x 3.
        copies: the photographs themselves, and copies of them.
    """

    vectors: Tensor
    owners: Tensor
    grid: tuple[int, int]
    patches: int
    places: Tensor
    copies: tuple[Copy, ...] = (ITSELF,)
    suspicious: Mapping[int, float] = dataclasses.field(default_factory=dict)
    begun: Tensor | None = None

    def __add__(self, other: PatchPool) -> PatchPool:
        """The candidates of both, which are of the same images."""
        vectors, owners = torch.cat([self.vectors, other.vectors]), torch.cat([self.owners, other.owners])
        theirs = other.places + torch.tensor([len(self.copies), 0, 0], dtype=torch.int32)
        places, copies = torch.cat([self.places, theirs]), self.copies + other.copies
        return PatchPool(vectors, owners, self.grid, self.patches + other.patches, places, copies)

    def kept(self, rows: Tensor) -> PatchPool:
        """Some of the candidates, by their rows."""
        return dataclasses.replace(
            self, vectors=self.vectors[rows], owners=self.owners[rows], places=self.places[rows]
        )

    def sources(self, paths: Sequence[Path], rows: Tensor, margin: int = 0) -> BankSources:
        """Where some of the candidates come from; `margin` pixels of the input around the patches are not read."""
        owners, places = self.owners[rows].numpy(), self.places[rows].numpy()
        return BankSources(paths, owners, places, self.copies, self.grid, margin)

    def thinned(self, each: int, seed: int) -> PatchPool:
        """At most so many candidates of an image: its own greedy coreset of them."""
        counts = torch.unique_consecutive(self.owners, return_counts=True)[1]
        parts = torch.split(torch.arange(len(self.owners)), counts.tolist())
        return self.kept(torch.cat([part[bank_rows(self.vectors[part], each, seed)] for part in parts]))


class _Gathered:
    """Candidates as they come, of which each lot is thinned at once.

    Vectors are written where they stay: lots put together at the end would be there twice.
    """

    def __init__(self, lots: int, each: int, seed: int) -> None:
        self._lots, self._each, self._seed = lots, each, seed
        self._vectors = torch.empty(0, 0)
        self._held = 0
        self._owners: list[Tensor] = []
        self._places: list[Tensor] = []
        self.patches = 0

    def add(self, owner: int, rows: Tensor, places: Tensor) -> None:
        """The greedy coreset of patches N x D at their places N x 3."""
        chosen = bank_rows(rows := rows.contiguous(), self._each, self._seed)
        self._places.append(places[chosen])
        self._owners.append(torch.full((len(chosen),), owner))
        end = self._held + len(chosen)
        if end > len(self._vectors):
            left = max(1, self._lots - len(self._owners) + 1)
            more = rows.new_empty((max(len(chosen) * left, self._held // 8), rows.shape[1]))
            self._vectors = torch.cat([self._vectors[: self._held], more]) if self._held else more
        self._vectors[self._held : end] = rows[chosen]
        self._held = end

    def pool(self, grid: tuple[int, int], copies: tuple[Copy, ...] = (ITSELF,)) -> PatchPool:
        """All of them."""
        owners, places = map(torch.cat, (self._owners, self._places))
        return PatchPool(self._vectors[: self._held], owners, grid, self.patches, places, copies)


def gather_patches(
    extractor: FeatureExtractor,
    embedding: nn.Module,
    paths: Sequence[Path],
    most: int,
    seed: int,
    augmentation: Augmentation | None = None,
) -> PatchPool:
    """Candidates from all images, about `most` in all.

    Where there are more, every image first gives only its own greedy coreset: the coreset of coresets keeps a
    constant-factor guarantee (Indyk et al., 2014), and memory does not grow with the number of images. With an
    augmentation an image gives the patches of its augmented copies too. Of an image read in tiles, which has no copies,
    every tile gives its own coreset.
    """
    if extractor.contract.tiled:
        return _gather_tiles(extractor, embedding, paths, most, seed)
    gathered, grid = _Gathered(len(paths), max(1, most // len(paths)), seed), (0, 0)
    there, stream = computed_there(embedding), extractor.stream(paths)
    for position, maps in enumerate(track(stream, "Reading good images", len(paths))):
        patches = there(batch_of_one(maps))
        grid = (int(patches.shape[2]), int(patches.shape[3]))
        rows, own = patches.flatten(2)[0].T, torch.from_numpy(grid_places(*grid))
        gathered.patches += len(rows)
        others: list[Tensor] = []
        if augmentation is not None:
            others = list(augmented_patches(extractor, embedding, paths[position], augmentation))
        places = [torch.from_numpy(grid_places(*grid, number)) for number in range(1, len(others) + 1)]
        gathered.add(position, torch.cat([rows, *others]), torch.cat([own, *places]))
    changed = () if augmentation is None else (Copy(augmentation, number) for number in range(COPIES))
    return gathered.pool(grid, (ITSELF, *changed))


def gather_copies(
    extractor: FeatureExtractor,
    embedding: nn.Module,
    paths: Sequence[Path],
    copies: Copies,
    each: int,
    seed: int,
) -> PatchPool:
    """Candidates from copies of the images, at most `each` of a copy, and of so many copies, drawn by the seed.

    A copy's patches have its photograph as their owner. Places that a turned copy does not reach give none. Copies are
    read past the cache of features, which they would flood.

    Raises:
        ImageError: a file cannot be read.
    """
    most = MOST_TURNED if copies.turns > 1 else MOST_OTHERS
    drawn = np.random.default_rng(seed).permutation(len(paths) * len(copies))[:most]
    wanted = sorted(divmod(int(pair), len(copies)) for pair in drawn)
    gathered, grid = _Gathered(len(wanted), each, seed), (0, 0)
    made = _made_copies(extractor, paths, copies, wanted)
    # One is thinned, by one processor, while the network reads the next; no more are held, for inputs may be large.
    read = look_ahead(functools.partial(_read_copy, extractor), made, waiting=1)
    with task(f"Reading copies: {copies}", len(wanted)) as advance, contextlib.closing(read):
        for (position, number), (angle, maps) in zip(wanted, read, strict=True):
            patches = embedding(batch_of_one(maps))
            grid = (int(patches.shape[2]), int(patches.shape[3]))
            rows, places = patches.flatten(2)[0].T, torch.from_numpy(grid_places(*grid, number))
            if angle:
                inside = torch.from_numpy(places_inside(grid, angle).ravel())
                rows, places = rows[inside], places[inside]
            gathered.patches += len(rows)
            gathered.add(position, rows, places)
            advance(1)
    return gathered.pool(grid, tuple(Copy(copies, number) for number in range(len(copies))))


def _made_copies(
    extractor: FeatureExtractor, paths: Sequence[Path], copies: Copies, wanted: Sequence[tuple[int, int]]
) -> Iterator[tuple[ByteArray, float]]:
    """Copies by the position of their photograph and their number, in order, and the angles they are turned by."""
    pixels, stride = PixelCache(), extractor.contract.width / extractor.shapes[0][-1]
    for position, some in itertools.groupby(wanted, lambda one: one[0]):
        picture = pixels.read(paths[position], extractor.contract)
        yield from copies.of(picture, stride, {number for _, number in some})


def _read_copy(extractor: FeatureExtractor, made: tuple[ByteArray, float]) -> tuple[float, FeatureMaps]:
    """A copy's angle and feature maps."""
    copy, angle = made
    return angle, extractor.extract_once(copy)


def _gather_tiles(
    extractor: FeatureExtractor, embedding: nn.Module, paths: Sequence[Path], most: int, seed: int
) -> PatchPool:
    """Candidates from the tiles of all images, of which only one is held at a time."""
    lots = len(paths) * len(extractor.tiling.tiles)
    gathered = _Gathered(lots, max(1, most // lots), seed)
    _, height, width = extractor.shapes[0]
    stride, whole = extractor.contract.height // height, grid_places(height, width)
    for position, tile, maps in tiles_of_good(extractor, paths):
        places = whole.reshape(height, width, 3)[tile.places(stride)].reshape(-1, 3)
        gathered.add(position, kept_patches(embedding, tile, maps), torch.from_numpy(places))
    gathered.patches = len(paths) * height * width
    return gathered.pool((height, width))


def turned_patches(
    extractor: FeatureExtractor, embedding: nn.Module, path: Path, rotations: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Patches of a photograph's turned copies at equal angles, itself left out: N x D of each, and their places, N x 3,
    of which the first number is the copy's, from 1.

    Places that a turned copy does not reach are left out.

    Raises:
        ImageError: the file cannot be read.
    """
    image = PixelCache().read(path, extractor.contract)
    for number in range(1, rotations):
        angle = 360 * number / rotations
        patches = embedding(batch_of_one(extractor.extract_resized(turned(image, angle))))
        grid = (int(patches.shape[2]), int(patches.shape[3]))
        inside = torch.from_numpy(places_inside(grid, angle).ravel())
        yield patches.flatten(2)[0].T[inside], torch.from_numpy(grid_places(*grid, number))[inside]


def augmented_patches(
    extractor: FeatureExtractor, embedding: nn.Module, path: Path, augmentation: Augmentation
) -> Iterator[Tensor]:
    """Patches of a photograph's augmented copies: N x D of each.

    Raises:
        ImageError: the file cannot be read.
    """
    for copy in augmentation.copies(PixelCache().read(path, extractor.contract)):
        yield embedding(batch_of_one(extractor.extract_resized(copy))).flatten(2)[0].T


def choose_bank(rows: Tensor, size: int, seed: int) -> Tensor:
    """The greedy coreset of patches N x D, in the order of choice; all of them where they are not more than `size`.

    Equal patches are one: rounding could tell them apart, and which of them was taken would depend on the machine.
    """
    return rows[bank_rows(rows, size, seed)]


def bank_rows(
    rows: Tensor, size: int, seed: int, begun: Tensor | None = None, nearest: Tensor | None = None
) -> Tensor:
    """Which of the patches are the bank of `choose_bank`, int64, in the order of choice.

    Args:
        rows: N x D.
        size: of the bank.
        seed: of the first choice.
        begun: what another bank has chosen of these rows, from which the choice goes on: where some of its photographs
            are left out, the gaps that their patches leave are filled.
        nearest: what `distances_to_begun` says of `begun`, N, where it is known.
    """
    if len(rows) <= size:
        return torch.arange(len(rows))
    first = first_of_equals(rows)
    distinct = torch.unique(first)
    start = int(torch.searchsorted(distinct, first[drawn_row(len(rows), seed)]))
    places: list[int] = []
    if begun is not None:
        places = list(dict.fromkeys(torch.searchsorted(distinct, first[begun]).tolist()))
    if len(distinct) < len(rows):
        rows = rows[distinct]
        nearest = None if nearest is None else nearest[distinct]
    projected = random_projection(rows, _PROJECTED, seed)
    device = learning_device()
    if device is None:
        chosen = greedy_coreset(projected, size, start=start, begun=places, nearest=nearest)
    else:
        chosen = greedy_coreset_on(device, projected, size, start, places)
    picks: Tensor = distinct[chosen]
    return picks


def distances_to_begun(rows: Tensor, begun: Tensor, groups: Tensor, count: int, seed: int) -> Tensor | None:
    """How far patches are from those that a bank has chosen, by group: squared and projected, G x N.

    Args:
        rows: N x D.
        begun: M rows of them.
        groups: of each of these its group, int64 M, below `count`.
        count: groups; one that holds none is infinitely far.
        seed: of the bank.

    Returns:
        The distances; None where a card computes, to which that is no work.
    """
    if learning_device() is not None:
        return None
    return nearest_by_group(random_projection(rows, _PROJECTED, seed), begun, groups, count)
