"""The network of an inspector that reads its input in tiles: one graph for a tile, one for what they give together."""

from __future__ import annotations

from pathlib import Path

from blemish.core.errors import ArtifactError, UsageError
from blemish.core.network import CompiledNetwork
from blemish.core.types import ByteArray, FloatArray
from blemish.line.artifact import MODEL, SCORING
from blemish.view.preprocessing import Preprocessing
from blemish.view.tiles import stitched, tiling


class TiledNetwork:
    """Runs a tile at a time, so that memory does not grow with the picture but for one map of it.

    Args:
        model: ONNX, a tile 1 x 3 x h x w in, a map 1 x C x h/stride x w/stride out.
        scoring: ONNX, the whole picture's map in, the detector's outputs out.
        contract: preprocessing with tiles.
        path: of the artifact, for messages.
        threads: CPU threads; all when None.
        streams: photographs at the same time, see `CompiledNetwork`.

    Raises:
        ArtifactError: the graphs do not belong to these tiles.
        RuntimeError: one cannot be run.
    """

    def __init__(
        self,
        model: bytes,
        scoring: bytes,
        contract: Preprocessing,
        path: Path,
        threads: int | None = None,
        streams: int = 1,
    ) -> None:
        self._contract = contract
        self._tile = CompiledNetwork(model, threads, ("map",), streams)
        self._scoring = CompiledNetwork(scoring, threads, streams=streams)
        try:
            parts = tiling(contract)
            self._check(MODEL, self._tile, (1, 3, parts.tile_height, parts.tile_width), path)
            whole = parts.whole_shape(next(iter(self._tile.outputs.values())))
        except UsageError as error:
            raise ArtifactError(f"{path} cannot be used ({error}): fit it anew.") from error
        self._check(SCORING, self._scoring, whole, path)

    def _check(self, name: str, network: CompiledNetwork, wanted: tuple[int, ...], path: Path) -> None:
        if network.input_shape != wanted:
            raise ArtifactError(
                f"{path} cannot be used (its {name} reads {_in_words(network.input_shape)} values, and what is read in "
                f"tiles has {_in_words(wanted)}): fit it anew."
            )

    def map_of(self, picture: ByteArray) -> FloatArray:
        """The map of a picture, uint8 RGB of the contract's size, put together: float32 1 x C x h x w."""
        return stitched(self._tile.each, picture, self._contract)

    def __call__(self, picture: ByteArray) -> list[FloatArray]:
        """The detector's outputs for a picture, uint8 RGB of the contract's size."""
        return self.score(self.map_of(picture))

    def score(self, whole: FloatArray) -> list[FloatArray]:
        """The detector's outputs for what `map_of` gives."""
        return self._scoring(whole)


def _in_words(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
