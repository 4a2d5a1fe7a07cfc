"""Two ways to compare detectors: by hand, as in scikit-learn, and as a benchmark with report."""

import sys
from pathlib import Path

from sklearn.metrics import roc_auc_score

import blemish as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/compare-detectors")
(washers,) = bl.write_sample_line(
    folder / "sample-line", ("washer",), train=24, good=8, per_defect_type=2, size=128
)

# By hand: a detector is fitted on good parts, and predicts a score and a map for every photograph.
catalog = bl.open_catalog(washers)
tests = catalog.test()
for detector in (
    bl.PatchCore(size=128, coreset_size=500),
    bl.Padim(size=128),
    bl.NearestNeighbours(size=128),
):
    detector.fit(catalog)
    scores = [prediction.score for prediction in detector.predict(tests["path"].tolist())]
    print(f"{roc_auc_score(tests['label'] == 'anomalous', scores):.3f}  {detector}")

# As a benchmark: several categories, detectors and seeds, kept cell by cell, with pixel figures and times.
compared = bl.benchmark(washers, ["padim", "knn", "isolation-forest"], folder / "benchmark", size=128)
print(compared.to_pandas()[["detector", "image_auroc", "aupro"]].to_string(index=False))
print(f"Report: {compared.report}")
