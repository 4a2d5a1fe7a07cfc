"""The one preprocessing: from a photograph to a network's input, called by training and by the runtime alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from blemish.core.types import BoolArray, ByteArray, FloatArray
from blemish.view.counting import counting, only_seen, seen_pixels
from blemish.view.foreground import counted_by
from blemish.view.look import Look
from blemish.view.motion import moved, moved_mask, to_photograph
from blemish.view.regions import covered, filled
from blemish.view.registration import register
from blemish.view.view import View

_RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

_REACH = 3
"""Pixels of the resized image that the widest filter reaches to either side."""

_PIECE = 2**24
"""Pixels that are resized at once."""

Channel = Annotated[float, Field(allow_inf_nan=False, ge=-1000, le=1000)]
Spread = Annotated[float, Field(allow_inf_nan=False, gt=0, le=1000)]


class Preprocessing(BaseModel):
    """The preprocessing contract that an artifact carries.

    Attributes:
        height, width: size in pixels of the whole input; the photograph is stretched to it.
        mean, std: per channel, for pixel values 0 to 255: the input is (pixel - mean) / std.
        interpolation: filter of the resize; always antialiased, as torchvision and timm do.
        bit_depth: bits that 16-bit photographs really use (see `blemish.core.images.decode_image`).
        view: what of the photograph is looked at; None for all of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int = Field(ge=32, le=16384)
    width: int = Field(ge=32, le=16384)
    mean: tuple[Channel, Channel, Channel]
    std: tuple[Spread, Spread, Spread]
    interpolation: Literal["bilinear", "bicubic", "lanczos"] = "bicubic"
    bit_depth: int = Field(default=16, ge=8, le=16)
    view: View | None = None

    @model_validator(mode="after")
    def _check_tiles(self) -> Preprocessing:
        if self.tiled and (self.height % 32 or self.width % 32):
            raise ValueError("height and width must be multiples of 32 where they are read in tiles")
        return self

    @property
    def tiled(self) -> bool:
        """Whether the input is read in tiles, see `blemish.view.tiles`."""
        return self.view is not None and 0 < self.view.tile < max(self.height, self.width)

    @property
    def filling(self) -> tuple[int, int, int]:
        """Colour of what does not count, uint8 RGB: the mean, rounded, which the network takes for nothing."""
        red, green, blue = (round(min(max(channel, 0.0), 255.0)) for channel in self.mean)
        return red, green, blue

    @property
    def picture_key(self) -> str:
        """What the picture depends on besides the photograph, in one string; mean and spread come later."""
        view = "" if self.view is None else self.view.key
        if self.view is not None and (self.view.all_regions or self.view.foreground):
            view = f"{view}|{self.filling}"
        return f"{self.height}|{self.width}|{self.interpolation}|{self.bit_depth}{view and f'|{view}'}"

    @property
    def key(self) -> str:
        """What feature maps depend on besides the photograph and the network, in one string."""
        if self.view is None:
            return self.model_dump_json(exclude={"view"})
        tiles = f"|tiles of {self.view.tile}, {self.view.halo} around" if self.tiled else ""
        return self.model_dump_json(exclude={"view"}) + self.view.key + tiles

    @property
    def of_part(self) -> Preprocessing:
        """The contract of a part that was cut out of its photograph; the same one where nothing is cut."""
        if self.view is None or self.view.parts is None:
            return self
        return self.model_copy(update={"view": self.view.of_part})


def preprocess(image: ByteArray, contract: Preprocessing) -> FloatArray:
    """Look at one photograph and standardise what is seen.

    Args:
        image: uint8 RGB, H x W x 3.
        contract: view, size, filter and standardisation.

    Returns:
        float32, 3 x height x width, contiguous.
    """
    return standardise(look(image, contract).picture, contract)


def standardise(picture: ByteArray, contract: Preprocessing) -> FloatArray:
    """The second half of `preprocess`: a picture of the input's size as float32, 3 x height x width, contiguous."""
    mean = np.asarray(contract.mean, np.float32)
    scale = 1 / np.asarray(contract.std, np.float32)
    planes = picture.transpose(2, 0, 1).astype(np.float32, order="C")
    planes -= mean[:, None, None]
    planes *= scale[:, None, None]
    return planes


def look(image: ByteArray, contract: Preprocessing) -> Look:
    """The first half of `preprocess`: what the view shows of a photograph, at the contract's size.

    Where the view has several parts in a photograph, `image` is one of them, cut out by `blemish.view.parts`.
    """
    view = contract.view
    if view is None or view.alignment is None:
        return _look_in_frame(image, contract)
    found = register(image, view.alignment, view.photograph)
    frame = moved(image, found.matrix, view.photograph, (contract.width, contract.height))
    way = to_photograph(found.matrix, view.photograph)
    seen = _look_in_frame(frame, contract)
    return replace(seen, to_photograph=way, agreement=found.agreement, aligned=found.certain)


