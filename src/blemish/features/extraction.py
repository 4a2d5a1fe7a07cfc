"""Feature extraction: photographs in, feature maps of a frozen backbone out, each image once."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from blemish.core.images import DEFAULT_LIMITS, decode_image, read_content
from blemish.core.network import CompiledNetwork
from blemish.core.preprocessing import Preprocessing, preprocess
from blemish.core.types import FloatArray
from blemish.features.backbones import Backbone
from blemish.features.cache import FeatureCache
from blemish.features.onnx_export import to_onnx

FeatureMaps = list[FloatArray]


class FeatureExtractor:
    """Reads a frozen backbone at its taps, through the cache.

    The network runs as the line will run it (ONNX through OpenVINO): several times faster than torch on a CPU.

    Attributes:
        backbone, contract: the network and the preprocessing in front of it.
        shapes: channels, height and width of each tap's feature map.
    """

    def __init__(
        self, backbone: Backbone, contract: Preprocessing, cache: FeatureCache | None = None
    ) -> None:
        self.backbone = backbone
        self.contract = contract
        self.cache = FeatureCache() if cache is None else cache
        example = torch.zeros(1, 3, contract.height, contract.width)
        with torch.inference_mode():
            self.shapes = [tuple(features.shape[1:]) for features in backbone(example)]
        self._size = sum(int(np.prod(shape)) for shape in self.shapes)
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
        ahead: deque[Future[tuple[str, FloatArray, bool]]] = deque()
        remaining = iter(paths)
        with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
            try:
                for path in remaining:
                    ahead.append(pool.submit(self._known_or_input, path))
                    if len(ahead) > 3:
                        yield self._maps_of(ahead.popleft().result())
                while ahead:
                    yield self._maps_of(ahead.popleft().result())
            finally:
                for future in ahead:
                    future.cancel()

    def _known_or_input(self, path: Path) -> tuple[str, FloatArray, bool]:
        """The image's key with either its stored features (True) or the network's input (False)."""
        content = read_content(path, DEFAULT_LIMITS.max_bytes)
        key = self._key(hashlib.sha256(content).hexdigest())
        stored = self.cache.get(key, self._size)
        if stored is not None:
            return key, stored, True
        image = decode_image(content, str(path), bit_depth=self.contract.bit_depth)
        return key, preprocess(image, self.contract), False

    def _maps_of(self, found: tuple[str, FloatArray, bool]) -> FeatureMaps:
        key, values, known = found
        if not known:
            if self._network is None:
                example = torch.zeros(1, 3, self.contract.height, self.contract.width)
                names = [f"tap{tap}" for tap in self.backbone.taps]
                self._network = CompiledNetwork(to_onnx(self.backbone, example, names))
            values = np.concatenate([maps.ravel() for maps in self._network(values[None])])
            self.cache.put(key, values)
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        parts = np.split(values, np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def _key(self, image_digest: str) -> str:
        """What a feature depends on, in one string."""
        return "|".join(
            (
                image_digest,
                self.backbone.name,
                self.backbone.weights_digest,
                ",".join(map(str, self.backbone.taps)),
                self.contract.model_dump_json(),
            )
        )
