"""Know the photographs before trusting a model: how many, how alike, how lit, what is doubled or odd."""

import sys
from pathlib import Path

import blemish as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/explore")
(labels,) = bl.write_sample_line(
    folder / "sample-line", ("label",), train=24, good=8, per_defect_type=2, size=128
)

# A catalog is the table of a category's images, whatever layout they lie in.
catalog = bl.open_catalog(labels)
print(catalog.counts())
print(catalog.table.groupby(["split", "defect_type"]).size().to_string())

# Each photograph is decoded once; the report shows brightness, sharpness, defects, near copies and outliers.
explored = bl.explore_images(labels, folder / "exploration")
for finding in explored.exploration.findings:
    print(f"{finding.kind}: {Path(finding.path).name}: {finding.detail}")
for insight in explored.exploration.insights:
    print(f"- {insight.sentence}")
print(f"Report: {explored.report}")
