"""Measure whether a bank for each row of tiles is worth having, on good photographs and defects painted on them.

    python bench/tile_rows.py FOLDER [FOLDER ...] [--bands 4] [--bank 2000]

Where parts lie still, a patch could be compared with patches of its own height in the photograph alone (its row of
tiles, and the two beside it) instead of with all. Both banks have as many vectors in all; photographs are read at 352
pixels, as it is the place that matters and not the size. No test photograph is looked at.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from measuring.pages import table
from sklearn.metrics import roc_auc_score
from torch import Tensor

from blemish.data.catalog import open_catalog
from blemish.data.painted_images import painted_images
from blemish.detectors.memory.coreset import greedy_coreset
from blemish.detectors.memory.patchcore import PatchCore

LEARNT, HELD = 40, 30


def patches(detector: PatchCore, paths: Sequence[Path]) -> Tensor:
    """Patch vectors of photographs, N x h x w x D."""
    embedding = detector._embedding()
    rows = []
    for maps in detector.extractor().stream(paths):
        with torch.inference_mode():
            rows.append(embedding([torch.from_numpy(one)[None] for one in maps])[0].permute(1, 2, 0))
    return torch.stack(rows)


def bank_of(vectors: Tensor, size: int) -> Tensor:
    """The greedy coreset of patches N x D, of at most 30,000 of them."""
    drawn = torch.randperm(len(vectors), generator=torch.Generator().manual_seed(0))[:30_000]
    few = vectors[drawn]
    return few[greedy_coreset(few, size)]


def score(vectors: Tensor, bank: Tensor) -> Tensor:
    """Distance of each patch, N x h x w x D, to its nearest bank vector: N x h x w."""
    return torch.cdist(vectors.reshape(-1, vectors.shape[-1]), bank).amin(1).reshape(vectors.shape[:3])


def by_row(good: Tensor, shown: Tensor, bands: int, size: int) -> Tensor:
    """Highest distance of each photograph, every band of rows compared with the banks of itself and its neighbours."""
    height = good.shape[1]
    edges = np.linspace(0, height, bands + 1).astype(int)
    depth = good.shape[-1]
    banks = [
        bank_of(good[:, top:bottom].reshape(-1, depth), size // bands) for top, bottom in pairwise(edges)
    ]
    distances = [
        score(shown[:, edges[band] : edges[band + 1]], torch.cat(banks[max(0, band - 1) : band + 2]))
        for band in range(bands)
    ]
    return torch.cat(distances, 1).flatten(1).amax(1)


def measure(folder: Path, bands: int, size: int) -> list[list[str]]:
    """A table row for one bank and one for banks by row."""
    detector = PatchCore(size=352)
    paths = open_catalog(folder).train_normal()
    order = np.random.default_rng(0).permutation(len(paths))
    learnt = [paths[place] for place in order[:LEARNT]]
    held = [paths[place] for place in order[LEARNT : LEARNT + HELD]]
    with tempfile.TemporaryDirectory() as work:
        painted = [one.path for one in painted_images(held, Path(work) / "painted")]
        detector.look_as(detector.plan_view(paths))
        good, unseen, defective = (patches(detector, some) for some in (learnt, held, painted))
    whole = bank_of(good.reshape(-1, good.shape[-1]), size)
    rows = []
    for name, said in (
        ("one", lambda shown: score(shown, whole).flatten(1).amax(1)),
        (f"{bands} by row", lambda shown: by_row(good, shown, bands, size)),
    ):
        low, high = said(unseen).numpy(), said(defective).numpy()
        labels = [0] * len(low) + [1] * len(high)
        auroc = roc_auc_score(labels, np.concatenate([low, high]))
        figures = [f"{np.median(low):.2f}", f"{np.quantile(low, 0.95):.2f}", f"{np.median(high):.2f}"]
        rows.append(
            [folder.name, name, *figures, f"{np.median(high) / np.quantile(low, 0.95):.2f}", f"{auroc:.3f}"]
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Banks by row, as a Markdown table.")
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--bands", type=int, default=4)
    parser.add_argument("--bank", type=int, default=2000)
    options = parser.parse_args()
    rows = [row for folder in options.folders for row in measure(folder, options.bands, options.bank)]
    header = ("set", "bank", "good: median", "95 %", "painted: median", "painted / 95 %", "AUROC")
    print(table(header, rows))


if __name__ == "__main__":
    main()
