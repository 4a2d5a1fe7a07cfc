"""What may befall a photograph between two shifts: other light, a lens out of focus, noise, a part that lies elsewhere.

Every change is a pure function of a uint8 RGB photograph (H x W x 3) and a strength in natural units, and gives a new
photograph of the same shape; at its neutral strength it gives an equal one, to the bit. What a geometric change brings
in at the border repeats the border's pixels.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from blemish.core.errors import UsageError
from blemish.core.pictures import encoded
from blemish.core.types import ByteArray

_LEVELS = np.arange(256, dtype=np.float64)
_ROWS = 512  # of noise at once, so that memory does not grow with the photograph


def in_other_brightness(image: ByteArray, factor: float) -> ByteArray:
    """Every grey level times `factor`, as after another exposure; what is above 255 is lost."""
    return _by_table(image, _LEVELS * factor)


def in_other_gamma(image: ByteArray, gamma: float) -> ByteArray:
    """Grey levels, as shares of 255, to the power of `gamma`: below 1 dark places become brighter."""
    return _by_table(image, 255 * (_LEVELS / 255) ** gamma)


def in_other_colour(image: ByteArray, red: float) -> ByteArray:
    """Red times `red` and blue divided by it: above 1 the light is warmer; grey photographs have no white balance."""
    if is_grey(image):
        return image.copy()
    return _by_table(image, np.stack([_LEVELS * red, _LEVELS, _LEVELS / red], 1))


def out_of_focus(image: ByteArray, sigma: float) -> ByteArray:
    """Blurred by a Gaussian of `sigma` pixels of the photograph."""
    if sigma == 0:
        return image.copy()
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.uint8)


def with_noise(image: ByteArray, sigma: float) -> ByteArray:
    """With Gaussian noise of `sigma` grey levels, the same in all channels of a grey photograph.

    The noise is drawn by the photograph's own pixels: the same photograph gets the same noise, only stronger.
    """
    if sigma == 0:
        return image.copy()
    rng = np.random.default_rng(zlib.crc32(image.tobytes()))
    channels, noisy = 1 if is_grey(image) else 3, np.empty_like(image)
    for top in range(0, len(image), _ROWS):
        rows = image[top : top + _ROWS]
        noise = rng.standard_normal((*rows.shape[:2], channels), np.float32)
        noisy[top : top + _ROWS] = np.clip(np.rint(rows + sigma * noise), 0, 255)
    return noisy


def as_jpeg(image: ByteArray, quality: float) -> ByteArray:
    """Packed as a JPEG of `quality` 1 to 99 and unpacked again; 100 stands for not packed at all."""
    if quality >= 100:
        return image.copy()
    return np.asarray(simplejpeg.decode_jpeg(encoded(image, ".jpg", round(quality))), np.uint8)


def shifted(image: ByteArray, percent: float) -> ByteArray:
    """Moved to the right by so many percent of the width, in whole pixels; to the left below zero."""
    width = image.shape[1]
    columns = np.clip(np.arange(width) - round(width * percent / 100), 0, width - 1)
    return np.ascontiguousarray(image[:, columns])


def turned(image: ByteArray, degrees: float) -> ByteArray:
    """Turned about its middle against the clock."""
    return image.copy() if degrees == 0 else _warped(image, degrees, 1.0)


def rescaled(image: ByteArray, factor: float) -> ByteArray:
    """Enlarged about its middle by `factor`, as from nearer; below 1 as from farther away."""
    return image.copy() if factor == 1 else _warped(image, 0.0, factor)


def is_grey(image: ByteArray) -> bool:
    """Whether the three channels are equal everywhere."""
    red = image[..., 0]
    return bool((red == image[..., 1]).all() and (red == image[..., 2]).all())


@dataclass(frozen=True)
class Disturbance:
    """One way in which photographs change.

    Attributes:
        name: as it is asked for.
        title: of its chart.
        axis: what its strength is, with the unit.
        neutral: the strength at which nothing changes.
        ends: the farthest strengths that are tried, on one side of the neutral one or on both.
        low, high: between which strengths lie that can be meant.
        change: the function, of a photograph and a strength.
        as_share: whether strengths are factors that people speak of as percent more or less.
        prefix, unit: before and behind a strength in words.
    """

    name: str
    title: str
    axis: str
    neutral: float
    ends: tuple[float, ...]
    low: float
    high: float
    change: Callable[[ByteArray, float], ByteArray]
    as_share: bool = False
    prefix: str = ""
    unit: str = ""

    def __call__(self, image: ByteArray, strength: float) -> ByteArray:
        """The changed photograph.

        Raises:
            UsageError: such a strength cannot be meant.
        """
        if not self.low <= strength <= self.high:
            raise UsageError(
                f"A strength of {strength:g} is not possible for {self.name}: choose one from {self.low:g} to "
                f"{self.high:g}."
            )
        return self.change(image, strength)

    def strengths(self, steps: int) -> tuple[float, ...]:
        """`steps` strengths on every side at equal distances up to the end, ascending, the neutral one among them."""
        sides = [np.linspace(self.neutral, end, steps + 1)[1:] for end in self.ends]
        return tuple(sorted({self.neutral, *(round(float(value), 6) for value in np.concatenate(sides))}))

    def shown(self, strength: float) -> float:
        """The strength as charts and people have it: percent more or less of a factor."""
        return round(100 * (strength - 1), 4) if self.as_share else strength

    def in_words(self, strength: float) -> str:
        """`-15 %`, `1.5 px`, `quality 60`."""
        value = self.shown(strength)
        two_ways = len(self.ends) > 1 and self.shown(self.neutral) == 0
        return f"{self.prefix}{value:+g}{self.unit}" if two_ways else f"{self.prefix}{value:g}{self.unit}"


DISTURBANCES: dict[str, Disturbance] = {
    one.name: one
    for one in (
        Disturbance(
            name="brightness",
            title="Brightness",
            axis="change of brightness in %",
            neutral=1.0,
            ends=(0.7, 1.3),
            low=0.05,
            high=5.0,
            change=in_other_brightness,
            as_share=True,
            unit=" %",
        ),
        Disturbance(
            name="gamma",
            title="Gamma",
            axis="gamma, below 1 brighter",
            neutral=1.0,
            ends=(0.7, 1.4),
            low=0.1,
            high=10.0,
            change=in_other_gamma,
            prefix="gamma ",
        ),
        Disturbance(
            name="white-balance",
            title="White balance",
            axis="change of red in %, of blue the other way",
            neutral=1.0,
            ends=(0.8, 1.2),
            low=0.2,
            high=5.0,
            change=in_other_colour,
            as_share=True,
            unit=" %",
        ),
        Disturbance(
            name="blur",
            title="Blur",
            axis="sigma in pixels of the photograph",
            neutral=0.0,
            ends=(2.0,),
            low=0.0,
            high=100.0,
            change=out_of_focus,
            unit=" px",
        ),
        Disturbance(
            name="noise",
            title="Noise",
            axis="sigma in grey levels",
            neutral=0.0,
            ends=(16.0,),
            low=0.0,
            high=128.0,
            change=with_noise,
            prefix="sigma ",
        ),
        Disturbance(
            name="jpeg",
            title="JPEG",
            axis="quality",
            neutral=100.0,
            ends=(20.0,),
            low=1.0,
            high=100.0,
            change=as_jpeg,
            prefix="quality ",
        ),
        Disturbance(
            name="shift",
            title="Shift",
            axis="to the right in % of the width",
            neutral=0.0,
            ends=(-4.0, 4.0),
            low=-50.0,
            high=50.0,
            change=shifted,
            unit=" %",
        ),
        Disturbance(
            name="turn",
            title="Turn",
            axis="degrees against the clock",
            neutral=0.0,
            ends=(-8.0, 8.0),
            low=-180.0,
            high=180.0,
            change=turned,
            unit="°",
        ),
        Disturbance(
            name="scale",
            title="Scale",
            axis="change of size in %",
            neutral=1.0,
            ends=(0.92, 1.08),
            low=0.2,
            high=5.0,
            change=rescaled,
            as_share=True,
            unit=" %",
        ),
    )
}
"""All by name, in the order of the report."""


def disturbances_named(names: Sequence[str] | None) -> tuple[Disturbance, ...]:
    """The disturbances of these names, each once, in the order of the report; all of them where None are given.

    Raises:
        UsageError: there is no such disturbance.
    """
    if names is None:
        return tuple(DISTURBANCES.values())
    unknown = [name for name in names if name not in DISTURBANCES]
    if unknown or not names:
        raise UsageError(
            f"{unknown[0] if unknown else 'Nothing'} is no disturbance: choose among {', '.join(DISTURBANCES)}."
        )
    return tuple(one for name, one in DISTURBANCES.items() if name in names)


def _by_table(image: ByteArray, levels: npt.NDArray[np.float64]) -> ByteArray:
    """Every grey level replaced: by a table of 256 for all channels, or of 256 x 3."""
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table if table.ndim == 1 else table[None]), np.uint8)


def _warped(image: ByteArray, degrees: float, factor: float) -> ByteArray:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, factor)
    warped = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.uint8)
