"""Painters that learn from few known defects: one copies them, the other draws new ones with a small network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.core.images import read_image, read_mask
from blemish.core.types import BoolArray, FloatArray
from blemish.data.blobs import random_place
from blemish.data.lighting import blur
from blemish.data.painting import DefectPainter, Painted

_SIDE = 32
_GREY = 64.0
"""Grey levels that are 1 for the network."""
_PATCHES = 512
"""Turned and mirrored patches that the network learns from."""
_LARGEST = 0.4
"""Share of the shorter side of an image that an example is cut to."""


@dataclass(frozen=True)
class KnownDefect:
    """What a defect has changed.

    Attributes:
        change: grey levels by which it differs from the surface that is guessed under it, float32 H x W x 3.
        share: how far a pixel belongs to it, float32 H x W, 0 to 1.
        extent: its longer side as a share of the shorter side of its photograph.
    """

    change: FloatArray
    share: FloatArray
    extent: float


def known_defects(images: Sequence[Path], masks: Sequence[Path]) -> list[KnownDefect]:
    """The largest defect of each photograph; of one that covers much of it the middle."""
    found = []
    for image_path, mask_path in zip(images, masks, strict=True):
        image, mask = read_image(image_path), read_mask(mask_path).astype(np.uint8)
        if mask.shape != image.shape[:2]:
            mask = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        count, labels, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
        if count < 2:
            continue
        largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
        side, reach = min(mask.shape), 3
        x, y = centres[largest]
        wide, high = (
            min(stats[largest, which] + 2 * reach, round(_LARGEST * side))
            for which in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)
        )
        left = int(np.clip(x - wide / 2, 0, mask.shape[1] - wide))
        top = int(np.clip(y - high / 2, 0, mask.shape[0] - high))
        window = slice(top, top + high), slice(left, left + wide)
        own = (labels == largest)[window].astype(np.uint8)
        crop = image[window]
        hidden = cv2.dilate(own, np.ones((5, 5), np.uint8))
        # Where all of the window is covered there is nothing to guess from but its mean.
        under = (
            np.broadcast_to(crop.mean((0, 1)), crop.shape)
            if hidden.all()
            else cv2.inpaint(np.ascontiguousarray(crop), hidden, 5, cv2.INPAINT_TELEA)
        )
        change = crop.astype(np.float32) - under.astype(np.float32)
        found.append(KnownDefect(change, blur(own.astype(np.float32), 0.7), max(wide, high) / side))
    return found


def copied(known: Sequence[KnownDefect]) -> DefectPainter:
    """A painter that copies what known defects have changed to other places: turned, mirrored, larger or smaller."""

    def draw(rng: np.random.Generator) -> KnownDefect:
        return known[int(rng.integers(len(known)))]

    return _painter("copied", draw)


def drawn(known: Sequence[KnownDefect], seed: int, steps: int = 1500) -> DefectPainter:
    """A painter of defects that a small variational autoencoder draws, trained on the known ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _trained(known, np.random.default_rng(seed), steps)

    def draw(rng: np.random.Generator) -> KnownDefect:
        latent = torch.from_numpy(rng.standard_normal((1, network.latent)).astype(np.float32))
        with torch.inference_mode():
            patch = network.decode(latent)[0].numpy()
        extent = known[int(rng.integers(len(known)))].extent
        share = np.clip((patch[3] - 0.25) / 0.5, 0, 1).astype(np.float32)
        return KnownDefect(_GREY * patch[:3].transpose(1, 2, 0), share, extent)

    return _painter("drawn", draw)


