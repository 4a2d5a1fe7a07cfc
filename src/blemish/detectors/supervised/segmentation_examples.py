"""Photographs with masks as examples: real defects, and defects painted anew on good photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from blemish.core.errors import BlemishError
from blemish.core.images import read_image, read_mask
from blemish.core.types import BoolArray, ByteArray
from blemish.data.lighting import to_bytes
from blemish.data.painting import cut_to_change
from blemish.data.perlin import perlin_mask
from blemish.data.synthetic import DEFECT_PAINTERS
from blemish.data.textures import monochrome
from blemish.detectors.augmentation import Augmentation
from blemish.detectors.training.examples import Example, standardised
from blemish.features.pixels import PixelCache
from blemish.view.preprocessing import Preprocessing, counted_only, seen_mask

_PATCH = "patch"
# The swirl takes several times as long as the others; the patch stands for all that no painter draws.
_CHANCES = {name: 0.5 if name == "twist" else 1.0 for name in DEFECT_PAINTERS} | {_PATCH: 2.5}


@dataclass(frozen=True)
class Subject:
    """One photograph to learn from.

    Attributes:
        path: the photograph.
        mask: of its real defects; None for a good one.
        painted: whether a defect is painted on it, another one in every epoch.
        half: 0 or 1, of the photographs held out: where a threshold is chosen on one half, the other measures it.
    """

    path: Path
    mask: Path | None = None
    painted: bool = False
    half: int = 0

    @property
    def kind(self) -> str:
        """ "good", "real" or "painted"."""
        return "painted" if self.painted else "real" if self.mask else "good"


class SegmentationExamples:
    """Subjects as `{"image": float32 3 x H x W, "mask": float32 1 x H x W of 0 and 1, "half": 0 or 1}`.

    Args:
        subjects: the photographs.
        contract: size and standardisation.
        augment: flip, crop, and change brightness and contrast; image and mask move together.
        more: what is done before.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        contract: Preprocessing,
        augment: bool,
        more: Augmentation | None = None,
    ) -> None:
        self.subjects = list(subjects)
        self.contract = contract
        self._augment = _augmentation(contract) if augment else None
        self._more = more
        self._pixels = PixelCache()
        self._masks: dict[Path, BoolArray] = {}

    def __len__(self) -> int:
        return len(self.subjects)

    def __call__(self, index: int, rng: np.random.Generator) -> Example:
        """Example `index`; what is painted is drawn from `rng`, the augmentation from torch's generator."""
        pixels, covered = self.read(index, rng)
        image: Tensor = tv_tensors.Image(torch.from_numpy(pixels.transpose(2, 0, 1).copy()))
        mask: Tensor = tv_tensors.Mask(torch.from_numpy(covered[None].astype(np.uint8)))
        if self._more is not None:
            image, mask = self._more.both(image, mask)
        if self._augment is not None:
            image, mask = self._augment(image, mask)
        planes = standardised(image.as_subclass(torch.Tensor), self.contract)
        half = torch.tensor(self.subjects[index].half)
        return {"image": planes, "mask": mask.as_subclass(torch.Tensor).float(), "half": half}

    def read(self, index: int, rng: np.random.Generator) -> tuple[ByteArray, BoolArray]:
        """Photograph, uint8 H x W x 3, and mask, bool H x W, of a subject, painted where it is to be."""
        subject = self.subjects[index]
        pixels = self._pixels.read(subject.path, self.contract)
        if subject.painted:
            damaged, mask = paint_defect(pixels, rng)
            return counted_only(damaged, self.contract), seen_mask(mask, self.contract)
        return pixels, self._mask(subject)

    def _mask(self, subject: Subject) -> BoolArray:
        shape = (self.contract.height, self.contract.width)
        if subject.mask is None:
            return np.zeros(shape, np.bool_)
        if subject.mask not in self._masks:
            mask = mask_as_seen(subject.mask, subject.path, self.contract)
            self._masks[subject.mask] = shrunken_mask(mask, shape)
        return self._masks[subject.mask]