def _look_in_frame(image: ByteArray, contract: Preprocessing) -> Look:
    """What the view shows of a photograph whose part lies at its place."""
    view = contract.view
    if view is None or not (view.all_regions or view.foreground):
        return Look(_resized(image, contract))
    near = None if view.foreground is None else counted_by(image, view.foreground)
    picture = _resized(_filled(image, view, near, contract.filling), contract)
    inside = np.ones(picture.shape[:2], np.bool_) if near is None else covered(near, *picture.shape[:2])
    if not view.all_regions:
        return Look(picture, inside, None, near)
    counts = counting(view, (image.shape[1], image.shape[0]), contract.height, contract.width)
    photograph = counts.photograph if near is None else counts.photograph & near
    # A part that lies outside is not judged, but something always is.
    judged = counts.picture & inside if (counts.picture & inside).any() else counts.picture
    return Look(picture, judged, None, photograph, view.ignored_later is not None)


def seen(image: ByteArray, contract: Preprocessing) -> ByteArray:
    """The photograph, uint8 RGB H x W x 3, its part at its place, as far as the view lets it count; before any
    resizing.

    What does not count has one colour already, so that no pixel of it reaches into the others when it is made smaller.
    """
    view = contract.view
    if view is not None and view.alignment is not None:
        found = register(image, view.alignment, view.photograph)
        image = moved(image, found.matrix, view.photograph, view.photograph)
    return counted_only(image, contract)


def counted_only(image: ByteArray, contract: Preprocessing) -> ByteArray:
    """A photograph whose part lies at its place, or the picture of one, as far as the view lets it count."""
    view = contract.view
    if view is None or not (view.all_regions or view.foreground):
        return image
    near = None if view.foreground is None else counted_by(image, view.foreground)
    return _filled(image, view, near, contract.filling)


def _filled(image: ByteArray, view: View, near: BoolArray | None, colour: tuple[int, int, int]) -> ByteArray:
    """The photograph with one colour where regions, or what is not near the part, do not count."""
    found = only_seen(image, view, colour) if view.all_regions else image
    return found if near is None or near.all() else filled(found, near, colour)


def seen_mask(
    mask: BoolArray, contract: Preprocessing, photograph: Callable[[], ByteArray] | None = None
) -> BoolArray:
    """A mask over a photograph, bool H x W, as it lies where the part is at its place, and as far as regions let it
    count: elsewhere there is nothing to be learnt.

    Args:
        mask: over the photograph, or without `photograph` over what the view makes of it.
        contract: with the view.
        photograph: gives the photograph, uint8 RGB; called only where it must be registered.
    """
    view = contract.view
    if view is not None and view.alignment is not None and photograph is not None:
        found = register(photograph(), view.alignment, view.photograph)
        mask = moved_mask(mask, found.matrix, view.photograph)
    return mask if view is None or not view.all_regions else mask & seen_pixels(view, mask.shape)


def _resized(image: ByteArray, contract: Preprocessing) -> ByteArray:
    """The photograph at the contract's size, uint8 RGB; a grey one is resized once instead of three times."""
    shape = contract.height, contract.width
    if image.shape[:2] == shape:
        return image
    filter_ = _RESAMPLING[contract.interpolation]
    first = image[..., 0]
    if np.array_equal(first, image[..., 1]) and np.array_equal(first, image[..., 2]):
        return np.repeat(_resampled(np.ascontiguousarray(first), shape, filter_)[..., None], 3, axis=2)
    return _resampled(image, shape, filter_)


def _resampled(image: ByteArray, shape: tuple[int, int], filter_: Image.Resampling) -> ByteArray:
    """An image, H x W x 3 or H x W, at another height and width; a large one in bands, as Pillow copies it twice."""
    height, width = shape
    band = max(1, _PIECE // max(width, image.shape[1]))
    if band >= max(height, image.shape[0]):
        return np.asarray(Image.fromarray(image).resize((width, height), filter_))
    resized = np.empty((height, width, *image.shape[2:]), np.uint8)
    step = image.shape[0] / height
    reach = int(np.ceil(_REACH * max(1.0, step))) + 1
    for top in range(0, height, band):
        bottom = min(height, top + band)
        first = max(0, int(top * step) - reach)
        last = min(image.shape[0], int(np.ceil(bottom * step)) + reach)
        box = (0, top * step - first, image.shape[1], min(bottom * step - first, last - first))
        piece = Image.fromarray(image[first:last])
        resized[top:bottom] = np.asarray(piece.resize((width, bottom - top), filter_, box=box))
    return resized
