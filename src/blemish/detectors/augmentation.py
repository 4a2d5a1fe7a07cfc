"""Augmented copies of photographs, an option of every detector: mirrored, turned a little, or in another light."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torchvision import tv_tensors
from torchvision.transforms import v2

from blemish.core.types import BoolArray, ByteArray

NONE, AUTO = "none", "auto"
"""Values of `augment` that name no transform: none is made, or `fit` chooses."""

COPIES = 4
"""Copies of a photograph where features of them are kept; a trained network of pixels sees another in every epoch."""

_MOST_DEGREES = 10.0
_MARGIN = 0.1  # of the longer side: what a turn by so many degrees brings in, and a little more


class SmallTurn(nn.Module):
    """A turn by up to 10 degrees; what it brings in at the border is the photograph mirrored, not black."""

    def forward(self, *planes: Tensor) -> tuple[Tensor, ...] | Tensor:
        """Image and mask, ... x H x W each, turned together."""
        height, width = planes[0].shape[-2:]
        margin = min(math.ceil(_MARGIN * max(height, width)), min(height, width) - 1)
        turn = v2.RandomRotation(_MOST_DEGREES, v2.InterpolationMode.BILINEAR)
        turned: tuple[Tensor, ...] | Tensor = v2.Compose(
            [v2.Pad(margin, padding_mode="reflect"), turn, v2.CenterCrop((height, width))]
        )(*planes)
        return turned


class OtherLight(nn.Module):
    """The light of another day: brightness, gamma, white balance and focus, each changed a little at random.

    Brightness is changed by up to 20 %, gamma to between 0.8 and 1.25, red by up to 6 % and blue the other way, and the
    photograph is blurred by up to 0.8 pixels of it. A grey photograph stays grey, and the mask as it is.
    """

    def forward(self, *planes: Tensor) -> tuple[Tensor, ...] | Tensor:
        """Image, uint8 3 x H x W, in another light; its mask, where there is one, is given back."""
        image, *masks = planes
        factor, gamma = _drawn(0.8, 1.2), math.exp(_drawn(math.log(0.8), math.log(1.25)))
        red, sigma = math.exp(_drawn(-0.06, 0.06)), _drawn(0.0, 0.8)
        grey = bool((image == image[:1]).all())
        gains = torch.tensor([factor] * 3 if grey else [factor * red, factor, factor / red])
        light = (image.as_subclass(Tensor) / 255) ** gamma * gains[:, None, None]
        changed = (255 * light).round().clamp(0, 255).to(torch.uint8)
        if sigma > 0.1:  # less is no blur at all
            changed = v2.functional.gaussian_blur(changed, [5, 5], [sigma, sigma])
        first: Tensor = (
            tv_tensors.wrap(changed, like=image) if isinstance(image, tv_tensors.TVTensor) else changed
        )
        return (first, *masks) if masks else first


def _drawn(low: float, high: float) -> float:
    """Uniform, by torch's generator."""
    return low + (high - low) * float(torch.rand(()))


TRANSFORMS: dict[str, Callable[[], list[nn.Module]]] = {
    "flips": lambda: [v2.RandomHorizontalFlip(0.5), v2.RandomVerticalFlip(0.1)],
    "turns": lambda: [SmallTurn()],
    "jitter": lambda: [v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.15, hue=0.02)],
    "brightness": lambda: [v2.ColorJitter(brightness=0.2)],
    "light": lambda: [OtherLight()],
}
"""What `augment` may name, and what is then done to a photograph, in this order."""

TRIED: tuple[str, ...] = ("flips", "turns", "jitter", "brightness")
"""What "auto" tries. It judges by photographs in the light that was learnt from, which says nothing of another one."""


class Augmentation:
    """What is done to photographs: some of `TRANSFORMS`, one after the other.

    Args:
        augment: their names, with commas between.
        seed: of the copies.
    """

    def __init__(self, augment: str, seed: int) -> None:
        named = names_in(augment)
        steps = [step for name, make in TRANSFORMS.items() if name in named for step in make()]
        self._transform = v2.Compose(steps)
        self._seed = seed

    def __call__(self, image: Tensor) -> Tensor:
        """A uint8 3 x H x W photograph, changed at random by torch's generator."""
        changed: Tensor = self._transform(image)
        return changed

    def both(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """A photograph and its mask, uint8 1 x H x W, moved together, for further transforms of both."""
        changed, moved = self._transform(tv_tensors.Image(image), tv_tensors.Mask(mask))
        return changed, moved

    def copy(self, image: ByteArray, number: int) -> ByteArray:
        """Copy `number` of a photograph, uint8 H x W x 3; it depends on the pixels and the seed, on nothing else."""
        return self.copy_with_mask(image, np.zeros(image.shape[:2], np.bool_), number)[0]

    def copy_with_mask(self, image: ByteArray, mask: BoolArray, number: int) -> tuple[ByteArray, BoolArray]:
        """The same copy, and where the mask, bool H x W, lies on it."""
        planes = torch.from_numpy(image.transpose(2, 0, 1).copy())
        with torch.random.fork_rng(devices=[]):
            drawn = np.random.SeedSequence((self._seed, zlib.crc32(image.tobytes()), number))
            torch.manual_seed(int(drawn.generate_state(1)[0]))
            changed, moved = self.both(planes, torch.from_numpy(mask[None].astype(np.uint8)))
        return np.ascontiguousarray(changed.numpy().transpose(1, 2, 0)), moved[0].numpy() > 0

    def copies(self, image: ByteArray) -> list[ByteArray]:
        """The `COPIES` copies of a photograph, without those that equal it or one another."""
        different = [image]
        for number in range(COPIES):
            copy = self.copy(image, number)
            if not any(np.array_equal(copy, other) for other in different):
                different.append(copy)
        return different[1:]


def names_in(augment: str) -> list[str]:
    """The transforms that a value of `augment` names, "none" and "auto" apart."""
    return [name.strip() for name in augment.split(",")]


def can_be_meant(augment: object) -> bool:
    """Whether a value of `augment` is none, auto, or names transforms, each once."""
    if augment in (NONE, AUTO):
        return True
    named = names_in(augment) if isinstance(augment, str) else []
    return bool(named) and set(named) <= set(TRANSFORMS) and len(set(named)) == len(named)
