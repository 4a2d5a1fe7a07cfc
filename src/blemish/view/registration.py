"""Registration: how far a part lies shifted or turned against a reference, and its photograph brought back to it.

Everything is computed on small grey copies, from coarse to fine, and the photograph itself is warped once. Inside, a
matrix leads from places of the reference to places of the photograph, in pixels of `View.photograph` that begin at 0
and end at its width or height.
"""

from __future__ import annotations

import base64
import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator

from blemish.core.errors import ImageError
from blemish.core.images import DecodeLimits, decode_image
from blemish.core.types import ByteArray, FloatArray
from blemish.view.motion import Matrix, in_places, moves, rigid, warped

Agreement = Annotated[float, Field(allow_inf_nan=False, ge=-1, le=1)]
Model = Literal["shift", "turn"]
Method = Literal["correlation", "phase", "features"]

_AREA, _LONGEST, _SHORTEST = 256 * 256, 1024, 16
"""Pixels of a reference at most, of its longer side at most, and of its shorter side at least."""
_HALVINGS = 2
"""Of the reference, where the search begins."""
_STEP = 6
"""Degrees between two turned references: a refinement finds its way over as much."""
_STARTS, _REFINED = 6, 3
"""Turns whose agreement is looked at, and those that are refined; the two ends of a long part are among them."""
_ROUNDS = (10, 6, 3)
"""Of the refinement, from the coarsest copy to the finest."""
_PADDING = 1.25
"""Of the sides, so that what leaves on one side hardly comes back on the other."""
_SMOOTHING = 5
"""Side of the refinement's Gaussian in pixels, odd."""
_STILL = 0.5
"""Pixels of the photograph: what moves by less stays as it lies, and keeps its pixels."""
_LIMITS = DecodeLimits(max_bytes=200_000, max_pixels=_AREA + 2 * _LONGEST, min_side=8)


class Alignment(BaseModel):
    """A reference, and how photographs are registered to it: learnt by `blemish.view_planning.alignment`.

    Attributes:
        reference: a good photograph, grey and small: a PNG file as base64.
        model: what parts do: "shift", or "turn", by any angle, and shift.
        method: how the search begins: correlation of the grey values, of the phases alone, or of local features; all
            are refined by enhanced correlation.
        certain_from: agreement from which a registration is believed; below, the photograph is looked at as it lies.
        agreement_before, agreement: median correlation of good photographs with the reference, as they lay and
            registered, -1 to 1.
        spread_before, spread: mean deviation of a pixel over good photographs, in grey levels.
        n_photographs: how many these were.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str = Field(max_length=300_000)
    model: Model
    method: Method
    certain_from: Agreement
    agreement_before: Agreement
    agreement: Agreement
    spread_before: float = Field(allow_inf_nan=False, ge=0, le=255)
    spread: float = Field(allow_inf_nan=False, ge=0, le=255)
    n_photographs: int = Field(ge=1)

    @property
    def key(self) -> str:
        """What a photograph's place depends on besides the photograph, as 64 hexadecimal digits."""
        asked = f"{self.model}|{self.method}|{self.certain_from!r}|{self.reference}"
        return hashlib.sha256(asked.encode()).hexdigest()

    @field_validator("reference")
    @classmethod
    def _shows_a_reference(cls, reference: str) -> str:
        _decoded(reference)
        return reference


@dataclass(frozen=True)
class Registration:
    """How a photograph lies against the reference.

    Attributes:
        matrix: float64 2 x 3, from places in the photograph (pixels of `View.photograph`, from 0 to its sides) to
            places in the reference frame, a rigid motion; the identity where the photograph is looked at as it lies.
        agreement: correlation of the two, -1 to 1, as the matrix brings them together.
        certain: whether it is as good photographs showed; where not, the matrix is the identity.
    """

    matrix: Matrix
    agreement: float
    certain: bool


@dataclass(frozen=True)
class _Prepared:
    """A reference at all sizes, finest first, with what the search correlates with at the coarsest: spectra of it,
    turned by `angles`, conjugate, and the shape that they are padded to."""

    levels: tuple[FloatArray, ...]
    angles: tuple[float, ...]
    spectra: npt.NDArray[np.complex64]
    padded: tuple[int, int]


def encoded_reference(grey: ByteArray) -> str:
    """A small grey picture, uint8 H x W, as `Alignment.reference` holds it."""
    _, content = cv2.imencode(".png", grey)
    return base64.b64encode(content.tobytes()).decode()


