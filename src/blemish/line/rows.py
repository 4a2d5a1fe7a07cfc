"""A photograph as the network's input: the picture itself, or a row of features, computed here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from blemish.core.errors import ArtifactError
from blemish.core.images import DEFAULT_LIMITS, DecodedPhotograph, DecodeLimits, decode_photograph
from blemish.core.types import ByteArray, FloatArray, Prediction
from blemish.line.handcrafted import VERSION, feature_names, handcrafted_features
from blemish.line.manifest import FeaturesRecord
from blemish.view.look import Look
from blemish.view.parts import Split, cut_out, joined, split
from blemish.view.preprocessing import Preprocessing, look, seen, standardise
from blemish.view.reading import open_photograph
from blemish.view.view import View

DIRECT, PIXELS, DIRECT_PIXELS = "direct", "pixels", "direct-pixels"
ROW_FEATURES = (DIRECT, PIXELS, DIRECT_PIXELS)
"""Features that need no network: the handcrafted ones, the raw pixels, and both, one after the other."""

RAW_SIDE = 224
"""Side in pixels at which raw pixels are taken."""


def raw_contract(bit_depth: int = 16, view: View | None = None) -> Preprocessing:
    """How a photograph is looked at and stretched for its raw pixels; what does not count is black."""
    zero, one = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return Preprocessing(height=RAW_SIDE, width=RAW_SIDE, mean=zero, std=one, bit_depth=bit_depth, view=view)


def raw_pixels(image: ByteArray, view: View | None = None) -> ByteArray:
    """The photograph (uint8 RGB, H x W x 3) stretched to 224 x 224, its 150,528 values in the order of `raw_names`."""
    return np.ascontiguousarray(look(image, raw_contract(view=view)).picture).ravel()


def handcrafted_row(image: ByteArray, view: View | None = None) -> FloatArray:
    """The handcrafted features of a photograph (uint8 RGB, H x W x 3) as far as the view lets it count, float32."""
    return np.array(list(handcrafted_features(seen(image, raw_contract(view=view))).values()), np.float32)


@cache
def raw_names() -> tuple[str, ...]:
    """Names of the raw pixels: `pixel_ROW_COLUMN_CHANNEL`, row by row, channels red, green, blue."""
    places = range(RAW_SIDE)
    return tuple(
        f"pixel_{row:03d}_{column:03d}_{channel}" for row in places for column in places for channel in "rgb"
    )


def row_names(features: str) -> tuple[str, ...]:
    """Names of the columns of one of `ROW_FEATURES`."""
    names = {DIRECT: feature_names(), PIXELS: raw_names(), DIRECT_PIXELS: (*feature_names(), *raw_names())}
    return names[features]


def feature_row(image: ByteArray, features: str, view: View | None = None) -> FloatArray:
    """One of `ROW_FEATURES` of a photograph, float32, in the order of `row_names`.

    Args:
        image: uint8 RGB, H x W x 3, at its own size.
        features: which.
        view: what of the photograph is looked at; all when None.
    """
    parts = []
    if features != PIXELS:
        parts.append(handcrafted_row(image, view))
    if features != DIRECT:
        parts.append(raw_pixels(image, view).astype(np.float32))
    return np.concatenate(parts)


def features_record(features: str) -> FeaturesRecord:
    """What a manifest says of a network whose input is a row of these features."""
    return FeaturesRecord(name=features, version=VERSION, columns=len(row_names(features)))


def require_computable(features: FeaturesRecord | None, path: object) -> None:
    """Refuse an artifact whose network was taught by rows that are not computed any more.

    Raises:
        ArtifactError: they are of another version.
    """
    if features is not None and features != features_record(features.name):
        raise ArtifactError(
            f"{path} reads {features.columns} {features.name} features of version {features.version}, and this Blemish "
            f"computes version {VERSION}: fit it anew."
        )


@dataclass(frozen=True)
class NetworkInput:
    """What the network of an inspector is given of a photograph.

    Attributes:
        values: float32 3 x H x W, or a row of features where it reads these; where it reads tiles, the picture itself,
            uint8 RGB H x W x 3, which is standardised tile by tile.
        look: the look at the photograph that it is of; None where it reads a row.
    """

    values: FloatArray | ByteArray
    look: Look | None = None


def photograph_for(
    contract: Preprocessing,
    features: FeaturesRecord | None,
    content: bytes,
    name: str,
    limits: DecodeLimits = DEFAULT_LIMITS,
) -> DecodedPhotograph:
    """A photograph decoded as far as the network of an inspector needs it; rows of features need all its pixels.

    Raises:
        ImageError: as `blemish.core.images.decode_image`.
    """
    if features is not None:
        return decode_photograph(content, name, limits, contract.bit_depth)
    return open_photograph(content, name, contract, limits)


def network_input(image: ByteArray, contract: Preprocessing, features: FeaturesRecord | None) -> NetworkInput:
    """What the network of an inspector is given of a photograph, uint8 RGB, H x W x 3."""
    if features is not None:
        return NetworkInput(feature_row(image, features.name, contract.view))
    looked = look(image, contract)
    return NetworkInput(looked.picture if contract.tiled else standardise(looked.picture, contract), looked)


@dataclass(frozen=True)
class PartsInput:
    """What the network of an inspector is given of a photograph of several parts.

    Attributes:
        inputs: of each part that was cut out.
        found: where the parts are.
        contract: how they were looked at.
    """

    inputs: tuple[NetworkInput, ...]
    found: Split
    contract: Preprocessing

    def joined(self, predictions: Sequence[Prediction]) -> Prediction:
        """What is said of the photograph by what is said of its parts, in their order."""
        view = self.contract.view
        assert view is not None and view.parts is not None
        return joined(predictions, self.found, view.photograph, view.parts.cut)


def photograph_input(
    image: ByteArray, contract: Preprocessing, features: FeaturesRecord | None, name: str = "the photograph"
) -> NetworkInput | PartsInput:
    """What the network of an inspector is given of a photograph, uint8 RGB, H x W x 3, of one part or several.

    Raises:
        ImageError: several like parts are known, and it shows none; `name` is the photograph's.
    """
    view = contract.view
    if view is None or view.parts is None:
        return network_input(image, contract, features)
    found, of_part = split(image, view.parts, view.photograph, name), contract.of_part
    inputs = tuple(network_input(part, of_part, features) for part in cut_out(image, found))
    return PartsInput(inputs, found, contract)
