"""What thresholds chosen with a few known defects are worth on defects and good parts that nobody has shown.

    python bench/known_defects.py screw.blemish ../shared/data/screw plate.blemish ../shared/data/metal_plate [--write]

Each inspector scores the test photographs once. Then, 100 times a row, so many defects are drawn to be known, a
threshold is chosen with them as `blemish decide` does, and counted on the defects that are left and on all good test
photographs. The last column is how often the share missed of those left lies in the 95 % interval that was said of the
known ones. Labels of test photographs only measure.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measuring.pages import ROOT, origin, table, write_block

from blemish.core.types import FloatArray
from blemish.data.catalog import open_catalog
from blemish.line.defect_scores import score_defects
from blemish.line.policy import Policy, decided
from blemish.line.runtime import Inspector

PAGE = ROOT / "docs" / "decisions" / "0053-known-defects.md"
DRAWS, KNOWN = 100, (5, 10, 20, 40)
HEAD = (
    "inspector",
    "asked for",
    "known defects",
    "good parts: expected",
    "rejected",
    "known missed",
    "others missed",
    "expected at most",
    "others in the interval said",
)
POLICIES = {
    "rate 0.02": Policy(false_reject_rate=0.02),
    "recall 0.9": Policy(recall=0.9),
    "recall 0.9, rate 0.05": Policy(recall=0.9, false_reject_rate=0.05),
    "cost 50 : 1": Policy(cost_missed=50, cost_false_reject=1),
    "best F1, 0.01 defective": Policy(best_f1=True, defective_share=0.01),
}


def rows(inspector: Inspector, data: Path) -> Iterator[tuple[str, ...]]:
    """A row for each policy and each number of known defects."""
    tested = open_catalog(data).test()
    scores = {
        label: score_defects(inspector, [Path(path) for path in of["path"]]).scores
        for label, of in tested.groupby("label")
    }
    good, defective = scores["normal"], scores["anomalous"]
    for asked, policy in POLICIES.items():
        for count in KNOWN:
            if count <= len(defective) // 2:
                yield (inspector.name, asked, str(count), *drawn(inspector, policy, count, good, defective))


def drawn(
    inspector: Inspector, policy: Policy, count: int, good: FloatArray, defective: FloatArray
) -> tuple[str, ...]:
    """Means over draws of the known defects."""
    random, figures = np.random.default_rng(0), []
    for _ in range(DRAWS):
        order = random.permutation(defective)
        known, others = order[:count], order[count:]
        decision = decided(inspector.manifest, inspector.calibration, policy, known).decision
        seen = decision.seen
        assert seen is not None
        missed = int(np.count_nonzero(others <= decision.threshold))
        share = missed / len(others)
        figures.append(
            (
                decision.expected,
                np.mean(good > decision.threshold),
                seen.missed / seen.n,
                share,
                (seen.missed + 1) / (seen.n + 1),
                seen.missed_low <= share <= seen.missed_high,
            )
        )
    return tuple(f"{value:.1%}" for value in np.mean(np.asarray(figures, np.float64), axis=0))


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+", type=Path, metavar="INSPECTOR DATA")
    parser.add_argument("--write", action="store_true", help="write the table into the decision page")
    given = parser.parse_args()
    found = [
        row
        for file, data in zip(given.pairs[::2], given.pairs[1::2], strict=True)
        for row in rows(Inspector.load(file), data)
    ]
    text = f"{table(HEAD, found)}\n\n{origin()}"
    if given.write:
        write_block(PAGE, "known", text)
    else:
        print(text)


if __name__ == "__main__":
    main()
