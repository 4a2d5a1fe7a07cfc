"""What defects among the good photographs cost, with and without a robust memory bank.

    python bench/contamination.py ../shared/data/screw [--sample label,gravel] [--shares 0,0.02,0.05,0.1]
        [--context N] [--write]

Of each category some defective test photographs are moved among the good ones that are learnt from, in the place of
as many good ones; the same ones are never judged, whatever the share, so that all rows of a category are judged on the
same photographs. A row is a share; told are those of the moved that are suspected for what they show. Test labels only
measure: the constants of `blemish/detectors/memory/suspicious.py` were chosen on painted defects.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from measuring.pages import ROOT, origin, table, write_block

from blemish.data.catalog import Catalog, open_catalog
from blemish.data.entries import ANOMALOUS, NORMAL, TEST, TRAIN
from blemish.data.sample_line import write_sample_line
from blemish.detectors.memory.patchcore import PatchCore
from blemish.evaluation.metrics import image_auroc

PAGE = ROOT / "docs" / "decisions" / "0046-suspicious-photographs.md"
HEAD = ("category", "defective", "AUROC, not robust", "robust", "moved told", "good suspected")
SEED = 0


def contaminated(catalog: Catalog, share: float, largest: float, most: int) -> tuple[Catalog, set[Path]]:
    """At most `most` training photographs, of them a share defective, and which; those of `largest` judge nothing."""
    rng = np.random.default_rng(SEED)
    split, label = (catalog.table[name].to_numpy(dtype=object) for name in ("split", "label"))
    good = rng.permutation(np.flatnonzero((split == TRAIN) & (label == NORMAL)))[:most]
    defective = rng.permutation(np.flatnonzero((split == TEST) & (label == ANOMALOUS)))
    moved, kept_back = defective[: round(share * len(good))], defective[: round(largest * len(good))]
    learnt = np.concatenate([good[len(moved) :], moved])
    table = catalog.table.assign(split=split.copy(), label=label.copy())
    table.loc[moved, ["split", "label"]] = [TRAIN, NORMAL]
    judged = np.setdiff1d(np.flatnonzero(split == TEST), kept_back)
    paths = {Path(path) for path in catalog.table["path"].iloc[moved]}
    return replace(catalog, table=table).subset(np.concatenate([learnt, judged])), paths


def rows(
    root: Path, shares: Sequence[float], most: int, size: int, context: int
) -> Iterator[tuple[str, ...]]:
    """A row for each share."""
    catalog = open_catalog(root)
    for share in shares:
        learnt, moved = contaminated(catalog, share, max(shares), most)
        tested = learnt.test()
        paths, defective = [Path(path) for path in tested["path"]], (tested["label"] == ANOMALOUS).to_numpy()
        reached, suspected = [], set[Path]()
        for robust in (False, True):
            detector = PatchCore(size=size, robust=robust, context=context).fit(learnt)
            scores = np.array([one.score for one in detector.predict(paths)])
            reached.append(f"{image_auroc(defective, scores):.4f}")
            suspected = set(detector.suspicious())
        told = f"{len(suspected & moved)} of {len(moved)}"
        yield root.name, f"{share:.0%}", *reached, told, str(len(suspected - moved))


def main() -> None:
    """Measure, print, and with --write put the table onto the page of the decision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "data", nargs="*", type=Path, help="folders of one category each, with test photographs"
    )
    parser.add_argument("--sample", default="", help="categories of the sample line, with commas between")
    parser.add_argument(
        "--shares", default="0,0.02,0.05,0.1", help="of the training photographs, with commas between"
    )
    parser.add_argument("--most", type=int, default=320, help="training photographs of a category")
    parser.add_argument("--size", type=int, default=PatchCore.size)
    parser.add_argument("--context", type=int, default=PatchCore.context, help="similar images; 0 for none")
    parser.add_argument("--write", action="store_true", help="write onto the page of the decision")
    options = parser.parse_args()
    shares = [float(share) for share in options.shares.split(",")]
    found = []
    with tempfile.TemporaryDirectory() as work:
        names = options.sample.split(",") if options.sample else []
        line = (
            write_sample_line(Path(work), names, train=120, good=40, per_defect_type=10, seed=11)
            if names
            else ()
        )
        for root in (*options.data, *line):
            for row in rows(root, shares, options.most, options.size, options.context):
                found.append(row)
                print(*row, sep="  ", flush=True)
    shown = f"{table(HEAD, found)}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(PAGE, "contamination", shown)


if __name__ == "__main__":
    main()
