"""What classical detectors see of small defects, by how features are pooled and reduced, without any test image.

    python bench/choose_pooling.py [--categories washer,label] [--real screw,metal_plate] [--write]

Of each category of the sample line 40 good photographs are learnt from; 60 others are held out as they are, and once
more with a defect painted into each. Of real sets half of at most 140 good training photographs are learnt from. The
table is the image AUROC of painted against good.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measuring.pages import ROOT, origin, table, write_block

from blemish.core.types import FloatArray
from blemish.data.catalog import open_catalog
from blemish.data.painted_images import painted_images
from blemish.data.sample_line import SAMPLE_CATEGORIES, write_sample_line
from blemish.detectors.classical import DETECTORS
from blemish.detectors.classical.tabular import TabularDetector
from blemish.detectors.registry import create_detector
from blemish.evaluation.metrics import image_auroc

PAGE = ROOT / "docs" / "decisions" / "0030-extremes-see-small-defects.md"
DATA = Path(os.environ.get("BLEMISH_REAL_DATA") or ROOT.parent / "shared" / "data")
LEARNT, MOST_REAL = 40, 140
SETTINGS: dict[str, dict[str, Any]] = {
    "mean, 95 %": {"pooling": "mean", "explained": 0.95},
    "mean": {"pooling": "mean"},
    "max": {"pooling": "max"},
    "extremes, 95 %": {"pooling": "extremes", "explained": 0.95},
    "extremes": {"pooling": "extremes"},
}
OF_ENVELOPES: dict[str, dict[str, Any]] = {
    "mean, robust": {"pooling": "mean", "covariance": "robust"},
    "extremes, robust": {"pooling": "extremes", "covariance": "robust"},
    "mean, shrunk": {"pooling": "mean"},
    "max, shrunk": {"pooling": "max"},
    "extremes, shrunk": {"pooling": "extremes"},
}


def groups(name: str, folder: Path) -> list[list[Path]]:
    """Photographs of a category that are learnt from, good ones held out, and these with defects painted in."""
    if name in SAMPLE_CATEGORIES:
        (root,) = write_sample_line(folder / "line", [name], train=100)
        good = open_catalog(root).train_normal()
        learnt = LEARNT
    else:
        good = open_catalog(DATA / name).train_normal()
        order = np.random.default_rng(0).permutation(len(good))[:MOST_REAL]
        good, learnt = [good[place] for place in order], len(order) // 2
    held = good[learnt:]
    return [good[:learnt], held, [one.path for one in painted_images(held, folder / "painted" / name)]]


def reached(detector: TabularDetector, rows: list[FloatArray]) -> float:
    """Image AUROC of painted against good."""
    learnt, good, painted = rows
    detector.fit_rows(learnt)
    labels = np.repeat([False, True], [len(good), len(painted)])
    return image_auroc(labels, np.concatenate([detector.score_rows(good), detector.score_rows(painted)]))


def main() -> None:
    """Read, fit, measure, print, and with --write put the table onto the page of the decision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--categories", default=",".join(SAMPLE_CATEGORIES), help="of the sample line")
    parser.add_argument("--real", default="screw,metal_plate,magnetic_tile", help="folders of real sets")
    parser.add_argument("--write", action="store_true", help="write onto the page of the decision")
    options = parser.parse_args()
    names = [name for name in (*options.categories.split(","), *options.real.split(",")) if name]
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            parts, known = groups(name, Path(folder)), {}
            for info in DETECTORS:
                settings = OF_ENVELOPES if info.name == "elliptic-envelope" else SETTINGS
                for setting, given in settings.items():
                    detector = create_detector(info.name, **given)
                    assert isinstance(detector, TabularDetector)
                    if detector.pooling not in known:
                        known[detector.pooling] = [np.asarray(detector.rows_of(paths)) for paths in parts]
                    found.setdefault((info.name, setting), []).append(
                        reached(detector, known[detector.pooling])
                    )
            print(name, *(f"{aurocs[-1]:.2f}" for aurocs in found.values()), flush=True)
    rows = [
        (f"`{detector}`", setting, f"{np.mean(aurocs):.3f}", *(f"{one:.2f}" for one in aurocs))
        for (detector, setting), aurocs in found.items()
    ]
    shown = f"{table(('detector', 'pooling, components', 'mean', *names), rows)}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(PAGE, "pooling", shown)


if __name__ == "__main__":
    main()
