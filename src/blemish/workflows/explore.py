"""What images are worth, before a model is trusted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blemish.core.storage import write_json, write_text
from blemish.workflows.request import Request

if TYPE_CHECKING:
    from blemish.core.types import ByteArray, FloatArray
    from blemish.explore.exploration import Exploration
    from blemish.explore.survey import Embed, MoreMeasures

_EMBEDDING_SIZE = 224
_MEASURED_ANYWAY = frozenset({"width", "height", "aspect_ratio", "mean_intensity", "noise_level"})


class ExploreRequest(Request):
    """Know images.

    Attributes:
        data: folder of images in any layout, or a manifest.
        out: folder for `report.html`, `exploration.json` and `images.csv`.
        category: of several categories, only this one.
        backbone: network for the map of the images; "none" leaves it out.
        handcrafted: whether good and defective images are compared by handcrafted features too.
    """

    data: Path
    out: Path
    category: str | None = None
    backbone: str = "efficientnet_lite0"
    handcrafted: bool = True


@dataclass(frozen=True)
class ExploreResult:
    """What was found, and the report on it."""

    exploration: Exploration
    document: dict[str, Any]
    report: Path

    @property
    def complete(self) -> bool:
        """True: what is wrong with images is what exploring is for."""
        return True

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return self.document


def explore(request: ExploreRequest) -> ExploreResult:
    """Decode every image once, and write an interactive report, its numbers and a table of the images.

    Raises:
        CatalogError: the folder cannot be opened.
        BlemishError: a file cannot be written.
    """
    from blemish.data.catalog import open_catalogs
    from blemish.data.categories import open_category
    from blemish.explore.exploration import explore_catalogs
    from blemish.explore.report import write_report

    data, out = request.data, request.out
    catalogs = [open_category(data, request.category)] if request.category else open_catalogs(data)
    report = out / "report.html"
    further = handcrafted_measures() if request.handcrafted else None
    with explore_catalogs(catalogs, embedding(request.backbone), further) as exploration:
        write_report(exploration, report, f"{data.resolve().name}: exploration")
        document = {**exploration.to_json(), "report": str(report)}
        write_json(out / "exploration.json", document)
        write_text(out / "images.csv", exploration.table().to_csv(index=False))
    return ExploreResult(exploration, document, report)


def handcrafted_measures() -> MoreMeasures:
    """The handcrafted features of `blemish features` that exploring does not measure by itself under another name."""
    from blemish.features.handcrafted import handcrafted_features

    def measures(image: ByteArray) -> dict[str, float]:
        return {
            name: value for name, value in handcrafted_features(image).items() if name not in _MEASURED_ANYWAY
        }

    return measures


def embedding(backbone: str) -> Embed | None:
    """Features of a frozen backbone at a small size, safe to call on several threads; None for `none`.

    Its taps at strides 8 and 16 on the finer grid: float32 C x 28 x 28.
    """
    if backbone == "none":
        return None
    from threading import Lock

    import cv2
    import numpy as np
    import torch

    from blemish.core.network import CompiledNetwork
    from blemish.core.preprocessing import preprocess
    from blemish.features.backbones import load_backbone
    from blemish.features.onnx_export import to_onnx

    network = load_backbone(backbone)
    contract = network.preprocessing(_EMBEDDING_SIZE, _EMBEDDING_SIZE)
    example = torch.zeros(1, 3, _EMBEDDING_SIZE, _EMBEDDING_SIZE)
    compiled = CompiledNetwork(to_onnx(network, example, ["fine", "coarse"]))
    one_at_a_time = Lock()

    def embed(image: ByteArray) -> FloatArray:
        values = preprocess(image, contract)[None]
        with one_at_a_time:
            fine, coarse = compiled(values)
        side = fine.shape[3], fine.shape[2]
        enlarged = cv2.resize(coarse[0].transpose(1, 2, 0), side, interpolation=cv2.INTER_LINEAR)
        joined = np.concatenate([fine[0].transpose(1, 2, 0), enlarged], axis=2)
        return np.ascontiguousarray(joined.transpose(2, 0, 1), np.float32)

    return embed
