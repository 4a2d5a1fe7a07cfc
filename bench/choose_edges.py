"""What it brings that edges of a reconstruction excuse errors around them, without a test image of any benchmark.

    python bench/choose_edges.py [--categories washer,label] [--detectors cae] [--write]

The sample line is drawn with another seed than the one that everything else is measured on. Each autoencoder of pixels
is fitted once, on 40 good photographs; the table is the image AUROC of 40 good and 48 defective ones, by how far edges
excuse, in pixels.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path

from measuring.pages import ROOT, origin, table, write_block

from blemish.data.catalog import Catalog, open_catalog
from blemish.data.entries import NORMAL
from blemish.data.sample_line import write_sample_line
from blemish.detectors.reconstruction.base import ReconstructionDetector
from blemish.detectors.registry import create_detector
from blemish.detectors.trained import Prepared
from blemish.evaluation.metrics import image_auroc

PAGE = ROOT / "docs" / "decisions" / "0015-edges-excuse-errors.md"
EDGES = (0.0, 2.0, 3.0, 5.0)
SEED = 7


def reached(detector: ReconstructionDetector, catalog: Catalog, edges: float) -> float:
    """Image AUROC of the fitted network with other edges."""
    other = dataclasses.replace(detector, edges=edges)
    prepared = Prepared(other.training_photographs(catalog), None)
    objective = other.make_objective(prepared)
    objective.get_submodule("autoencoder").load_state_dict(
        detector.network().get_submodule("autoencoder").state_dict()
    )
    other.network_ = other.finish(objective.eval(), prepared).eval()
    test = catalog.test()
    scores = [prediction.score for prediction in other.predict([Path(path) for path in test["path"]])]
    return image_auroc((test["label"] != NORMAL).to_numpy(), scores)


def main() -> None:
    """Fit, measure, print, and with --write put the table onto the page of the decision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--categories", default="washer,gravel,label", help="of the sample line")
    parser.add_argument("--detectors", default="cae,vae,ssim-autoencoder,residual-autoencoder")
    parser.add_argument("--write", action="store_true", help="write onto the page of the decision")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        line = Path(folder) / "line"
        for root in write_sample_line(
            line, options.categories.split(","), good=40, per_defect_type=8, seed=SEED
        ):
            catalog = open_catalog(root)
            for name in options.detectors.split(","):
                detector = create_detector(name).fit(catalog)
                assert isinstance(detector, ReconstructionDetector)
                found = [f"{reached(detector, catalog, edges):.3f}" for edges in EDGES]
                rows.append((root.name, f"`{name}`", *found))
                print(*rows[-1], sep="  ", flush=True)
    header = ("category", "detector", "none", *(f"{edges:g} px" for edges in EDGES[1:]))
    shown = f"{table(header, rows)}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(PAGE, "edges", shown)


if __name__ == "__main__":
    main()