def paint_defect(image: ByteArray, rng: np.random.Generator) -> tuple[ByteArray, BoolArray]:
    """Paint one defect of a random kind, size and strength on a good photograph, uint8 H x W x 3.

    Sizes reach from half to one and a half times the usual, strengths from a third of the weakest upwards. Where
    nothing can be seen of it the photograph stays good.
    """
    names = list(_CHANCES)
    chances = np.array([_CHANCES[name] for name in names])
    name = names[int(rng.choice(len(names), p=chances / chances.sum()))]
    if name == _PATCH:
        damaged, mask = paint_patch(image, rng)
    else:
        painter = DEFECT_PAINTERS[name]
        size, strength = (0.5 * painter.size[0], 1.5 * painter.size[1]), (painter.strength[0] / 3, 1.0)
        try:
            damaged, mask = painter(image, None, rng, size=size, strength=strength)
        except BlemishError:
            return image, np.zeros(image.shape[:2], np.bool_)
    if bool((image == image[..., :1]).all()):  # colour in a grey photograph would give the defect away
        damaged = np.where(mask[..., None], monochrome(damaged), image)
    return damaged, mask


def paint_patch(image: ByteArray, rng: np.random.Generator) -> tuple[ByteArray, BoolArray]:
    """Change areas that Perlin noise cuts out: other brightness and contrast, blur, or the image from elsewhere.

    Zavrtanik et al., DRAEM, ICCV 2021, fill such areas with foreign textures; here they keep to the photograph's own.
    """
    shape = image.shape[:2]
    areas = perlin_mask(shape, rng, threshold=float(rng.uniform(0.3, 0.6)), finest=max(8, min(shape) // 16))
    count, labels = cv2.connectedComponents(areas.astype(np.uint8))
    if count > 2 and rng.random() < 0.5:  # damage comes alone as often as in many places
        areas = labels == int(rng.integers(1, count))
    other = image.astype(np.float32)
    kind = int(rng.integers(3))
    if kind == 0:
        turned = other[::-1] if rng.random() < 0.5 else other[:, ::-1]
        other = np.roll(turned, rng.integers(0, shape), (0, 1))
    elif kind == 1:
        other = np.asarray(cv2.GaussianBlur(other, (0, 0), float(rng.uniform(1, 6))), np.float32)
    mean = other.mean((0, 1))
    changed = (other - mean) * rng.uniform(0.6, 1.5) + mean + rng.uniform(-60, 60)
    opacity = float(rng.uniform(0.3, 1.0))
    soft = (
        cv2.GaussianBlur(areas.astype(np.float32), (0, 0), float(rng.uniform(0.6, 2.5)))[..., None] * opacity
    )
    return cut_to_change(image, to_bytes(image * (1 - soft) + changed * soft))


def mask_as_seen(mask: Path, photograph: Path, contract: Preprocessing) -> BoolArray:
    """A mask's file as the view shows its photograph, bool H x W.

    Raises:
        ImageError: it, or a photograph that must be registered, cannot be read.
    """
    return seen_mask(read_mask(mask), contract, lambda: read_image(photograph, bit_depth=contract.bit_depth))


def shrunken_mask(mask: BoolArray, shape: tuple[int, int]) -> BoolArray:
    """A mask at another size, bool; a place counts where at least a quarter is covered, so that scratches survive."""
    covered = cv2.resize(mask.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(covered >= 0.25)


def _augmentation(contract: Preprocessing) -> v2.Transform:
    size = (contract.height, contract.width)
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(0.5),
            v2.RandomVerticalFlip(0.5),
            v2.RandomResizedCrop(size, scale=(0.7, 1.0), ratio=(0.9, 1.1), antialias=True),
            v2.ColorJitter(brightness=0.15, contrast=0.15),
        ]
    )
