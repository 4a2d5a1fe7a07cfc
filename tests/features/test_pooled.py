"""Pooled deep features: means over space of what the extractor gives."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from blemish.core.errors import UsageError
from blemish.core.images import read_image
from blemish.data.catalog import open_catalog
from blemish.features.backbones import load_backbone
from blemish.features.extraction import FeatureExtractor
from blemish.features.pooled import PooledVectors, depth_taps, pooled_table
from blemish.view.preprocessing import preprocess

SIZE = 64


def vectors_of(depth: str, name: str = "efficientnet_lite0") -> PooledVectors:
    network = load_backbone(name, depth_taps(depth, name), pretrained=name.startswith("efficientnet"))
    return PooledVectors(FeatureExtractor(network, network.preprocessing(SIZE, SIZE)))


@pytest.mark.parametrize(
    ("name", "depth", "columns"),
    [
        ("resnet50", "last", 2048),
        ("resnet50", "mid", 512 + 1024),
        ("efficientnet_lite0", "last", 320),
        ("efficientnet_lite0", "mid", 40 + 112),
    ],
)
def test_columns_and_their_values(name: str, depth: str, columns: int, washers: Path) -> None:
    path = open_catalog(washers).train_normal()[0]
    vectors = vectors_of(depth, name)
    (vector,) = vectors.stream([path])
    assert vector.shape == (columns,) and vector.dtype == np.float32
    assert len(set(vectors.names)) == columns and list(vectors.names) == sorted(
        vectors.names, key=lambda column: (len(column.split("_")[0]), column)
    )
    backbone, contract = vectors.extractor.backbone, vectors.extractor.contract
    with torch.inference_mode():
        maps = backbone(torch.from_numpy(preprocess(read_image(path), contract))[None])
    expected = torch.cat([features.mean((2, 3)) for features in maps], 1)[0].numpy()
    assert np.abs(vector - expected).max() <= 1e-4 * np.abs(expected).max()


def test_what_a_backbone_has_is_found_by_name() -> None:
    assert depth_taps("last", "resnet18") == (32,)
    assert depth_taps("last", "vit_small_patch14_dinov2") == (-1,)
    assert depth_taps("mid", "vit_small_patch14_dinov2") == (-7, -4)
    assert depth_taps("mid", "resnet18") == (8, 16)
    with pytest.raises(UsageError, match=r"no deep features middle.*last, mid"):
        depth_taps("middle", "resnet18")
    with pytest.raises(UsageError, match="no backbone resnet0"):
        depth_taps("last", "resnet0")


def test_a_table_skips_what_cannot_be_read(washers: Path, tmp_path: Path) -> None:
    catalog = open_catalog(washers)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    rows = catalog.table.iloc[:4].copy()
    rows.loc[2, "path"] = str(broken)
    vectors = vectors_of("mid")
    table = pooled_table(dataclasses.replace(catalog, table=rows), vectors)
    assert [one["path"] for one in table.attrs["skipped"]] == [str(broken)]
    kept = [Path(path) for path in rows["path"] if path != str(broken)]
    assert table["path"].tolist() == [str(path) for path in kept]
    assert np.array_equal(table[list(vectors.names)].to_numpy(), np.stack(list(vectors.stream(kept))))
