"""What keeping photographs of one part in one fold does to threshold, false rejects and recall.

    python bench/groups.py ../shared/data/magnetic_tile --by 'number:100' --by '^(.*?)_num' [--write]

A row is a way to group the good training photographs; the first is none. The detector learns from all of them each
time. Good test photographs of parts that were learnt from, as the grouping in `--parts` tells them, are left out of the
count. Labels of test photographs only measure.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from measuring.pages import ROOT, origin, table, write_block

from blemish.core.conformal import Calibration
from blemish.data.catalog import Catalog, open_catalog
from blemish.detectors.registry import DEFAULT_DETECTOR, create_detector
from blemish.evaluation.metrics import image_auroc
from blemish.line.decision import FALSE_REJECT_RATE

PAGE = ROOT / "docs" / "decisions" / "0045-a-part-is-not-judged-by-itself.md"
HEAD = (
    "grouped by",
    "groups",
    "threshold",
    "promised: expected",
    "at most",
    "good parts rejected",
    "recall",
    "AUROC",
)


def row(catalog: Catalog, by: str, parts: str, detector: str) -> tuple[str, ...]:
    """What one way to group gives."""
    learnt = catalog.grouped(by) if by else catalog
    fitted = create_detector(detector).fit(learnt)
    paths, groups = learnt.train_normal(), learnt.groups()
    held = dict(fitted.cross_predict(learnt, fitted.calibration_folds))
    found = sorted((one.score, groups.get(paths[position], "")) for position, one in held.items())
    belonging = np.unique([group for _, group in found], return_inverse=True)[1] if groups else None
    calibration = Calibration(np.array([score for score, _ in found]), belonging)
    threshold = calibration.threshold(max(FALSE_REJECT_RATE, calibration.smallest_rate))
    promise = calibration.promise(threshold)
    of_parts = catalog.grouped(parts).groups()
    known = {of_parts[path] for path in paths}
    tested = catalog.test()
    scores = np.array([one.score for one in fitted.predict([Path(path) for path in tested["path"]])])
    defective = (tested["label"] == "anomalous").to_numpy()
    unseen = np.array([of_parts[Path(path)] not in known for path in tested["path"]])
    rejected = scores > threshold
    return (
        f"`{by}`" if by else "nothing",
        str(calibration.n if groups else "-"),
        f"{threshold:.4g}",
        f"{promise.expected:.1%}",
        f"{promise.at_most:.1%}",
        f"{(rejected & ~defective & unseen).sum()} of {(~defective & unseen).sum()}",
        f"{rejected[defective].mean():.3f}",
        f"{image_auroc(defective, scores):.4f}",
    )


def main() -> None:
    """Measure, print, and with --write put the table onto the page of the decision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of one category with test photographs")
    parser.add_argument(
        "--by", action="append", default=[], help="a way to group, as of blemish fit --group-by"
    )
    parser.add_argument("--parts", default="number:100", help="what photographs of one part have in common")
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--write", action="store_true", help="write onto the page of the decision")
    options = parser.parse_args()
    catalog = open_catalog(options.data)
    rows = []
    for by in ("", *options.by):
        rows.append(row(catalog, by, options.parts, options.detector))
        print(*rows[-1], sep="  ", flush=True)
    shown = f"{table(HEAD, rows)}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(PAGE, "groups", shown)


if __name__ == "__main__":
    main()