def reference_size(photograph: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the small grey copies of photographs of a width and height."""
    width, height = photograph
    scale = min(1.0, math.sqrt(_AREA / (width * height)), _LONGEST / max(width, height))
    return max(_SHORTEST, round(width * scale)), max(_SHORTEST, round(height * scale))


def small_grey(image: ByteArray, size: tuple[int, int]) -> ByteArray:
    """A photograph, uint8 RGB H x W x 3, as a grey copy of a width and height, uint8."""
    # Of a large photograph every so many pixels are enough: what is left is averaged.
    step = max(1, min(image.shape[1] // (3 * size[0]), image.shape[0] // (3 * size[1])))
    small = cv2.resize(image[::step, ::step], size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def register(image: ByteArray, alignment: Alignment, photograph: tuple[int, int]) -> Registration:
    """Find how a photograph lies against the reference: deterministic, at any angle.

    Args:
        image: uint8 RGB, H x W x 3, of any size: it is stretched to `photograph` in thought.
        alignment: reference and model.
        photograph: width and height of `View.photograph`.
    """
    prepared = _prepared(alignment.reference, alignment.model, alignment.method)
    height, width = prepared.levels[0].shape
    found, agreement = registered(small_grey(image, (width, height)), alignment, photograph)
    if agreement < alignment.certain_from:
        return Registration(np.eye(2, 3), agreement, False)
    matrix = np.asarray(np.linalg.inv(found)[:2], np.float64)
    return Registration(matrix, agreement, True)


def registered(grey: ByteArray, alignment: Alignment, photograph: tuple[int, int]) -> tuple[Matrix, float]:
    """Where the reference lies in a small grey copy, float64 3 x 3 from its places to those of the photograph, and
    their agreement; believed or not."""
    prepared = _prepared(alignment.reference, alignment.model, alignment.method)
    levels, turns = _levels(grey), alignment.model == "turn"
    found: list[Matrix] = [np.eye(3)]
    if alignment.method == "features":
        found += _starts_of_features(levels[0], prepared, photograph, turns)
    else:
        found += _starts(levels[-1], prepared, photograph, alignment.method)
    found = _ranked(prepared.levels[-1], levels[-1], found, photograph)[:_REFINED]
    for level, rounds in zip(range(_HALVINGS, -1, -1), _ROUNDS, strict=True):
        template, picture = prepared.levels[level], levels[level]
        refined = [_refined(template, picture, one, photograph, turns, rounds) for one in found]
        found = _ranked(template, picture, refined, photograph)[:1]
    best = found[0]
    # As it lies, a part keeps its pixels: it moves where that is better alone.
    as_it_lies = _agreement(prepared.levels[0], levels[0], np.eye(3), photograph)
    agreement = _agreement(prepared.levels[0], levels[0], best, photograph)
    if as_it_lies >= agreement or moves(best, photograph) < _STILL:
        return np.eye(3), as_it_lies
    return best, agreement


def correlation(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Pearson's correlation of two pictures of one shape, -1 to 1; 0 where one is constant."""
    first, second = (picture.astype(np.float64).ravel() for picture in (one, other))
    first, second = first - first.mean(), second - second.mean()
    size = math.sqrt(float(first @ first) * float(second @ second))
    return float(np.clip(first @ second / size, -1, 1)) if size > 1e-6 else 0.0


def _decoded(reference: str) -> ByteArray:
    """The reference as uint8 H x W.

    Raises:
        ValueError: it is no small picture.
    """
    try:
        content = base64.b64decode(reference, validate=True)
        picture = decode_image(content, "the reference", _LIMITS)[..., 0]
    except ImageError as error:
        raise ValueError("the reference is no small picture") from error
    if min(picture.shape) < _SHORTEST:
        raise ValueError("the reference is too small")
    return np.ascontiguousarray(picture)


@lru_cache(maxsize=64)
def _prepared(reference: str, model: Model, method: Method) -> _Prepared:
    levels = _levels(_decoded(reference))
    coarse = levels[-1]
    angles = tuple(np.arange(0.0, 360.0, _STEP).tolist()) if model == "turn" else (0.0,)
    height, width = coarse.shape
    padded = cv2.getOptimalDFTSize(round(_PADDING * height)), cv2.getOptimalDFTSize(round(_PADDING * width))
    spectra = [
        _spectrum(
            cv2.warpAffine(
                coarse,
                _turn(coarse.shape, angle),
                (width, height),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            padded,
        )
        for angle in angles
    ]
    return _Prepared(levels, angles, np.conj(np.stack(spectra)), padded)


def _levels(grey: ByteArray) -> tuple[FloatArray, ...]:
    """A picture and smaller copies of it, float32, finest first."""
    levels = [grey.astype(np.float32)]
    for _ in range(_HALVINGS):
        height, width = levels[-1].shape
        size = max(8, width // 2), max(8, height // 2)
        levels.append(np.asarray(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA), np.float32))
    return tuple(levels)


def _turn(shape: tuple[int, ...], angle: float) -> Matrix:
    """A turn about the middle of a picture, in its pixels, by degrees against the clock."""
    return np.asarray(
        cv2.getRotationMatrix2D(((shape[1] - 1) / 2, (shape[0] - 1) / 2), angle, 1.0), np.float64
    )


def _spectrum(picture: npt.NDArray[Any], padded: tuple[int, int]) -> npt.NDArray[np.complex64]:
    """Spectrum of a standardised picture."""
    centred = picture - picture.mean()
    size = float(np.linalg.norm(centred))
    return np.asarray(np.fft.rfft2(centred / size if size > 1e-6 else centred, padded), np.complex64)


def _starts(
    picture: FloatArray, prepared: _Prepared, photograph: tuple[int, int], method: Method
) -> list[Matrix]:
    """Likely positions of the reference in a coarse picture, by its best shift at each turn."""
    cross = _spectrum(picture, prepared.padded) * prepared.spectra
    if method == "phase":
        size = np.abs(cross)
        cross = cross / (size + 1e-3 * size.mean() + 1e-12)
    surfaces = np.fft.irfft2(cross, prepared.padded).reshape(len(prepared.angles), -1)
    peaks, values = surfaces.argmax(1), surfaces.max(1)
    rows, columns = prepared.padded
    starts: list[Matrix] = []
    taken: list[float] = []
    for place in np.argsort(-values, kind="stable"):
        angle = prepared.angles[place]
        if any(abs((angle - other + 180) % 360 - 180) <= 2 * _STEP for other in taken):
            continue
        taken.append(angle)
        down, right = divmod(int(peaks[place]), columns)
        start = np.vstack([_turn(picture.shape, angle), [0, 0, 1]])
        start[0, 2] += right - columns * (right > columns / 2)
        start[1, 2] += down - rows * (down > rows / 2)
        starts.append(in_places(start, picture.shape[1::-1], photograph))
        if len(starts) == _STARTS:
            break
    return starts


def _starts_of_features(
    picture: FloatArray, prepared: _Prepared, photograph: tuple[int, int], turns: bool
) -> list[Matrix]:
    """The position that most local features (SIFT) agree on; none where they do not."""
    sift = cv2.SIFT_create(500)  # type: ignore[attr-defined]
    (points, described), (others, described_others) = (
        sift.detectAndCompute(one.astype(np.uint8), None) for one in (prepared.levels[0], picture)
    )
    if described is None or described_others is None or len(others) < 4:
        return []
    pairs = [
        pair[0]
        for pair in cv2.BFMatcher(cv2.NORM_L2).knnMatch(described, described_others, k=2)
        if len(pair) == 2 and pair[0].distance < 0.8 * pair[1].distance
    ]
    if len(pairs) < 4:
        return []
    here = np.array([points[pair.queryIdx].pt for pair in pairs])
    there = np.array([others[pair.trainIdx].pt for pair in pairs])
    start = np.eye(3)
    if not turns:
        start[:2, 2] = np.median(there - here, axis=0)
    else:
        # None, whatever the stubs say, where no position fits.
        matrix: Any = cv2.estimateAffinePartial2D(here, there, None, cv2.RANSAC, 3.0)[0]
        if matrix is None:
            return []
        start[:2] = matrix
    return [rigid(in_places(start, picture.shape[1::-1], photograph), photograph, turns)]


def _refined(
    template: FloatArray,
    picture: FloatArray,
    start: Matrix,
    photograph: tuple[int, int],
    turns: bool,
    rounds: int,
) -> Matrix:
    """A position refined by enhanced correlation (ECC); the start itself where that fails."""
    # From a picture brought there already: OpenCV's refinement loses turns beyond a quarter.
    near = warped(picture, start, photograph)
    inside = (warped(np.full_like(picture, 255), start, photograph, cv2.BORDER_CONSTANT) > 254).astype(
        np.uint8
    )
    motion = cv2.MOTION_EUCLIDEAN if turns else cv2.MOTION_TRANSLATION
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, rounds, 1e-4)
    try:
        _, step = cv2.findTransformECC(
            template, near, np.eye(2, 3, dtype=np.float32), motion, criteria, inside, _SMOOTHING
        )
    except cv2.error:  # a constant picture, or one that leaves the frame
        return start
    whole = np.vstack([step.astype(np.float64), [0, 0, 1]])
    if not np.isfinite(whole).all():
        return start
    return rigid(start @ in_places(whole, picture.shape[1::-1], photograph), photograph, turns)


def _agreement(
    template: FloatArray, picture: FloatArray, found: Matrix, photograph: tuple[int, int]
) -> float:
    return correlation(template, warped(picture, found, photograph))


def _ranked(
    template: FloatArray, picture: FloatArray, found: list[Matrix], photograph: tuple[int, int]
) -> list[Matrix]:
    """Positions by their agreement, without those that are a hundredth of the frame from a better one."""
    kept: list[Matrix] = []
    for one in sorted(found, key=lambda one: -_agreement(template, picture, one, photograph)):
        if all(moves(np.linalg.inv(other) @ one, photograph) > 0.01 * max(photograph) for other in kept):
            kept.append(one)
    return kept
