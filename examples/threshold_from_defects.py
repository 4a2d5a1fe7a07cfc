"""A threshold from known defects: four rules choose on one half of the labelled photographs, the other half judges."""

import sys
from pathlib import Path

import numpy as np

import blemish as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/threshold-from-defects")
(boards,) = bl.write_sample_line(
    folder / "sample-line", ("board",), train=32, good=20, per_defect_type=4, size=192
)
inspector = bl.fit(boards, size=192, coreset_size=1000)

# Scores of the labelled photographs: the inspector's own threshold knows good parts alone.
table = bl.evaluate(inspector, boards).to_pandas()
scores, defective = table["score"].to_numpy(), (table["label"] == "anomalous").to_numpy()

# Every second photograph of each kind chooses; a threshold that is judged by what it was chosen on flatters itself.
order = table.groupby("defect_type").cumcount().to_numpy()
chosen, judging = order % 2 == 0, order % 2 == 1
thresholds = bl.choose_thresholds(defective[chosen], scores[chosen], "every second photograph")

print(f"{'rule':<32}{'threshold':>10}{'found':>8}{'good rejected':>15}   chosen on")
for threshold in thresholds:
    decision = threshold.judge(defective[judging], scores[judging])
    good = decision.false_positives + decision.true_negatives
    rejected = decision.false_positives / good
    found = f"{decision.recall:.0%}"
    print(
        f"{threshold.title:<32}{threshold.value:>10.3f}{found:>8}{rejected:>15.0%}   {threshold.seen.sentence()}"
    )

own = (scores > inspector.threshold)[judging]
found, rejected = own[defective[judging]].mean(), own[~defective[judging]].mean()
print(f"{'the inspector, good parts alone':<32}{inspector.threshold:>10.3f}{found:>8.0%}{rejected:>15.0%}")
assert np.isfinite([threshold.value for threshold in thresholds]).all()
