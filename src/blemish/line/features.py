"""Feature maps of photographs by the backbone inside an artifact. They need no torch."""

from __future__ import annotations

import threading
from functools import cached_property

import numpy as np
from PIL import Image

from blemish.core.errors import ArtifactError
from blemish.core.execution import Execution
from blemish.core.network import CompiledNetwork
from blemish.core.types import ByteArray, FloatArray
from blemish.line.artifact import FEATURES, Artifact


class BackboneFeatures:
    """The member `features.onnx`, compiled when first asked for; safe to use from several threads."""

    def __init__(self, artifact: Artifact, threads: int | None = None) -> None:
        self._path = artifact.path
        self._model = artifact.members.get(FEATURES)
        self._threads = threads
        self._lock = threading.Lock()

    @property
    def space(self) -> str:
        """Backbone, taps and input size: only vectors of one space can be compared.

        Raises:
            ArtifactError: as `maps`.
        """
        with self._lock:
            network = self._network
        height, width = network.input_shape[2:]
        return f"{'+'.join(network.outputs)}@{height}x{width}"

    def maps(self, image: ByteArray) -> list[FloatArray]:
        """Feature maps (channels x h x w float32) of a uint8 RGB photograph, which is stretched to the input's size.

        Raises:
            ArtifactError: the artifact holds no backbone, or none that can be run.
        """
        with self._lock:
            network = self._network
            height, width = network.input_shape[2:]
            resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
            planes = np.asarray(resized, np.float32).transpose(2, 0, 1)
            return [features[0] for features in network(planes[None])]

    @cached_property
    def _network(self) -> CompiledNetwork:
        if self._model is None:
            raise ArtifactError(
                f"{self._path} holds no backbone to describe defects with, as it was made by an earlier Blemish: "
                "fit it anew."
            )
        try:
            network = CompiledNetwork(self._model, Execution(threads=self._threads))
            shape, maps = network.input_shape, list(network.outputs.values())
        except RuntimeError as error:
            raise self._unusable(str(error).splitlines()[0]) from error
        if (
            len(shape) != 4
            or shape[:2] != (1, 3)
            or not maps
            or any(len(one) != 4 or one[0] != 1 for one in maps)
        ):
            raise self._unusable("it does not give feature maps of a photograph")
        return network

    def _unusable(self, cause: str) -> ArtifactError:
        return ArtifactError(
            f"{self._path} holds a {FEATURES} that cannot be run here ({cause}): fit it anew."
        )
