"""What a version of an inspector says of one photograph, with the photograph itself: what pictures are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field

from blemish.core.errors import NotFoundError
from blemish.core.overlay import heatmap_layer
from blemish.core.pictures import encoded
from blemish.core.types import ByteArray
from blemish.line.inspection import Inspection
from blemish.line.runtime import Inspector
from blemish.station.shelf import InspectorVersion

LAYER_SIDE = 640
"""Pixels: maps are coarser, and browsers enlarge them smoothly."""


@dataclass(frozen=True)
class Judgement:
    """A photograph (uint8 RGB) as an inspector sees it, with its map."""

    version: InspectorVersion
    inspector: Inspector = field(repr=False)
    image: ByteArray = field(repr=False)
    inspection: Inspection = field(repr=False)

    def heatmap(self, opacity: float = 0.6) -> bytes:
        """The map over the photograph, as PNG.

        Raises:
            NotFoundError: the detector shows no place.
        """
        self._require_map()
        return encoded(self.inspection.heatmap(self.image, opacity), ".png")

    def layer(self) -> bytes:
        """The map alone as PNG with alpha, to be laid over the photograph; its longer side has at most `LAYER_SIDE`.

        Raises:
            NotFoundError: the detector shows no place.
        """
        self._require_map()
        height, width = self.image.shape[:2]
        scale = min(1.0, LAYER_SIDE / max(height, width))
        size = max(1, round(scale * width)), max(1, round(scale * height))
        return heatmap_layer(*size, self.inspection.anomaly_map, *self.inspector.map_scale)

    def _require_map(self) -> None:
        if not self.inspection.gives_map:
            raise NotFoundError(f"{self.version.title} makes no heatmap: its detector shows no place.")
