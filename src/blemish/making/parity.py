"""The parity gate: an artifact is written only if the runtime says what the laboratory says."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from blemish.core.errors import BlemishError
from blemish.core.images import DEFAULT_LIMITS, read_content
from blemish.core.network import CompiledNetwork
from blemish.core.types import ByteArray, FloatArray
from blemish.detectors.tiled import TileNetworks
from blemish.line.machine_parity import TOLERANCE
from blemish.line.manifest import FeaturesRecord, ParityRecord
from blemish.line.rows import network_input, photograph_for
from blemish.line.tiled import TiledNetwork
from blemish.view.preprocessing import Preprocessing, look, standardise
from blemish.view.tiles import tiling


def check_parity(
    network: torch.nn.Module,
    model: bytes,
    contract: Preprocessing,
    paths: Sequence[Path],
    features: FeaturesRecord | None = None,
    outputs: Sequence[str] | None = None,
) -> ParityRecord:
    """Score photographs with the torch network and with the runtime's, and compare scores and maps.

    Their negatives are shown: what a detector has learnt by heart scores about zero, where rounding is all there is.
    The error is the largest difference relative to the largest value of the torch path on that image. Of the runtime's
    only these outputs are computed; all when None.

    Raises:
        BlemishError: they differ by more than `TOLERANCE`; the photograph and its two scores are named.
    """
    runtime, gate = CompiledNetwork(model, outputs=outputs), _Gate()
    for path in paths:
        negative = _negative(path, contract, features)
        given = np.asarray(network_input(negative, contract, features).values[None], np.float32)
        gate.compare(path, _said(network, given), runtime(given))
    return gate.record(len(paths))


def check_tiled_parity(
    networks: TileNetworks, runtime: TiledNetwork, contract: Preprocessing, paths: Sequence[Path]
) -> ParityRecord:
    """As `check_parity` where photographs are read in tiles: both graphs are compared, that of a tile on a few tiles.

    What the runtime puts together of all tiles is what the scoring is compared on, so that it has been seen whole.

    Raises:
        BlemishError: as `check_parity`.
    """
    gate, parts = _Gate(), tiling(contract)
    some = [parts.tiles[place] for place in {0, len(parts.tiles) // 2, len(parts.tiles) - 1}]
    for path in paths:
        negative = _negative(path, contract, None)
        picture = look(negative, contract).picture
        whole = runtime.map_of(picture)
        gate.compare(path, _said(networks.scoring, whole), runtime.score(whole))
        for tile in some:
            own = _said(networks.tile, standardise(tile.of(picture), contract)[None])[0]
            stride = tile.height // own.shape[2]
            kept = own[(..., *tile.kept(stride))]
            gate.compare(path, [kept], [whole[(..., *tile.places(stride))]])
    return gate.record(len(paths))


def _negative(path: Path, contract: Preprocessing, features: FeaturesRecord | None) -> ByteArray:
    """The negative of a photograph, decoded as the line decodes it."""
    content = read_content(path, DEFAULT_LIMITS.max_bytes)
    return np.uint8(255) - photograph_for(contract, features, content, str(path)).pixels


def _said(network: torch.nn.Module, given: FloatArray) -> list[FloatArray]:
    """Outputs of a torch network, one or several."""
    with torch.inference_mode():
        outputs = network(torch.from_numpy(given))
    return [output.numpy() for output in ([outputs] if isinstance(outputs, torch.Tensor) else outputs)]


@dataclasses.dataclass
class _Gate:
    """The largest difference so far, relative to the largest value of the torch path, and where it was."""

    largest: float = 0.0
    worst: str = ""

    def compare(self, path: Path, expected: Sequence[FloatArray], said: Sequence[FloatArray]) -> None:
        """Compare what both paths say of the negative of a photograph."""
        for mine, theirs in zip(expected, said, strict=True):
            scale = float(np.abs(mine).max()) or 1.0
            difference = float(np.abs(mine.reshape(theirs.shape) - theirs).max() / scale)
            if difference > self.largest or np.isnan(difference):
                # Unlike max(), it lets no NaN pass.
                self.largest = float(np.maximum(self.largest, difference))
                one, other = (float(np.asarray(outputs[0]).flat[0]) for outputs in (expected, said))
                self.worst = (
                    f"the negative of {path} scores {one:.6g} by the one and {other:.6g} by the other"
                )

    def record(self, images: int) -> ParityRecord:
        """What was measured on so many photographs.

        Raises:
            BlemishError: they differ by more than `TOLERANCE`.
        """
        if not self.largest <= TOLERANCE:
            raise BlemishError(
                f"The exported network differs from the fitted detector by {self.largest:.1e} of the score where "
                f"{TOLERANCE:.0e} is allowed, so no inspector was written: {self.worst}; try photographs that differ "
                "more, another size or another detector, and if none helps, report this with the output of pip "
                "freeze."
            )
        return ParityRecord(n_images=images, max_relative_error=self.largest)
