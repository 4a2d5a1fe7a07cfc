"""Feature extraction: photographs in, feature maps of a frozen backbone out, each image once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from blemish.core.ahead import look_ahead
from blemish.core.errors import UsageError
from blemish.core.images import DEFAULT_LIMITS, read_content
from blemish.core.network import CompiledNetwork
from blemish.core.types import ByteArray, FloatArray
from blemish.features.backbones import Backbone
from blemish.features.cache import FeatureCache
from blemish.features.digests import digest_of, known_digest
from blemish.features.learning_device import learning_device
from blemish.features.onnx_export import compiled_backbone
from blemish.features.pixels import PixelCache
from blemish.features.torch_network import BATCH, TorchNetwork
from blemish.view.preprocessing import Preprocessing, look, standardise
from blemish.view.reading import open_photograph
from blemish.view.tiles import Tile, tiling

FeatureMaps = list[FloatArray]

_Found = tuple[str, FeatureMaps | FloatArray]

DECODING = min(8, os.cpu_count() or 1)
"""Threads that decode for a card, which one alone would leave waiting."""

_ALL_TILES = np.ones(1, np.float32)
"""Kept when the feature maps of all tiles of a photograph are in the cache."""

_PICTURES_AHEAD = 2**27
"""Bytes of pictures that may wait for the network, where they are read in tiles."""


class FeatureExtractor:
    """Reads a frozen backbone at its taps, through the cache, in which every tap has an entry of its own.

    The network runs as the line will run it (ONNX through OpenVINO): several times faster than torch on a CPU. Where
    a fit runs on a card (`blemish.features.learning_device`), torch runs it there in batches. Where the contract asks
    for tiles it runs on each, and what it says of them is kept only if there is room for all of it.

    Attributes:
        backbone, contract: the network and the preprocessing in front of it.
        tiling: the tiles that the input is read in; one without tiles.
        shapes: channels, height and width of each tap's feature map of the whole input.

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
        self.tiling = tiling(contract)
        self._tile_shapes = _shapes_of(backbone, self.tiling.tile_height, self.tiling.tile_width)
        self.shapes = [
            self.tiling.whole_shape(shape) if contract.tiled else shape for shape in self._tile_shapes
        ]
        self._network: CompiledNetwork | None = None
        self._on_device: TorchNetwork | None = None

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
        if learning_device() is None:
            for found in look_ahead(self._known_or_input, paths):
                yield self._maps_of(found)
            return
        for some in _batches(look_ahead(self._known_or_input, paths, DECODING, BATCH), BATCH):
            unknown = [one for one in some if not isinstance(one[1], list)]
            made = iter(self.run_batch([(digest, np.asarray(planes)) for digest, planes in unknown]))
            for _, values in some:
                yield values if isinstance(values, list) else next(made)

    def stream_tiles(self, paths: Sequence[Path]) -> Iterator[Iterator[tuple[Tile, FeatureMaps]]]:
        """For each photograph in order its tiles with the feature maps of each; the next ones are decoded meanwhile.

        Every iterator is to be used up before the next one. Feature maps are kept only where the cache has room for
        those of all these photographs.

        Raises:
            ImageError: a file cannot be read.
        """
        if not self.contract.tiled:
            for maps in self.stream(paths):
                yield iter([(self.tiling.tiles[0], maps)])
            return
        every = 4 * sum(int(np.prod(shape)) for shape in self._tile_shapes) * len(self.tiling.tiles)
        keep = every * len(paths) <= self.cache.limit_bytes
        waiting = min(3, _PICTURES_AHEAD // (3 * self.contract.height * self.contract.width))
        pictures = look_ahead(self._known_or_picture, paths, waiting=waiting)
        for path, found in zip(paths, pictures, strict=True):
            yield self._tiles_of(path, found, keep)

    def tiles_of(self, picture: ByteArray) -> Iterator[tuple[Tile, FeatureMaps]]:
        """The tiles of a photograph that has the input's size already, uint8 RGB, with the feature maps of each."""
        for tile in self.tiling.tiles:
            yield tile, self._run(standardise(tile.of(picture), self.contract))

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
        return self._kept(image_digest, self.shapes)

    def run(self, image_digest: str, planes: FloatArray) -> FeatureMaps:
        """Run the network on a preprocessed photograph, 3 x height x width, and keep each tap's feature map."""
        maps = self._run(planes)
        self._keep(image_digest, maps)
        return maps

    def run_batch(self, inputs: Sequence[tuple[str, FloatArray]]) -> list[FeatureMaps]:
        """As `run` of several photographs, each with its digest: one after the other, or on a card at once."""
        if learning_device() is None:
            return [self.run(digest, planes) for digest, planes in inputs]
        made = self._by_torch([planes for _, planes in inputs])
        for (digest, _), maps in zip(inputs, made, strict=True):
            self._keep(digest, maps)
        return made

    def _by_torch(self, planes: Sequence[FloatArray]) -> list[FeatureMaps]:
        device = learning_device()
        assert device is not None
        if self._on_device is None or self._on_device.device != device:
            self._on_device = TorchNetwork(self.backbone, device)
        return [
            [features.reshape(shape) for features, shape in zip(maps, self._tile_shapes, strict=True)]
            for maps in self._on_device(planes)
        ]

    def _run(self, planes: FloatArray) -> FeatureMaps:
        if learning_device() is not None:
            return self._by_torch([planes])[0]
        if self._network is None:
            example = torch.zeros(1, 3, self.tiling.tile_height, self.tiling.tile_width)
            self._network = compiled_backbone(self.backbone, example)
        outputs = zip(self._network(planes[None]), self._tile_shapes, strict=True)
        return [features.reshape(shape) for features, shape in outputs]

    def _kept(self, image_digest: str, shapes: Sequence[tuple[int, ...]]) -> FeatureMaps | None:
        """Feature maps of these shapes from the cache, if all of them are there."""
        maps = []
        for tap, shape in zip(self.backbone.taps, shapes, strict=True):
            stored = self.cache.get(self._key(image_digest, tap), int(np.prod(shape)))
            if stored is None:
                return None
            maps.append(stored.reshape(shape))
        return maps

    def _keep(self, image_digest: str, maps: FeatureMaps) -> None:
        for tap, features in zip(self.backbone.taps, maps, strict=True):
            self.cache.put(self._key(image_digest, tap), features.ravel())

    def _tiles_of(
        self, path: Path, found: tuple[str, ByteArray | None], keep: bool
    ) -> Iterator[tuple[Tile, FeatureMaps]]:
        """The tiles of a photograph with their feature maps; of its picture, None where the cache has all of them."""
        digest, picture = found
        for number, tile in enumerate(self.tiling.tiles):
            name = f"{digest}:{number}"
            maps = self._kept(name, self._tile_shapes) if picture is None else None
            if maps is None:
                if picture is None:  # another process has just made room
                    picture = self._picture(path, read_content(path, DEFAULT_LIMITS.max_bytes))
                maps = self._run(standardise(tile.of(picture), self.contract))
                if keep:
                    self._keep(name, maps)
            yield tile, maps
        if keep and picture is not None:
            self.cache.put(self._key(f"{digest}:all", 0), _ALL_TILES)

    def _known_or_picture(self, path: Path) -> tuple[str, ByteArray | None]:
        """The image's digest, and the picture unless the feature maps of all its tiles are in the cache."""
        digest = known_digest(path)
        if digest is None or self.cache.get(self._key(f"{digest}:all", 0), 1) is None:
            content = read_content(path, DEFAULT_LIMITS.max_bytes)
            digest = digest_of(path, content)
            if self.cache.get(self._key(f"{digest}:all", 0), 1) is None:
                return digest, self._picture(path, content)
        return digest, None

    def _picture(self, path: Path, content: bytes) -> ByteArray:
        image = open_photograph(content, str(path), self.contract).pixels
        return look(image, self.contract).picture

    def _known_or_input(self, path: Path) -> tuple[str, FeatureMaps | FloatArray]:
        """The image's digest with either its stored feature maps (a list) or the network's input."""
        digest = known_digest(path)
        found = None if digest is None else self._undecoded(digest)
        if digest is None or found is None:
            content = read_content(path, DEFAULT_LIMITS.max_bytes)
            digest = digest_of(path, content)
            found = self._undecoded(digest)
        if found is None:
            image = open_photograph(content, str(path), self.contract).pixels
            found = standardise(look(image, self.contract).picture, self.contract)
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
        """What a tap's feature map depends on, in one string; not on where the network is cut behind the tap.

        Tap 0 stands for all of them.
        """
        return "|".join(
            (
                image_digest,
                self.backbone.name,
                self.backbone.tap_digest(tap) if tap else self.backbone.weights_digest,
                str(tap or self.backbone.taps),
                self.contract.key,
            )
        )


def _batches(found: Iterable[_Found], most: int) -> Iterator[list[_Found]]:
    """The same in lists of so many at most."""
    waiting: list[_Found] = []
    for one in found:
        waiting.append(one)
        if len(waiting) == most:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _shapes_of(backbone: Backbone, height: int, width: int) -> list[tuple[int, ...]]:
    """Shapes of the feature maps of one image of this size.

    Raises:
        UsageError: the network cannot read this size.
    """
    example = torch.zeros(1, 3, height, width)
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
            f"{backbone.name} cannot read {height} x {width} pixels ({cause}): choose the size "
            "that it was trained at."
        ) from error
