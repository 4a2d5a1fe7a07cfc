"""Examples that a network is trained with: what one holds, which come next, and how they make a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from blemish.core.types import ByteArray
from blemish.features.pixels import PixelCache
from blemish.view.preprocessing import Preprocessing

Batch = dict[str, Tensor]
"""Tensors by name, examples along the first dimension."""

Example = dict[str, Tensor]

Examples = Callable[[int, np.random.Generator], Example]
"""From an example's number, and a generator for what is random about it, to its tensors."""


class ImageExamples:
    """Photographs as `{"image": float32 3 x H x W}`, preprocessed, each augmented anew in every epoch.

    Args:
        paths: the photographs.
        contract: size and standardisation.
        augment: from a uint8 3 x H x W tensor to another of that kind, such as a torchvision v2 transform; it may use
            torch's global generator, which is seeded before every batch.
        pixels: where resized photographs are kept; the user's cache when None.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        contract: Preprocessing,
        augment: Callable[[Tensor], Tensor] | None = None,
        pixels: PixelCache | None = None,
    ) -> None:
        self.paths = list(paths)
        self.contract = contract
        self.augment = augment
        self._pixels = PixelCache() if pixels is None else pixels

    def __len__(self) -> int:
        return len(self.paths)

    def __call__(self, index: int, rng: np.random.Generator) -> Example:
        """Example `index`."""
        return {"image": standardised(self.augmented(index), self.contract)}

    def augmented(self, index: int) -> Tensor:
        """The resized photograph, augmented, uint8 3 x H x W."""
        image = torch.from_numpy(self.read(index).transpose(2, 0, 1).copy())
        return image if self.augment is None else self.augment(image)

    def read(self, index: int) -> ByteArray:
        """The resized photograph, uint8 H x W x 3."""
        return self._pixels.read(self.paths[index], self.contract)


def standardised(pixels: Tensor, contract: Preprocessing) -> Tensor:
    """uint8 ... x 3 x H x W pixels as a network's input, as `blemish.view.preprocessing.standardise` does."""
    mean = torch.tensor(contract.mean)[:, None, None]
    scale = 1 / torch.tensor(contract.std)[:, None, None]
    return (pixels.float() - mean) * scale


def order_of(
    count: int, wanted: int, seed: int, epoch: int, weights: npt.NDArray[np.float64] | None = None
) -> npt.NDArray[np.intp]:
    """Numbers of the examples of one epoch, in order; it depends on seed and epoch alone.

    Args:
        count: how many examples there are.
        wanted: how many an epoch takes: each once before any is taken again.
        seed, epoch: of the shuffle.
        weights: chance of each example instead, not necessarily of sum 1; drawn with replacement.
    """
    rng = np.random.default_rng((seed, epoch))
    if weights is not None:
        return rng.choice(count, wanted, p=weights / weights.sum())
    rounds = [rng.permutation(count) for _ in range(-(-wanted // count))]
    return np.concatenate(rounds)[:wanted]


def batch_of(examples: Examples, indices: npt.NDArray[np.intp], seed: int, epoch: int) -> Batch:
    """The examples with these numbers, stacked.

    What is random about an example depends on seed, epoch and its place alone, so that a resumed training sees what an
    uninterrupted one sees.
    """
    torch.manual_seed(int(np.random.SeedSequence((seed, epoch, *indices.tolist())).generate_state(1)[0]))
    drawn = [
        examples(int(index), np.random.default_rng((seed, epoch, place, int(index))))
        for place, index in enumerate(indices)
    ]
    return {name: torch.stack([one[name] for one in drawn]) for name in drawn[0]}
