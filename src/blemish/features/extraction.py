"""Feature extraction: photographs in, feature maps of a frozen backbone out, each image once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from blemish.core.ahead import look_ahead
from blemish.core.errors import UsageError
from blemish.core.images import DEFAULT_LIMITS, decode_image, read_content
from blemish.core.network import CompiledNetwork
from blemish.core.types import ByteArray, FloatArray
from blemish.features.backbones import Backbone
from blemish.features.cache import FeatureCache
from blemish.features.digests import digest_of, known_digest
from blemish.features.onnx_export import to_onnx
from blemish.features.pixels import PixelCache
from blemish.view.preprocessing import Preprocessing, preprocess, standardise

FeatureMaps = list[FloatArray]


class FeatureExtractor:
    """Reads a frozen backbone at its taps, through the cache, in which every tap has an entry of its own.

    The network runs as the line will run it (ONNX through OpenVINO): several times faster than torch on a CPU.

    Attributes:
        backbone, contract: the network and the preprocessing in front of it.
        shapes: channels, height and width of each tap's feature map.

    Raises:
        UsageError: the network cannot read the contract's size.
    """

    def __init__(
        self, backbone: Backbone, contract: Preprocessing, cache: FeatureCache | None = None
    ) -> None:
        self.backbone = backbone
        self.contract = contract
        self.cache = FeatureCache() if cache is None else cache
        self._pixels = PixelCache()
        self.shapes = _shapes_of(backbone, contract)
        self._network: CompiledNetwork | None = None

    def extract(self, path: Path) -> FeatureMaps:
        """Feature maps of one photograph, float32 channels x height x width, one a tap.

        Raises:
            ImageError: the file cannot be read.
        """
        return self._maps_of(self._known_or_input(path))

    def stream(self, paths: Sequence[Path]) -> Iterator[FeatureMaps]:
        """Feature maps of photographs one after the other; the next ones are decoded meanwhile.

        Raises:
            ImageError: a file cannot be read.
        """
        for found in look_ahead(self._known_or_input, paths):
            yield self._maps_of(found)

    def extract_once(self, image: ByteArray) -> FeatureMaps:
        """As `extract_resized`, past the cache: of a picture that nobody asks for again."""
        return self._run(standardise(image, self.contract))

    def extract_resized(self, image: ByteArray) -> FeatureMaps:
        """Feature maps of a photograph that has the input's size already, uint8 RGB, height x width x 3."""
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        known = self.known(digest)
        return self.run(digest, standardise(image, self.contract)) if known is None else known

    def known(self, image_digest: str) -> FeatureMaps | None:
        """The feature maps of the photograph whose file has this SHA-256, if all of them are in the cache."""
        maps = []
        for tap, shape in zip(self.backbone.taps, self.shapes, strict=True):
            stored = self.cache.get(self._key(image_digest, tap), int(np.prod(shape)))
            if stored is None:
                return None
            maps.append(stored.reshape(shape))
        return maps

    def run(self, image_digest: str, planes: FloatArray) -> FeatureMaps:
        """Run the network on a preprocessed photograph, 3 x height x width, and keep each tap's feature map."""
        maps = self._run(planes)
        for tap, features in zip(self.backbone.taps, maps, strict=True):
            self.cache.put(self._key(image_digest, tap), features.ravel())
        return maps

    def _run(self, planes: FloatArray) -> FeatureMaps:
        if self._network is None:
            example = torch.zeros(1, 3, self.contract.height, self.contract.width)
            names = [f"tap{tap}" for tap in self.backbone.taps]
            self._network = CompiledNetwork(to_onnx(self.backbone, example, names))
        outputs = zip(self._network(planes[None]), self.shapes, strict=True)
        return [features.reshape(shape) for features, shape in outputs]

    def _known_or_input(self, path: Path) -> tuple[str, FeatureMaps | FloatArray]:
        """The image's digest with either its stored feature maps (a list) or the network's input."""
        digest = known_digest(path)
        found = None if digest is None else self._undecoded(digest)
        if digest is None or found is None:
            content = read_content(path, DEFAULT_LIMITS.max_bytes)
            digest = digest_of(path, content)
            found = self._undecoded(digest)
        if found is None:
            image = decode_image(content, str(path), bit_depth=self.contract.bit_depth)
            found = preprocess(image, self.contract)
        return digest, found

    def _undecoded(self, digest: str) -> FeatureMaps | FloatArray | None:
        """What the caches hold of a photograph: feature maps (a list), or pixels as the network's input."""
        stored = self.known(digest)
        if stored is not None:
            return stored
        resized = self._pixels.get(digest, self.contract)
        return None if resized is None else standardise(resized, self.contract)

    def _maps_of(self, found: tuple[str, FeatureMaps | FloatArray]) -> FeatureMaps:
        digest, values = found
        return values if isinstance(values, list) else self.run(digest, values)

    def _key(self, image_digest: str, tap: int) -> str:
        """What a tap's feature map depends on, in one string; not on where the network is cut behind the tap."""
        return "|".join(
            (
                image_digest,
                self.backbone.name,
                self.backbone.tap_digest(tap),
                str(tap),
                self.contract.key,
            )
        )


def _shapes_of(backbone: Backbone, contract: Preprocessing) -> list[tuple[int, ...]]:
    """Shapes of the feature maps of one image.

    Raises:
        UsageError: the network cannot read this size.
    """
    example = torch.zeros(1, 3, contract.height, contract.width)
    try:
        with torch.inference_mode():
            return [tuple(features.shape[1:]) for features in backbone(example)]
    except (
        AssertionError,
        RuntimeError,
        ValueError,
    ) as error:  # networks made for one size, each in its own words
        cause = " ".join(str(error).split()).rstrip(".")
        raise UsageError(
            f"{backbone.name} cannot read {contract.height} x {contract.width} pixels ({cause}): choose the size "
            "that it was trained at."
        ) from error
