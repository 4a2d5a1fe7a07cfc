"""What it costs to ignore an area that was learnt: how far its edge is seen, and what it does to scores of good parts.

    python bench/regions.py ../shared/data/metal_plate ../shared/data/screw [--write] [--picture]

Of each category good photographs alone are looked at: some are learnt from, and in others boxes are filled, by the mean
colour or by the colour of the nearest pixel. PatchCore's score is taken as the highest value of its map. A row is a
category, a way to fill and a margin around the box that is not judged: the share of (photograph, box) whose score rises
by more than 1 %, and the largest and the median of score after / score before. With --picture the picture of
docs/view-regions.md is drawn, from the sample line.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from measuring.pages import ROOT, origin, table, write_block
from torch import Tensor, nn

from blemish.core.images import read_image
from blemish.core.network import CompiledNetwork
from blemish.core.pictures import encoded
from blemish.core.storage import write_bytes
from blemish.core.types import BoolArray, ByteArray
from blemish.data.catalog import open_catalog
from blemish.data.categories import open_category
from blemish.data.sample_line import write_sample_line
from blemish.detectors.registry import create_detector
from blemish.features.onnx_export import to_onnx
from blemish.line.runtime import Inspector
from blemish.line.view_picture import drawn_view
from blemish.making.build import build_inspector
from blemish.making.reach import measure_reach
from blemish.view.preprocessing import look, standardise
from blemish.view.regions import continued, filled

PAGE = ROOT / "docs" / "decisions" / "0040-ignoring-more-after-the-fit.md"
PICTURE = ROOT / "docs" / "images" / "view-regions.jpg"
LEARNT, TRIED, PROBED, SEED = 30, 12, 4, 5
MARGINS = (0, 16, 32, 48)


class ScoreOfMap(nn.Module):
    """A detector's network whose score is the highest value of its map."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W)."""
        anomaly_map = self.network(image)[1]
        return anomaly_map.amax().reshape(1), anomaly_map


def random_boxes(height: int, width: int, rng: np.random.Generator) -> Iterator[BoolArray]:
    """Boxes of a tenth to four tenths of the sides, one a call."""
    while True:
        box = np.zeros((height, width), np.bool_)
        down, across = (int(side * rng.uniform(0.1, 0.4)) for side in (height, width))
        y, x = int(rng.integers(0, height - down)), int(rng.integers(0, width - across))
        box[y : y + down, x : x + across] = True
        yield box


def measured(root: Path) -> Iterator[tuple[str, ...]]:
    """The rows of a category."""
    paths = open_category(root, None).train_normal()
    drawn = [paths[i] for i in np.random.default_rng(SEED).permutation(len(paths))]
    learnt, tried = drawn[:LEARNT], drawn[LEARNT : LEARNT + TRIED] or drawn[:TRIED]
    detector = create_detector("patchcore", context=0).fit(learnt)
    contract = detector.preprocessing()
    example = torch.zeros(1, 3, contract.height, contract.width)
    model = to_onnx(ScoreOfMap(detector.network()), example, ("score", "map"))
    reach = measure_reach(model, contract, learnt[:PROBED]).pixels
    network = CompiledNetwork(model)
    fills: dict[str, Callable[[ByteArray, BoolArray], ByteArray]] = {
        "mean colour": lambda image, counted: filled(image, counted, contract.filling),
        "nearest pixel": continued,
    }
    ratios: dict[tuple[str, int], list[float]] = {}
    boxes = random_boxes(contract.height, contract.width, np.random.default_rng(SEED))
    for path in tried:
        picture = look(read_image(path), contract).picture
        before = float(network(standardise(picture, contract)[None])[0].reshape(-1)[0])
        for box in (next(boxes) for _ in range(3)):
            away = cv2.distanceTransform((~box).view(np.uint8), cv2.DIST_C, 3)
            for fill, fill_in in fills.items():
                shown = network(standardise(fill_in(picture, ~box), contract)[None])[1]
                for margin in (*MARGINS, *(() if reach is None else (reach,))):
                    left = shown[away > margin]
                    if left.size:
                        ratios.setdefault((fill, margin), []).append(float(left.max()) / before)
    for (fill, margin), found in sorted(ratios.items()):
        name = f"{margin} (the reach)" if margin == reach else str(margin)
        values = np.array(found)
        rises = f"{(values > 1.01).mean():.2f}"
        yield root.name, fill, name, rises, f"{values.max():.2f}", f"{np.median(values):.2f}"


def draw(out: Path) -> None:
    """What is looked at, a verdict, and what is looked at after more was taken away, side by side."""
    with tempfile.TemporaryDirectory() as work:
        (root,) = write_sample_line(Path(work), ("washer",), train=20, good=2, per_defect_type=2, size=384)
        given: dict[str, Any] = {
            "size": 256,
            "include": ("polygon:192,6,378,110,378,274,192,378,6,274,6,110",),
            "ignore": ("box:20,300,120,70",),
        }
        path = Path(work) / "washer.blemish"
        build_inspector(open_catalog(root), path, create_detector("padim", **given), folds=2)
        inspector = Inspector.load(path)
        shown = read_image(sorted((root / "test" / "missing_piece").glob("*.png"))[0])
        less = inspector.with_ignored(["box:250,20,90,60"])
        pieces = [
            drawn_view(shown, inspector.manifest.preprocessing),
            np.asarray(inspector.inspect(shown).overlay()),
            drawn_view(shown, less.manifest.preprocessing),
        ]
        height = max(piece.shape[0] for piece in pieces)
        padded = [
            cv2.copyMakeBorder(
                piece, 0, height - piece.shape[0], 0, 8, cv2.BORDER_CONSTANT, value=(255, 255, 255)
            )
            for piece in pieces
        ]
        write_bytes(out, encoded(np.concatenate(padded, axis=1), ".jpg", quality=85))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and with --write put the table onto the page of the decision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="*", type=Path, help="folders of one category each")
    parser.add_argument("--write", action="store_true", help="write onto the page of the decision")
    parser.add_argument("--picture", action="store_true", help=f"write {PICTURE.relative_to(ROOT)}")
    options = parser.parse_args(arguments)
    if options.picture:
        draw(PICTURE)
    rows = [row for root in options.data for row in measured(root)]
    if rows:
        header = ("category", "filled by", "margin", "rises", "largest", "median")
        shown = f"{table(header, rows)}\n\n{origin()}"
        print(shown)
        if options.write:
            write_block(PAGE, "regions", shown)


if __name__ == "__main__":
    main()
