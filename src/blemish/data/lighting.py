"""What light and a camera do to a scene: relief, shadow, uneven light, exposure, blur and grain."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.types import BoolArray, ByteArray, FloatArray


@dataclass(frozen=True)
class Light:
    """A lamp beside the camera: the direction its light comes from, in radians, and its slant in (0, 1)."""

    azimuth: float
    slant: float

    @property
    def direction(self) -> tuple[float, float]:
        """Unit vector (x, y) in image coordinates that points from the scene to the lamp."""
        return float(np.cos(self.azimuth)), float(np.sin(self.azimuth))


def random_light(rng: np.random.Generator) -> Light:
    """A lamp at the upper left, give or take, as it is on a real line."""
    return Light(azimuth=float(np.deg2rad(rng.uniform(205, 255))), slant=float(rng.uniform(0.35, 0.8)))


def smooth_noise(
    shape: tuple[int, int], cells: int | tuple[int, int], rng: np.random.Generator
) -> FloatArray:
    """Random float32 field H x W, mean about 0, deviation about 1, with `cells` (rows, columns) bumps."""
    rows, columns = (cells, cells) if isinstance(cells, int) else cells
    coarse = rng.standard_normal((rows + 2, columns + 2)).astype(np.float32)
    return np.asarray(
        cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32
    )


def relief(height: FloatArray, light: Light) -> FloatArray:
    """Brightness factor H x W of a raised surface: above 1 where it slopes to the lamp, below 1 where away.

    `height` is float32 H x W in pixels.
    """
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    x, y = light.direction
    return np.asarray(1.0 - light.slant * np.tanh(slope_x * x + slope_y * y), dtype=np.float32)


def drop_shadow(coverage: FloatArray, light: Light, distance: float) -> FloatArray:
    """Brightness factor H x W of the ground under an object: its `coverage` (0..1) cast away from the lamp.

    `distance` is how far the shadow falls, in pixels.
    """
    x, y = light.direction
    move = np.array([[1, 0, -x * distance], [0, 1, -y * distance]], dtype=np.float32)
    cast = cv2.warpAffine(coverage, move, coverage.shape[::-1], flags=cv2.INTER_LINEAR)
    cast = cv2.GaussianBlur(cast, (0, 0), max(distance * 0.6, 0.5))
    return np.asarray(1.0 - 0.6 * light.slant * cast, dtype=np.float32)


def photograph(
    scene: FloatArray,
    rng: np.random.Generator,
    contrast: float = 1.0,
    grain: float = 1.0,
    focus: float | None = None,
    sharp_as: int | None = None,
) -> ByteArray:
    """Take a picture of `scene` (float32 H x W x 3, 0..255) as a camera on a line would, uint8 H x W x 3.

    Lamp brightness, gamma, a lighting gradient, vignetting, focus and sensor noise differ from picture to
    picture: this is the normal variation that an inspector must tolerate. `contrast` scales how much the
    light varies, `grain` how much the sensor does; `focus` is the lens's blur in pixels, by default that of a
    camera whose picture is 256 pixels high, however large it is drawn, or of one of `sharp_as` rows.
    """
    height, width = scene.shape[:2]
    rows, columns = (np.linspace(-1, 1, count, dtype=np.float32) for count in (height, width))
    angle, amount = rng.uniform(0, 2 * np.pi), contrast * rng.uniform(0.02, 0.16)
    vignette = contrast * rng.uniform(0.02, 0.07)
    along_rows = amount * np.sin(angle) * rows - vignette * rows**2
    along_columns = amount * np.cos(angle) * columns - vignette * columns**2
    light = (1 + along_rows[:, None] + along_columns[None, :]) * (1 + contrast * rng.uniform(-0.13, 0.13))
    gamma = 1 + contrast * rng.uniform(-0.12, 0.12)
    warmth = np.array([1, 0, -1], dtype=np.float32) * contrast * rng.uniform(-0.015, 0.015)
    soft = rng.uniform(0.35, 0.7) * (sharp_as or height) / 256 if focus is None else focus
    picture = cv2.GaussianBlur(scene, (0, 0), soft)
    picture = cv2.pow(np.clip(picture * (light / 255).astype(np.float32)[..., None], 0, 1.02), gamma)
    picture *= 255 * (1 + warmth)
    deviation = grain * rng.uniform(1.0, 2.0) * (0.65 + 0.55 * picture[..., 1] / 255)
    # Sensors share most of their noise between the channels.
    shared = 0.9 * deviation * rng.standard_normal((height, width), dtype=np.float32)
    own = 0.5 * deviation[..., None] * rng.standard_normal((height, width, 3), dtype=np.float32)
    return to_bytes(picture + shared[..., None] + own)


def to_bytes(picture: npt.NDArray[np.floating]) -> ByteArray:
    """Round and clip to uint8."""
    return np.asarray(np.clip(np.rint(picture), 0, 255), dtype=np.uint8)


def blur(picture: FloatArray, deviation: float) -> FloatArray:
    """Gaussian blur of a float32 picture, `deviation` in pixels."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), deviation), dtype=np.float32)


def blend(under: FloatArray, over: FloatArray, coverage: FloatArray | BoolArray) -> FloatArray:
    """Lay `over` on `under` (both float32 H x W x 3) where `coverage` (H x W, 0..1) says so."""
    share = np.asarray(coverage, dtype=np.float32)[..., None]
    return np.asarray(under + (over - under) * share, dtype=np.float32)
