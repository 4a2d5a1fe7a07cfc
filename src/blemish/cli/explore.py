"""`blemish explore`: what the images are worth, before a model is trusted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, stray_prints_on_stderr

if TYPE_CHECKING:
    from blemish.core.types import ByteArray, FloatArray
    from blemish.explore.exploration import Exploration
    from blemish.explore.survey import Embed, MoreMeasures

_EMBEDDING_SIZE = 224
_MOST_INSIGHTS = 8
_MEASURED_ANYWAY = frozenset({"width", "height", "aspect_ratio", "mean_intensity", "noise_level"})


def explore(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder of images in any layout, or a manifest.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for report.html, exploration.json, images.csv.")],
    category: Annotated[
        str | None, typer.Option(help="Of several categories in DATA, only this one.")
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="Network for the map of the images; `none` leaves it out.")
    ] = "efficientnet_lite0",
    handcrafted: Annotated[
        bool, typer.Option(help="Compare good and defective images by handcrafted features too.")
    ] = True,
    json_output: JsonOption = False,
) -> None:
    """Know the images before trusting a model.

    Every image is decoded once. Writes an interactive report, its numbers as JSON, and a table as CSV. What is
    wrong with the images is reported and never ends the run: exit status 0.

    \b
    blemish explore photographs/ --out exploration/
    """
    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import use_reporter
    from blemish.core.storage import write_json, write_text
    from blemish.data.catalog import open_catalogs
    from blemish.data.categories import open_category
    from blemish.explore.exploration import explore_catalogs
    from blemish.explore.report import write_report

    catalogs = [open_category(data, category)] if category else open_catalogs(data)
    report = out / "report.html"
    further = handcrafted_measures() if handcrafted else None
    with (
        use_reporter(reporter_for(json_output)),
        stray_prints_on_stderr(),
        explore_catalogs(catalogs, embedding(backbone), further) as exploration,
    ):
        write_report(exploration, report, f"{data.resolve().name}: exploration")
        document = {**exploration.to_json(), "report": str(report)}
        write_json(out / "exploration.json", document)
        write_text(out / "images.csv", exploration.table().to_csv(index=False))
    emit(document, json_output, lambda: _print_exploration(exploration, report))


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


def _print_exploration(exploration: Exploration, report: Path) -> None:
    for explored in exploration.categories:
        catalog = explored.survey.catalog
        console.print(f"{catalog.category}: {len(catalog)} images, layout {catalog.layout}", style="bold")
        for split, counts in catalog.counts().items():
            held = ", ".join(f"{defect_type} {count}" for defect_type, count in counts.items())
            console.print(f"  {split}: {held or 'none'}")
        kinds = Counter(finding.kind for finding in explored.findings)
        summary = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        console.print(f"  problems: {summary}" if kinds else "  no problems found")
    for rank, insight in enumerate(exploration.insights[:_MOST_INSIGHTS], 1):
        console.print(f"{rank}. {insight.category}: {insight.sentence}")
    console.print(f"Report: {report}")
    console.print(f"Next: blemish fit DATA --size {exploration.recommended_size} --out NAME.blemish")
