"""What a notebook shows: results draw themselves, and each can be had as a table, a picture or a page."""

import sys
from pathlib import Path

import numpy as np

import blemish as bl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/notebook-results")
folder.mkdir(parents=True, exist_ok=True)

# Photographs straight from a camera are arrays: uint8, H x W x 3 (RGB) or H x W (grey).
rng = np.random.default_rng(0)
plates = [rng.normal(140, 3, (96, 96)).clip(0, 255).astype(np.uint8) for _ in range(16)]
scratched = plates[0].copy()
scratched[40:44, 20:80] = 250

inspector = bl.fit(plates, detector=bl.NearestNeighbours(size=96, coreset_size=300), category="plate")
results = [inspector.inspect(image) for image in (plates[1], scratched)]
for result in results:
    print(result)

# In Jupyter the last line of a cell is shown like this; here it becomes a page.
page = "".join(thing._repr_html_() for thing in (inspector, *results))
(folder / "notebook.html").write_text(page, encoding="utf-8")

# A detector alone gives score and map, for a plot of your own.
prediction = bl.PatchCore(size=96, coreset_size=200).fit(plates).predict(scratched)
row, column = np.unravel_index(prediction.anomaly_map.argmax(), prediction.anomaly_map.shape)
print(f"Score {prediction.score:.2f}, highest at row {row}, column {column}.")
