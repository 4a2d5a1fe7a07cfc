"""What the gate of corrections lets through, and which head of known defects finds most: on painted defects alone.

    python bench/corrections_chosen.py ../shared/data/metal_plate ../shared/data/screw [--write]

Defects are painted into good photographs; no labelled defect is looked at. Of the gate: how many of the painted ones
that are rejected, called good by mistake, ask a second person, and how many good photographs, each as if unseen, would.
Of the head: some of the painted ones are known, and the share of the others that is rejected at a rate of 1 % is told
for heads that raise scores more or less; likewise where those known are of other types than the others.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measuring.pages import ROOT, origin, table, write_block
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

import blemish
from blemish.core.conformal import Calibration
from blemish.core.outliers import deviations
from blemish.data.catalog import open_catalog
from blemish.data.painted_images import painted_images
from blemish.line.artifact import MODEL, NORMAL_POOLED, Artifact, read_artifact
from blemish.line.runtime import Inspector
from blemish.making.bank_graph import BankGraph
from blemish.making.corrected_goods import Gate
from blemish.making.known_defect_head import farthest_mean

PAGE = ROOT / "docs" / "decisions" / "0072-learning-from-corrections.md"
PAINTED, KNOWN, DRAWS, SEED, RATE = 48, 20, 4, 4, 0.01
HEADS = [(0.0, 0.9), (1.0, 0.5), (2.0, 0.5), (1.0, 0.9), (2.0, 0.9)]
"""Weight of a head, and share of good parts that it leaves as they are; a weight of 0 is the bank alone."""


@dataclass(frozen=True)
class Painted:
    """Painted defects of one category: scores and means of the farthest patches, and of which type each is."""

    scores: np.ndarray
    pooled: np.ndarray
    types: np.ndarray


def painted(root: Path, artifact: Artifact, folder: Path) -> Painted:
    """Defects painted into some of the good photographs, as the inspector sees them."""
    paths = open_catalog(root).train_normal()
    rng = np.random.default_rng(SEED + 1)
    some = [paths[place] for place in rng.permutation(len(paths))[:PAINTED]]
    inspector, graph = Inspector(artifact), BankGraph(artifact.content(MODEL), root.name)
    scores, pooled, types = [], [], []
    for one in painted_images(some, folder, seed=SEED):
        photograph = inspector.open_photograph(one.path.read_bytes(), str(one.path))
        seen = graph.read(inspector.input_of(photograph.pixels).values)
        scores.append(graph.score(seen.distances, seen.offset)[0])
        pooled.append(farthest_mean(seen.vectors, seen.distances))
        types.append(one.defect_type)
    return Painted(np.array(scores), np.array(pooled), np.array(types))


def gate_row(part: str, artifact: Artifact, found: Painted) -> list[str]:
    """What stands before the gate."""
    normal, decision = artifact.normal_scores(), artifact.manifest.decision
    gate = Gate.of(artifact, np.empty((0, found.pooled.shape[1]), np.float32)).most
    away, good = deviations(found.scores, of=normal), deviations(normal)
    (threshold,) = deviations([decision.threshold], of=normal)
    rejected = away[away > threshold]
    asked = f"{np.mean(rejected > gate):.0%} of {len(rejected)}"
    figures = [f"{one:.1f}" for one in (threshold, good.max(), gate)]
    return [part, *figures, asked, f"{np.sum(good > gate)} of {len(good)}"]


def head_rows(part: str, artifact: Artifact, found: Painted) -> Iterator[list[str]]:
    """Share of painted defects rejected by each head, known types first."""
    good, scores = artifact.array(NORMAL_POOLED), artifact.normal_scores()
    for others in (False, True):
        shares: dict[tuple[float, float], list[float]] = defaultdict(list)
        rng = np.random.default_rng(SEED)
        for _ in range(DRAWS):
            known = _known(found.types, others, rng)
            at_good, at_found = _values(good, found.pooled[known], found.pooled[~known])
            slope = _spread(scores) / _spread(at_good)
            for weight, untouched in HEADS:
                line = np.quantile(at_good, untouched)
                raised = [
                    own + weight * slope * np.maximum(value - line, 0)
                    for own, value in ((scores, at_good), (found.scores[~known], at_found))
                ]
                calibration = Calibration(np.sort(raised[0]))
                limit = calibration.threshold(max(RATE, calibration.smallest_rate))
                shares[weight, untouched].append(float(np.mean(raised[1] > limit)))
        yield [f"{part}, other types" if others else part, *(f"{np.mean(shares[one]):.2f}" for one in HEADS)]


def _known(types: np.ndarray, others: bool, rng: np.random.Generator) -> np.ndarray:
    """Which painted defects are known: some of all types, or all of half of the types."""
    if not others:
        return np.isin(np.arange(len(types)), rng.permutation(len(types))[:KNOWN])
    names = sorted(set(types))
    return np.isin(types, rng.permutation(names)[: len(names) // 2])


def _values(good: np.ndarray, known: np.ndarray, tested: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a head says of good photographs, each as if unseen, and of defects that it does not know."""
    middle, spread = good.mean(0), good.std(0) + 1e-6
    rows = (np.concatenate([good, known]) - middle) / spread
    labels = np.repeat([0, 1], [len(good), len(known)])
    head = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
    unseen = cross_val_predict(head, rows, labels, cv=5, method="decision_function")
    return unseen[: len(good)], head.fit(rows, labels).decision_function((tested - middle) / spread)


def _spread(values: np.ndarray) -> float:
    """One robust deviation."""
    return float((values.max() - np.median(values)) / deviations(values).max())


def main() -> None:
    """Measure, print, and with --write put both tables onto the page of the decision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", type=Path, help="folders of one category each")
    parser.add_argument("--inspectors", type=Path, help="folder of NAME.blemish that were fitted before")
    parser.add_argument("--write", action="store_true", help="write onto the page of the decision")
    options = parser.parse_args()
    gates, heads = [], list[list[str]]()
    with tempfile.TemporaryDirectory() as work:
        for root in options.data:
            path = (options.inspectors or Path(work)) / f"{root.name}.blemish"
            if not path.exists():
                blemish.fit(root, path)
            artifact = read_artifact(path)
            found = painted(root, artifact, Path(work) / root.name)
            gates.append(gate_row(root.name, artifact, found))
            heads += head_rows(root.name, artifact, found)
    names = ["bank alone", *(f"weight {weight:g} beyond {untouched:.0%}" for weight, untouched in HEADS[1:])]
    of_gate = (
        "part",
        "threshold",
        "farthest good part",
        "gate",
        "painted ones that ask",
        "good ones that ask",
    )
    shown = f"{table(of_gate, gates)}\n\n{table(('part', *names), heads)}\n\n{origin()}"
    print(shown)
    if options.write:
        write_block(PAGE, "corrections-chosen", shown)


if __name__ == "__main__":
    main()
