"""What a version of an inspector says of one photograph, with the photograph itself: what pictures are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field

from blemish.core.errors import NotFoundError
from blemish.core.pictures import encoded
from blemish.core.types import ByteArray
from blemish.line.inspection import Inspection
from blemish.line.runtime import Inspector
from blemish.station.shelf import InspectorVersion


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
        if not self.inspection.gives_map:
            raise NotFoundError(f"{self.version.title} makes no heatmap: its detector shows no place.")
        return encoded(self.inspection.heatmap(self.image, opacity), ".png")
