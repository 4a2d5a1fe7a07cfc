"""Measure tiles: memory and time of large photographs, how far a network sees, and how good maps differ from one piece.

    python bench/tiles.py halo [--data FOLDER]        differences at distances from a tile's edge
    python bench/tiles.py pieces [--data FOLDER]      scores and maps of tiles against one piece, and the time of both
    python bench/tiles.py inspecting [--side 10000]   peak memory and time of `blemish inspect` of one photograph
    python bench/tiles.py fitting [--side 10000]      the same of a fit on two

Photographs of FOLDER are those of MVTec-like sets; without it surfaces are drawn.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from measuring.command import run_blemish
from measuring.pages import table
from PIL import Image

from blemish.core.images import list_images, read_image
from blemish.core.types import ByteArray
from blemish.detectors.inputs import catalog_of
from blemish.detectors.layers import PatchScoring
from blemish.detectors.memory.patchcore import PatchCore
from blemish.features.backbones import load_backbone
from blemish.features.halo import needed_halo, patch_differences
from blemish.features.onnx_export import to_onnx
from blemish.line.artifact import MODEL, SCORING, read_artifact, write_artifact
from blemish.making.build import build_inspector
from blemish.view.preprocessing import preprocess
from blemish.view.tiles import UNIT, map_shape
from blemish.view.view import View
from blemish.view_planning.plan import PlannedView

HALOS = (64, 96, 128, 160, 192)
NETWORKS = (
    ("efficientnet_lite0", (8,)),
    ("efficientnet_lite0", (8, 16)),
    ("efficientnet_lite2", (8, 16)),
)


class Planned(PatchCore):
    """PatchCore that looks at photographs in a way that is told it."""

    name = "patchcore"
    planned: PlannedView

    def plan_view(self, paths: Sequence[Path]) -> PlannedView:
        """The way that was told."""
        return self.planned


def detector(height: int, width: int, tile: int, **parameters: object) -> Planned:
    """A detector that reads inputs of this size in tiles."""
    made = Planned(**parameters)  # type: ignore[arg-type]
    made.planned = PlannedView(height, width, View(photograph=(width, height), tile=tile))
    return made


def surface(height: int, width: int, seed: int) -> ByteArray:
    """A brushed surface under uneven light, uint8 RGB; drawn in bands, so that drawing needs little memory."""
    rng = np.random.default_rng(seed)
    light = cv2.resize(
        rng.normal(size=(3, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    image = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, 1000):
        band = light[top : top + 1000]
        grain = cv2.GaussianBlur(rng.normal(size=band.shape).astype(np.float32), (31, 3), 0)
        image[top : top + 1000] = np.clip(120 + 60 * grain + 6 * band, 0, 255).astype(np.uint8)[..., None]
    return image


def pictures(data: Path | None, side: int) -> list[tuple[str, ByteArray]]:
    """Good photographs at this size, one of each set, by name; a drawn one without data."""
    if data is None:
        return [("drawn", surface(side, side, 0))]
    folders = sorted(folder for folder in data.iterdir() if (folder / "train" / "good").is_dir())
    found = []
    for folder in folders:
        image = read_image(list_images(folder / "train" / "good")[3])
        resized = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        found.append((folder.name, np.asarray(resized)))
    return found


def halo(data: Path | None) -> None:
    """Largest difference of a patch from one piece, in per cent of the patches' spread, by distance from the edge."""
    rows = []
    for name, taps in NETWORKS:
        backbone = load_backbone(name, taps)
        for shown, picture in pictures(data, 1024):
            planes = torch.from_numpy(preprocess(picture, backbone.preprocessing(1024, 1024)))[None]
            differences = patch_differences(backbone, 3, planes)
            stride = 512 // len(differences)
            inner = [slice(halo // stride, (512 - halo) // stride) for halo in HALOS]
            largest = [f"{100 * float(differences[one, one].max()):.2f}" for one in inner]
            rows.append([f"{name} {taps}", shown, *largest, str(needed_halo(backbone, 3))])
    print(table(("network", "photograph", *(f"{one} px" for one in HALOS), "chosen, px"), rows))


def pieces(data: Path | None) -> None:
    """Good and marked photographs of 1408 x 1408 in tiles of 512 to 1024 and in one piece, with one bank."""
    side, rows = 1408, []
    for name, picture in pictures(data, side):
        marked = picture.copy()
        for x in range(40, side, 101):
            cv2.circle(marked, (x, (7 * x) % (side - 40) + 20), 9, (70, 60, 50), -1)
        whole = detector(side, side, 0, coreset_size=1000)
        started = whole.fit([picture, np.ascontiguousarray(picture[:, ::-1])])
        expected = started.predict(marked)
        for tile in (512, 768, 1024):
            parts = detector(side, side, tile, coreset_size=1000).look_as(detector(side, side, tile).planned)
            parts.memory_bank_, parts.grid_, parts._fitted_with = (
                whole.memory_bank_,
                whole.grid_,
                parts.get_params(),
            )
            began = time.process_time()
            said = parts.predict(marked)
            seconds = time.process_time() - began
            difference = np.abs(said.anomaly_map - expected.anomaly_map).max() / expected.anomaly_map.std()
            rows.append(
                [
                    name,
                    str(tile),
                    str(len(parts.extractor().tiling.tiles)),
                    f"{100 * (said.score / expected.score - 1):+.3f}",
                    f"{100 * difference:.2f}",
                    f"{seconds:.1f}",
                ]
            )
    print(table(("photograph", "tile, px", "tiles", "score, %", "map, % of its spread", "CPU, s"), rows))


def inspecting(side: int, tile: int, taps: Sequence[int], bank: int) -> None:
    """Peak and time of `blemish inspect` of one large photograph, by an inspector whose bank is of small ones."""
    with tempfile.TemporaryDirectory() as work:
        inspector, photograph = Path(work) / "surface.blemish", Path(work) / "large.png"
        with catalog_of([surface(704, 960, seed) for seed in range(2)]) as catalog:
            learnt = detector(704, 960, 512, taps=tuple(taps), coreset_size=bank)
            build_inspector(catalog, inspector, learnt, folds=2)
        enlarge(inspector, learnt, side // UNIT * UNIT, tile)
        Image.fromarray(surface(side, side, 0)).save(photograph, compress_level=1)
        seen = run_blemish("inspect", inspector, photograph, "--json", cache=Path(work), allowed=(0, 1))
        rows = [[f"{side * side / 1e6:.0f}", str(tile), f"{seen.peak_mib:.0f}", f"{seen.seconds:.0f}"]]
    print(table(("megapixels", "tile, px", "inspect, peak MiB", "s"), rows))


def enlarge(path: Path, learnt: Planned, side: int, tile: int) -> None:
    """Make an inspector one of inputs of another size: with the same bank, and the graphs of other tiles."""
    artifact, networks = read_artifact(path), learnt.tile_networks()
    contract = learnt.preprocessing()
    assert contract.view is not None
    view = contract.view.model_copy(update={"photograph": (side, side), "tile": tile})
    contract = contract.model_copy(update={"height": side, "width": side, "view": view})
    grid, shape = (side // 8, side // 8), map_shape(contract, 8)
    scoring = PatchScoring(grid, shape, None, learnt.sigma * shape[0] / side)
    members = artifact.members | {
        MODEL: to_onnx(networks.tile, torch.zeros(1, 3, tile, tile), ["map"]),
        SCORING: to_onnx(scoring, torch.zeros(1, 1, *grid), ["score", "map"]),
    }
    write_artifact(path, artifact.manifest.model_copy(update={"preprocessing": contract}), members)


def fitting(side: int, tile: int, photographs: int) -> None:
    """Peak and time of a process that fits on large photographs."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "good"
        folder.mkdir()
        for number in range(photographs):
            Image.fromarray(surface(side, side, number)).save(folder / f"{number}.png", compress_level=1)
        command = [sys.executable, __file__, "fit", str(folder), str(side), str(tile)]
        started = time.perf_counter()
        # Without room for features they are made twice, as with photographs in numbers.
        room = {"BLEMISH_CACHE": work, "BLEMISH_CACHE_GB": "0.01"}
        with subprocess.Popen(command, env={**os.environ, **room}) as process:
            _, code, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(code)
        seconds = time.perf_counter() - started
        if process.returncode:
            sys.exit("the fit has failed")
    rows = [
        [
            f"{photographs} x {side * side / 1e6:.0f}",
            str(tile),
            f"{usage.ru_maxrss / 1024:.0f}",
            f"{seconds:.0f}",
        ]
    ]
    print(table(("megapixels", "tile, px", "fit, peak MiB", "s"), rows))


def fit(folder: Path, side: int, tile: int) -> None:
    """What `fitting` runs in a process of its own."""
    inner = side // UNIT * UNIT
    with catalog_of(list_images(folder)) as catalog:
        build_inspector(catalog, folder.parent / "out.blemish", detector(inner, inner, tile), folds=2)


def main() -> None:
    """Measure what is asked for."""
    torch.set_num_threads(2)
    parser = argparse.ArgumentParser(description="Tiles, as Markdown tables.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("halo", "pieces"):
        verbs.add_parser(name).add_argument("--data", type=Path)
    for name in ("inspecting", "fitting"):
        sized = verbs.add_parser(name)
        sized.add_argument("--side", type=int, default=10_000)
        sized.add_argument("--tile", type=int, default=1024)
    verbs.choices["inspecting"].add_argument("--taps", type=int, nargs="+", default=[8, 16])
    verbs.choices["inspecting"].add_argument("--bank", type=int, default=3000)
    sized.add_argument("--photographs", type=int, default=2)
    own = verbs.add_parser("fit")
    for argument, kind in (("folder", Path), ("side", int), ("tile", int)):
        own.add_argument(argument, type=kind)
    options = vars(parser.parse_args())
    work = {"halo": halo, "pieces": pieces, "inspecting": inspecting, "fitting": fitting, "fit": fit}
    work[options.pop("verb")](**options)


if __name__ == "__main__":
    main()
