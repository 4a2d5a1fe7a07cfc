"""A first inspector: learn what a good part looks like, judge a new photograph, and say what it is worth."""

import sys
from pathlib import Path

import blemish as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/first-inspector")

# The sample line is generated: drawn washers, 40 good ones to learn from, good and defective ones to test.
(washers,) = bl.write_sample_line(
    folder / "sample-line", ("washer",), train=40, good=8, per_defect_type=2, size=192
)

# One line to learn. The same works with paths, PIL images or uint8 arrays: bl.fit(images).
inspector = bl.fit(washers, size=192, coreset_size=1000)
print(inspector)

# One line to judge. In a notebook, `result` alone shows verdict and picture.
result = inspector.inspect(washers / "test" / "scratch" / "000.png")
print(result)
for region in result.regions:
    print(f"  {region.width} x {region.height} pixels at {region.x}, {region.y}")
result.overlay().save(folder / "scratch.png")

# What it is worth, on photographs that it has never seen.
measured = bl.evaluate(inspector, washers)
print(f"AUROC {measured.metrics['image_auroc']:.3f}, {measured.metrics['recall']:.0%} of the defects found")
missed = measured.to_pandas().query("label == 'anomalous' and verdict == 'pass'")
print(f"Missed: {len(missed)}", *missed["path"], sep="\n  ")
measured.report(folder / "report.html")

# The file is all that a line needs: blemish inspect washer.blemish PHOTOGRAPHS
inspector.save(folder / "washer.blemish")
print(f"See {folder}: report.html, scratch.png and washer.blemish.")