def _painter(name: str, draw: Callable[[np.random.Generator], KnownDefect]) -> DefectPainter:
    """A painter of drawn examples, from three quarters of their size to 4 thirds."""

    def brush(
        picture: FloatArray,
        foreground: BoolArray | None,
        rng: np.random.Generator,
        extent: float,
        strength: float,
    ) -> Painted:
        shape, defect = picture.shape[:2], draw(rng)
        place = random_place(shape, foreground, 0.2 * defect.extent * min(shape), rng)
        height, width = defect.share.shape
        # `extent` is what the painter makes of a size of 1: the shorter side, times the change of size.
        scale = extent * defect.extent / max(height, width)
        mirrored = -1.0 if rng.random() < 0.5 else 1.0
        angle = rng.uniform(0, 2 * np.pi)
        turn = scale * np.array(
            [[mirrored * np.cos(angle), -np.sin(angle)], [mirrored * np.sin(angle), np.cos(angle)]]
        )
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        matrix = np.column_stack([turn, np.array(place) - turn @ middle])
        change, share = (cv2.warpAffine(one, matrix, shape[::-1]) for one in (defect.change, defect.share))
        if foreground is not None:
            share = share * foreground
        return picture + strength * share[..., None] * change, np.zeros(shape, np.float32)

    return DefectPainter(name, (0.75, 4 / 3), (0.7, 1.2), brush)


class _PatchAutoencoder(nn.Module):
    """Variational autoencoder of 4 x 32 x 32 patches: the change in three colours, and the mask."""

    def __init__(self, latent: int = 16) -> None:
        super().__init__()
        self.latent = latent
        widths = (4, 32, 64, 128)
        self.encoder = nn.Sequential(
            *(
                layer
                for one, other in pairwise(widths)
                for layer in (nn.Conv2d(one, other, 4, 2, 1), nn.ReLU())
            ),
            nn.Flatten(),
            nn.Linear(128 * 16, 2 * latent),
        )
        self.start = nn.Linear(latent, 128 * 16)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(128, 64, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 4, 4, 2, 1),
        )

    def decode(self, latent: Tensor) -> Tensor:
        """Patches N x 4 x 32 x 32 of latent numbers."""
        raw = self.decoder(self.start(latent).relu().unflatten(1, (128, 4, 4)))
        return torch.cat([raw[:, :3], raw[:, 3:].sigmoid()], 1)

    def loss(self, patches: Tensor) -> Tensor:
        """Squared error of changes where the defect is, cross entropy of masks, and a hundredth of the divergence."""
        mean, log_variance = self.encoder(patches).chunk(2, 1)
        log_variance = log_variance.clamp(-10, 10)
        back = self.decode(mean + torch.randn_like(mean) * (0.5 * log_variance).exp())
        change = ((back[:, :3] - patches[:, :3]) ** 2 * (0.1 + patches[:, 3:])).mean()
        mask = F.binary_cross_entropy(back[:, 3], patches[:, 3].clamp(0, 1))
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
        return change + 0.3 * mask + 0.003 * divergence


def _trained(known: Sequence[KnownDefect], rng: np.random.Generator, steps: int) -> _PatchAutoencoder:
    network = _PatchAutoencoder()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    patches = torch.from_numpy(np.stack([_patch(known[n % len(known)], rng) for n in range(_PATCHES)]))
    for _ in range(steps):
        optimizer.zero_grad()
        network.loss(patches[torch.randint(_PATCHES, (32,))]).backward()
        optimizer.step()
    return network.eval()


def _patch(defect: KnownDefect, rng: np.random.Generator) -> FloatArray:
    """A defect in the middle of a patch, 4 x 32 x 32, turned and mirrored at random."""
    both = np.dstack([defect.change / _GREY, defect.share])
    height, width = defect.share.shape
    scale = _SIDE / max(height, width) * rng.uniform(0.8, 1.0)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), rng.uniform(0, 360), scale)
    matrix[:, 2] += (_SIDE - 1) / 2 - np.array([(width - 1) / 2, (height - 1) / 2])
    patch = cv2.warpAffine(both, matrix, (_SIDE, _SIDE), flags=cv2.INTER_AREA)
    if rng.random() < 0.5:
        patch = patch[:, ::-1]
    return np.ascontiguousarray(patch.transpose(2, 0, 1), np.float32)
