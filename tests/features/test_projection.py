"""Scaling and components of rows that are never all in memory, against scikit-learn's of rows that are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from blemish.core.errors import CatalogError
from blemish.core.images import read_image
from blemish.core.types import FloatArray
from blemish.data.catalog import open_catalog
from blemish.features.handcrafted import row_vectors
from blemish.features.projection import MOST_STREAMED, fit_streamed_projection, project
from blemish.features.rows import JoinedVectors, StreamedRows
from blemish.line.rows import ROW_FEATURES, feature_row, row_names


class Drawn:
    """Rows that are drawn anew from the names of files: ten directions, and noise."""

    def __init__(self, columns: int) -> None:
        self.names = tuple(map(str, range(columns)))
        self._directions = np.random.default_rng(0).normal(size=(10, columns)) * np.arange(10, 0, -1)[:, None]

    def stream(self, paths: Sequence[Path]) -> Iterator[FloatArray]:
        for path in paths:
            random = np.random.default_rng(int(path.name))
            row = random.normal(size=10) @ self._directions + 0.1 * random.normal(size=len(self.names)) + 5
            yield row.astype(np.float32)


def drawn(count: int, columns: int) -> StreamedRows:
    return StreamedRows(Drawn(columns), [Path(str(number)) for number in range(count)])


@pytest.mark.parametrize(("count", "relative"), [(30, 1e-4), (100, 1e-4), (400, 2e-2)])
@pytest.mark.parametrize("scaling", ["standard", "minmax"])
def test_streamed_components_are_those_of_all_rows(count: int, relative: float, scaling: str) -> None:
    streamed = drawn(count, 300)
    rows = np.concatenate(list(streamed.blocks())).astype(np.float64)
    learnt = fit_streamed_projection(streamed.blocks, scaling, 0.95, None)
    scaler = StandardScaler() if scaling == "standard" else MinMaxScaler()
    pca = PCA(0.95, svd_solver="full").fit(scaler.fit_transform(rows))
    assert learnt["components"].shape == (pca.n_components_, 300)
    assert learnt["explained"] == pytest.approx(pca.explained_variance_ratio_, rel=relative)
    apart = np.abs(np.abs(project(rows, learnt)) - np.abs(pca.transform(scaler.transform(rows))))
    assert apart.max() < relative * np.abs(project(rows, learnt)).max() * 5


def test_there_are_never_more_than_a_bound_and_never_more_than_directions() -> None:
    assert (
        len(fit_streamed_projection(drawn(200, 300).blocks, "standard", 0.0, None)["components"])
        == MOST_STREAMED
    )
    assert len(fit_streamed_projection(drawn(200, 300).blocks, "standard", 0.0, 7)["components"]) == 7
    assert len(fit_streamed_projection(drawn(5, 300).blocks, "standard", 0.0, None)["components"]) == 4
    same = StreamedRows(Drawn(30), [Path("1")] * 6)
    with pytest.raises(CatalogError, match="6 good images are all alike"):
        fit_streamed_projection(same.blocks, "standard", 0.0, None)


def test_memory_does_not_grow_with_the_rows() -> None:
    peaks = []
    for count in (200, 800):
        tracemalloc.start()
        fit_streamed_projection(drawn(count, 4000).blocks, "standard", 0.95, None)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.15 * peaks[0]


def test_blocks_are_the_rows_in_order() -> None:
    for count in (0, 1, 63, 127, 128, 300):
        blocks = list(drawn(count, 4).blocks())
        assert all(64 <= len(block) < 128 for block in blocks) or len(blocks) == 1 or not count
        assert sum(map(len, blocks)) == count
    rows = drawn(10, 4)
    (all_,), (some,) = rows.blocks(), rows.take([7, 2]).blocks()
    assert some.tolist() == all_[[7, 2]].tolist()


@pytest.mark.parametrize("features", ROW_FEATURES)
def test_rows_of_files_are_those_that_the_line_computes(features: str, washers: Path) -> None:
    paths = open_catalog(washers).train_normal()[:2]
    vectors = row_vectors(features)
    assert vectors.names == row_names(features) and len(set(vectors.names)) == len(vectors.names)
    for _ in range(2):  # the second time from the caches
        for path, row in zip(paths, vectors.stream(paths), strict=True):
            assert row.dtype == np.float32 and np.array_equal(row, feature_row(read_image(path), features))
    joined = JoinedVectors([vectors, vectors])
    assert len(joined.names) == 2 * len(vectors.names) == len(next(joined.stream(paths)))
