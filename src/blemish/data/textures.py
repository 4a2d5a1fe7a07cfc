"""Texture categories of the sample line: random views of three photographs in the scikit-image wheel."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from blemish.core.errors import MissingExtraError
from blemish.core.types import ByteArray, FloatArray
from blemish.data.lighting import photograph

TEXTURES: tuple[str, ...] = ("brick", "grass", "gravel")
FIELD_OF_VIEW = (226, 270)  # side of a view in pixels of the 512 x 512 photograph
MOST_TURN = 6.0  # degrees


def render_texture(name: str, rng: np.random.Generator, size: int = 256) -> ByteArray:
    """A random view of a texture, grey as from a monochrome camera.

    The view is a crop at a random place, turned by up to 6 degrees, mirrored, under light of its own.

    Args:
        name: "brick", "grass" or "gravel".
        rng: source of all randomness.
        size: side of the result in pixels.

    Returns:
        uint8 array `size` x `size` x 3, the channels equal.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    photo = _photograph_of(name)
    turn = _turn(name, rng)
    field = rng.uniform(*FIELD_OF_VIEW)
    reach = _half_extent(field, turn)
    centre = rng.uniform(reach, photo.shape[0] - 1 - reach, size=2)
    zoom = size / field
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), turn, zoom)
    matrix[:, 2] = matrix[:, 2] + (size - 1) / 2 - centre
    smooth = cv2.GaussianBlur(photo, (0, 0), 0.5 / zoom) if zoom < 1 else photo
    view = cv2.warpAffine(
        smooth, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    if rng.random() < 0.5:
        view = view[:, ::-1]
    if name != "brick" and rng.random() < 0.5:  # the brick wall recedes upwards, the ground has no up
        view = view[::-1]
    scene = np.repeat(view[..., None], 3, axis=2).astype(np.float32)
    return monochrome(photograph(scene, rng, contrast=1.3))


def monochrome(image: ByteArray) -> ByteArray:
    """What a monochrome camera would see of a colour `image`, uint8 H x W x 3; the channels are equal."""
    return np.asarray(
        cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), dtype=np.uint8
    )


def _turn(name: str, rng: np.random.Generator) -> float:
    quarter = 0 if name == "brick" else 90 * int(rng.integers(4))
    return float(quarter + rng.uniform(-MOST_TURN, MOST_TURN))


def _half_extent(side: float, degrees: float) -> float:
    """Half the width of the upright box around a turned square."""
    angle = np.deg2rad(degrees)
    return float(side / 2 * (abs(np.cos(angle)) + abs(np.sin(angle))))


@lru_cache(maxsize=len(TEXTURES))
def _photograph_of(name: str) -> FloatArray:
    try:
        from skimage import data
    except ModuleNotFoundError as error:
        raise MissingExtraError("The sample line", "train") from error
    photo = {"brick": data.brick, "grass": data.grass, "gravel": data.gravel}[name]()  # type: ignore[no-untyped-call]
    # The photographs are flat: stretch their grey levels so that they fill a camera's range.
    low, high = np.percentile(photo, (0.5, 99.5))
    return np.asarray(25 + 205 * (photo.astype(np.float32) - low) / (high - low), dtype=np.float32)
