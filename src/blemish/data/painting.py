"""How a defect is painted: try places until it is seen, keep the grain, cut the change to an exact mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from blemish.core.errors import BlemishError
from blemish.core.types import BoolArray, ByteArray, FloatArray
from blemish.data.lighting import to_bytes

Range = tuple[float, float]
Painted = tuple[FloatArray, FloatArray]  # the damaged picture, and where fresh material covers it (0..1)

NOTABLE = 7  # grey levels by which a pixel must change to belong to the defect
CLEAR = 20  # grey levels of mean change above which a person sees the defect; the first such attempt is taken
SMALLEST_AREA = 2.5e-4  # share of the image that a defect must at least change
ATTEMPTS = 12


Brush = Callable[[FloatArray, BoolArray | None, np.random.Generator, float, float], Painted]


@dataclass(frozen=True)
class DefectPainter:
    """A callable that paints one type of defect; see `blemish.data.synthetic` for what it takes and gives.

    Attributes:
        name: the defect type, as it names a folder of the MVTec AD layout.
        size, strength: its usual ranges.
        brush: draws one attempt on the float picture, `extent` pixels long and of one strength.
    """

    name: str
    size: Range
    strength: Range
    brush: Brush

    def __call__(
        self,
        image: ByteArray,
        foreground: BoolArray | None,
        rng: np.random.Generator,
        size: Range | None = None,
        strength: Range | None = None,
    ) -> tuple[ByteArray, BoolArray]:
        """Damage `image` where the change can be seen; return the new image and its exact mask.

        Raises:
            BlemishError: nowhere on the image could the defect be seen, as a twist on an even surface.
        """
        picture, side = image.astype(np.float32), min(image.shape[:2])
        grain = grain_deviation(image)
        clearest: tuple[float, ByteArray, BoolArray] | None = None
        for _ in range(ATTEMPTS):
            extent = max(3.0, side * rng.uniform(*(size or self.size)))
            damaged, fresh = self.brush(
                picture, foreground, rng, extent, rng.uniform(*(strength or self.strength))
            )
            noise = grain * rng.standard_normal(image.shape[:2], dtype=np.float32)
            result, mask = cut_to_change(image, to_bytes(damaged + (noise * fresh)[..., None]))
            if mask.sum() < max(6.0, SMALLEST_AREA * mask.size):
                continue
            clarity = float(cv2.absdiff(image, result).max(axis=2)[mask].mean())
            if clearest is None or clarity > clearest[0]:
                clearest = clarity, result, mask
            if clarity >= CLEAR:
                break
        if clearest is not None:
            return clearest[1], clearest[2]
        raise BlemishError(
            f"No {self.name.replace('_', ' ')} could be seen anywhere on this "
            f"{image.shape[1]} x {image.shape[0]} image: choose another type of defect or a higher strength."
        )


def cut_to_change(image: ByteArray, damaged: ByteArray) -> tuple[ByteArray, BoolArray]:
    """Keep of `damaged` only what differs notably from `image`; return that picture and the mask.

    A pixel counts when it changed by `NOTABLE` grey levels and its near neighbours did so on average: moved
    grain alone is no defect. Specks below 5 pixels are undone; pinholes inside the change belong to it.
    """
    change = cv2.absdiff(image, damaged).max(axis=2).astype(np.float32)
    notable = (change >= NOTABLE) & (cv2.GaussianBlur(change, (0, 0), 0.7) >= NOTABLE)
    mask = cv2.morphologyEx(notable.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    large = np.array([index > 0 and stats[index, cv2.CC_STAT_AREA] >= 5 for index in range(count)])
    kept = large[labels]
    return np.where(kept[..., None], damaged, image), kept


def grain_deviation(image: ByteArray) -> float:
    """Deviation of the camera's noise in grey levels (Immerkaer 1996, on the calmer half of the image)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    response = np.abs(cv2.filter2D(grey, -1, kernel))
    calm = response[response <= np.median(response)]
    # The lower half of |N(0, s)| has mean 0.3249 s; the kernel multiplies the noise's deviation by 6.
    return float(min(calm.mean() / 0.3249 / 6, 4.0))
