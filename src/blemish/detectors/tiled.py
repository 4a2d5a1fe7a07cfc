"""Detectors that read photographs in tiles: distances of patches are local, and only these are put together.

A patch's distance depends on the patch alone, so a tile's graph can give distances at once, 1 x 3 x T x T to
1 x 1 x t x t, and of a photograph of 100 megapixels no more is held than one map of its patches' distances.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from blemish.core.progress import task
from blemish.detectors.layers import PatchScoring
from blemish.features.backbones import Backbone
from blemish.features.extraction import FeatureExtractor, FeatureMaps
from blemish.features.onnx_export import to_onnx
from blemish.line.artifact import NEAREST
from blemish.view.preprocessing import Preprocessing
from blemish.view.tiles import Tile, put_together, tiling


class LocalHead(nn.Module):
    """Feature maps to score and map by a distance of every patch that depends on the patch alone.

    Attributes:
        scoring: from the distances of all patches to score and map.
    """

    scoring: PatchScoring

    @abstractmethod
    def local(self, maps: Sequence[Tensor]) -> Tensor:
        """Distances 1 x 1 x h x w of feature maps, 1 x C x h x w each, of a photograph or one tile of it."""

    def nearest(self, maps: Sequence[Tensor]) -> Tensor:
        """Of a head with a memory bank: distances as of `local`, and which vector is nearest, 1 x 2 x h x w."""
        raise NotImplementedError

    def said(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Score (1), map (H x W), and the distances as of `local`, of one image's feature maps, 1 x C x h x w each."""
        distances = self.local(maps)
        return *self.scoring(distances), distances

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of one image's feature maps, 1 x C x h x w each."""
        score, anomaly_map, _ = self.said(maps)
        return score, anomaly_map


class WithNearest(nn.Module):
    """A network of a detector with a memory bank, and behind its outputs what `LocalHead.nearest` of its head says.

    In ONNX the two share their weights, and whoever leaves the last output out does not pay for it.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """The network's outputs for a 1 x 3 x H x W image; distances and numbers of vectors, 1 x 2 x h x w."""
        said, head, backbone = self.network(image), self.network.head, self.network.backbone
        assert isinstance(head, LocalHead)
        assert isinstance(backbone, nn.Module)
        outputs = (said,) if isinstance(said, Tensor) else tuple(said)
        return *outputs, head.nearest(backbone(image))


@dataclass(frozen=True)
class TileNetworks:
    """The graphs of a detector that reads tiles.

    Attributes:
        tile: 1 x 3 x T x T preprocessed pixels in, distances 1 x 1 x t x t out.
        scoring: the distances of all tiles put together, 1 x 1 x h x w, in; the detector's outputs out.
    """

    tile: nn.Module
    scoring: nn.Module


class TileDistances(nn.Module):
    """The graph of one tile: a preprocessed image in, the distances of its patches out."""

    def __init__(self, backbone: Backbone, head: LocalHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, image: Tensor) -> Tensor:
        """Distances, 1 x 1 x h x w, of a 1 x 3 x H x W image."""
        return self.head.local(self.backbone(image))


def stitched_distances(
    extractor: FeatureExtractor, head: LocalHead, tiles: Iterable[tuple[Tile, FeatureMaps]]
) -> Tensor:
    """Distances, 1 x 1 x h x w, of a whole photograph from those that a head gives of its tiles."""
    with torch.inference_mode():
        maps = (head.local([torch.from_numpy(one)[None] for one in maps]).numpy() for _, maps in tiles)
        return torch.from_numpy(put_together(extractor.tiling, maps))


def exported_tiles(
    networks: TileNetworks, contract: Preprocessing, outputs: Sequence[str], nearest: bool = False
) -> tuple[bytes, bytes]:
    """Both graphs as ONNX: of a tile, and of what all tiles give together, with these outputs.

    Where the detector has a memory bank that of a tile can give `nearest` too.
    """
    parts = tiling(contract)
    tile = torch.zeros(1, 3, parts.tile_height, parts.tile_width)
    with torch.inference_mode():
        whole = torch.zeros(parts.whole_shape(networks.tile(tile).shape))
    model = to_onnx(networks.tile, tile, ["map"])
    if nearest:
        model = to_onnx(WithNearest(networks.tile), tile, ["map", NEAREST])
    return model, to_onnx(networks.scoring, whole, outputs)


def tiles_of_good(
    extractor: FeatureExtractor, paths: Sequence[Path]
) -> Iterator[tuple[int, Tile, FeatureMaps]]:
    """Tiles of photographs to learn from, one by one: the photograph's position, the tile, its feature maps."""
    with task("Reading good images in tiles", len(paths) * len(extractor.tiling.tiles)) as advance:
        for position, tiles in enumerate(extractor.stream_tiles(paths)):
            for tile, maps in tiles:
                yield position, tile, maps
                advance(1)


def kept_patches(embedding: nn.Module, tile: Tile, maps: FeatureMaps) -> Tensor:
    """Patch vectors of what is kept of a tile, N x D."""
    patches = embedding([torch.from_numpy(one)[None] for one in maps])
    rows, columns = tile.kept(tile.height // patches.shape[2])
    kept: Tensor = patches[0, :, rows, columns].flatten(1).T.contiguous()
    return kept
