"""What copies of few photographs are worth: image AUROC of the default inspector learnt from the first N good ones.

The N photographs are the first of the sorted names, shuffled by `random.Random(0)`. The test images only measure.

    .venv/bin/python bench/few_photographs.py ../shared/data/screw 20 50 320 --copies none auto
    .venv/bin/python bench/few_photographs.py ../shared/data/metal_plate 8 --copies none auto
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import numpy as np

from blemish.core.json_values import with_tuples
from blemish.data.catalog import Catalog, open_catalog
from blemish.detectors.memory.patchcore import PatchCore
from blemish.evaluation.metrics import image_auroc
from blemish.workflows.fields import parsed_setting


def first_photographs(catalog: Catalog, count: int) -> Catalog:
    """The catalog with `count` of its good training images, and all others as they are."""
    table = catalog.table
    good = np.flatnonzero(((table["split"] == "train") & (table["label"] == "normal")).to_numpy())
    good = good[np.argsort(table["path"].iloc[good].to_numpy())]
    order = good.tolist()
    random.Random(0).shuffle(order)
    return catalog.subset(np.setdiff1d(np.arange(len(catalog)), order[count:]))


def measure(catalog: Catalog, count: int, copies: str, settings: dict[str, object]) -> str:
    """A row of the table."""
    chosen = first_photographs(catalog, count)
    detector = PatchCore(copies=copies, **settings)  # type: ignore[arg-type]
    started = time.process_time()
    detector.fit(chosen)
    seconds = time.process_time() - started
    test = catalog.test()
    scores = np.array([one.score for one in detector.predict([Path(path) for path in test["path"]])])
    auroc = image_auroc((test["label"] == "anomalous").to_numpy(), scores)
    choice = detector.copies_choice_
    if choice is not None:
        print(choice.why, choice.more, sep="\n", flush=True)
    used = copies if choice is None else f"{copies}: {choice.copies}"
    return f"| {catalog.category} | {count} | {used} | {auroc:.3f} | {seconds:.1f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--copies", nargs="+", default=["none", "auto"])
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    settings = {name: with_tuples(value) for name, value in map(parsed_setting, given.set)}
    catalog = open_catalog(given.root)
    print("| set | photographs | copies | AUROC | CPU seconds of the fit |\n|---|---|---|---|---|")
    for count in given.counts:
        for copies in given.copies:
            print(measure(catalog, count, copies, settings), flush=True)


if __name__ == "__main__":
    main()
