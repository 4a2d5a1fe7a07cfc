"""Patches of good images, gathered in bounded memory, and the memory bank chosen among them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from blemish.core.progress import track
from blemish.detectors.frozen import batch_of_one
from blemish.detectors.memory.coreset import greedy_coreset, random_projection
from blemish.features.extraction import FeatureMaps

_PROJECTED = 64


@dataclasses.dataclass(frozen=True)
class PatchPool:
    """Candidate patches for a memory bank.

    Attributes:
        vectors: N x D.
        owners: position of each vector's image, N.
        grid: rows and columns of an image's patches.
        patches: how many patches all images had before they were thinned out.
    """

    vectors: Tensor
    owners: Tensor
    grid: tuple[int, int]
    patches: int


def gather_patches(
    features: Iterable[tuple[int, FeatureMaps]],
    embedding: nn.Module,
    images: int,
    each: int,
    most: int,
    seed: int,
) -> PatchPool:
    """Candidates from all images, about `most` in all.

    Where there are more, every image first gives only its own greedy coreset: the coreset of coresets keeps a
    constant-factor guarantee (Indyk et al., 2014), and memory does not grow with the number of images.

    Args:
        features: an image's position with its feature maps, or with those of a copy, which gives a coreset too.
        embedding: from feature maps to patches.
        images: how many there are.
        each: most feature maps of an image.
        most: candidates.
        seed: of the coresets.
    """
    vectors, owners, grid = [], [], (0, 0)
    for position, maps in track(features, "Reading good images", images * each):
        patches = embedding(batch_of_one(maps))
        grid = (int(patches.shape[2]), int(patches.shape[3]))
        rows = choose_bank(patches.flatten(2)[0].T.contiguous(), max(1, most // (images * each)), seed)
        vectors.append(rows)
        owners.append(torch.full((len(rows),), position))
    return PatchPool(torch.cat(vectors), torch.cat(owners), grid, images * grid[0] * grid[1])


def choose_bank(rows: Tensor, size: int, seed: int) -> Tensor:
    """The greedy coreset of patches N x D, in the order of choice; all of them where they are not more than `size`."""
    if len(rows) <= size:
        return rows
    return rows[greedy_coreset(random_projection(rows, _PROJECTED, seed), size, seed)]
