"""How much the divergence of `vae` counts, and whether edges excuse errors, without a single test image.

    python bench/choose_vae.py ../shared/data/screw ../shared/data/metal_plate --sample washer,grass [--epochs 20]

Of the good training photographs at most 60 are learnt from and 20 are held out, into each of which four defects are
painted. The networks are trained once for each weight of the divergence; the table is the AUROC of painted defects
against the photographs held out, as the score is made with and without `edges`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from measuring.pages import ROOT, origin, table, write_block

from blemish.core.errors import BlemishError
from blemish.core.images import read_image
from blemish.core.types import ByteArray
from blemish.data.catalog import Catalog
from blemish.data.categories import open_category
from blemish.data.defect_files import write_image
from blemish.data.patch_defects import PAINTERS
from blemish.data.sample_line import write_sample_line
from blemish.detectors.reconstruction.head import ReconstructionHead, edge_energy
from blemish.detectors.reconstruction.vae import VariationalAutoencoder
from blemish.evaluation.metrics import image_auroc
from blemish.features.pixels import PixelCache
from blemish.view.preprocessing import standardise

PAGE = ROOT / "docs" / "decisions" / "0028-the-noise-that-vae-expects.md"
LEARNT, HELD_OUT, PAINTED, SIDE, SEED = 60, 20, 4, 512, 21
EDGES = (0.0, 2.0)


def parted(catalog: Catalog) -> tuple[Catalog, list[Path]]:
    """What is learnt from, and the good photographs held out."""
    paths = catalog.train_normal()
    order = np.random.default_rng(3).permutation(len(paths))
    count = min(LEARNT, len(paths) * 3 // 4)
    learnt = {str(paths[position]) for position in order[:count]}
    held_out = [paths[position] for position in sorted(order[count : count + HELD_OUT])]
    return catalog.subset(catalog.table["path"].isin(learnt)), held_out


def paint(paths: list[Path], folder: Path) -> list[Path]:
    """Copies of photographs, of at most 512 pixels, each with one painted defect."""
    made = []
    for number, path in enumerate(paths):
        image = read_image(path)
        if (scale := SIDE / max(image.shape[:2])) < 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for copy in range(PAINTED):
            damaged = with_a_defect(image, np.random.default_rng([5, number, copy]))
            if damaged is not None:
                made.append(folder / f"{number:03d}-{copy}.png")
                write_image(made[-1], damaged)
    return made


def with_a_defect(image: ByteArray, rng: np.random.Generator) -> ByteArray | None:
    """The photograph with a defect of a random type; None where none can be seen on it."""
    for name in rng.permutation(list(PAINTERS)):
        try:
            return PAINTERS[str(name)](image, None, rng)[0]
        except BlemishError:
            continue
    return None


def reached(detector: VariationalAutoencoder, good: list[Path], painted: list[Path]) -> list[str]:
    """AUROC for each of `EDGES`."""
    contract, pixels = detector.preprocessing(), PixelCache()
    images = [
        torch.from_numpy(standardise(pixels.read(path, contract), contract))[None] for path in good + painted
    ]
    network = detector.network().get_submodule("autoencoder")
    labels, cells = np.repeat([False, True], [len(good), len(painted)]), []
    with torch.inference_mode():
        usual = float(np.mean([float(edge_energy(network(image)).mean()) for image in images[: len(good)]]))
        for edges in EDGES:
            head = ReconstructionHead(
                network, "squared", detector.size, detector.sigma, detector.top, edges=edges
            )
            if edges:
                head.usual_edges.fill_(usual)
            cells.append(f"{image_auroc(labels, np.array([float(head(image)[0]) for image in images])):.3f}")
    return cells


def main() -> None:
    """Fit, measure, print, and with --write put the table onto the page of the decision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="*", type=Path, help="folders of one category each")
    parser.add_argument("--sample", default="", help="categories of the sample line, with commas between")
    parser.add_argument("--betas", default="1,0.01", help="weights of the divergence")
    parser.add_argument("--augment", default="none", help="as of the detector")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--write", action="store_true", help="write onto the page of the decision")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        roots = list(options.data)
        if options.sample:
            names = options.sample.split(",")
            roots += write_sample_line(
                Path(folder) / "line", names, train=80, good=1, per_defect_type=1, seed=SEED
            )
        for root in roots:
            learnt, good = parted(open_category(root, None))
            painted = paint(good, Path(folder) / f"painted-{root.name}")
            row = [root.name]
            for beta in map(float, options.betas.split(",")):
                made = VariationalAutoencoder(beta=beta, epochs=options.epochs, augment=options.augment)
                row += reached(made.fit(learnt), good, painted)
            rows.append(row)
            print(*row, sep="  ", flush=True)
    betas = options.betas.split(",")
    header = ["category", *(f"beta {beta}, edges {edges:g}" for beta in betas for edges in EDGES)]
    shown = f"{table(header, rows)}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(PAGE, "vae", shown)


if __name__ == "__main__":
    main()
