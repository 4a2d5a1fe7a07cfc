"""Why a region is one: the nearest good patch is the one of the same place, and its distance is the graph's own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx.utils import Extractor

from blemish.core.errors import ArtifactError, BlemishError, UsageError
from blemish.core.images import read_image
from blemish.core.network import CompiledNetwork
from blemish.core.storage import file_digest
from blemish.core.types import ByteArray, FloatArray, Region, Verdict
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.painted_images import paint
from blemish.detectors.base import Detector
from blemish.detectors.copies import Copies
from blemish.detectors.registry import create_detector
from blemish.detectors.turned_copies import places_inside
from blemish.features.pixels import PixelCache
from blemish.line.artifact import MODEL, array_content, read_artifact, write_artifact
from blemish.line.good_patches import BANK, CELLS, NORMAL_PATCHES, PICTURES, SOURCES, window
from blemish.line.inspection import Inspection
from blemish.line.nearest_good import NearestGood, explain_regions
from blemish.line.nearest_good_picture import pair_picture
from blemish.line.runtime import Inspector
from blemish.making.build import build_inspector
from blemish.making.good_patches import MOST_BYTES

SIZE, STRIDE = 128, 8


@pytest.fixture(scope="module")
def catalog(washers: Path) -> Catalog:
    return open_catalog(washers)


@pytest.fixture(scope="module")
def detector() -> Detector:
    """A bank that holds all patches of twelve washers, and some of their copies."""
    return create_detector("patchcore", size=SIZE, coreset_size=4000, copies="mirror,relit", robust=False)


@pytest.fixture(scope="module")
def built(catalog: Catalog, detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("nearest-good") / "washer.blemish"
    build_inspector(catalog, out, detector)
    return out


@pytest.fixture(scope="module")
def inspector(built: Path) -> Inspector:
    return Inspector.load(built)


@pytest.fixture(scope="module")
def damaged(catalog: Catalog) -> list[tuple[ByteArray, npt.NDArray[np.bool_]]]:
    """Good parts with a stain on each, and where that is."""
    return list(stained(catalog))


def stained(catalog: Catalog) -> Iterator[tuple[ByteArray, npt.NDArray[np.bool_]]]:
    tests = catalog.test()
    good = [read_image(path) for path in tests.loc[tests["label"] == "normal", "path"]]
    for number, image in enumerate(good * 2):
        try:
            yield paint("stain", image, None, np.random.default_rng(number), size=(0.05, 0.08))
        except BlemishError:
            continue


def explained(inspector: Inspector, photograph: ByteArray) -> tuple[Inspection, tuple[NearestGood, ...]]:
    """An inspection that has regions, whatever its verdict, and why."""
    inspection, prediction = inspector.inspect(photograph), inspector.predict(photograph)
    if inspection.verdict is Verdict.PASS:
        height, width = photograph.shape[:2]
        inspection = replace(inspection, regions=(Region(0, 0, width, height, prediction.score),))
    return inspection, explain_regions(inspector, prediction, inspection)


def patches_of(detector: Detector, picture: ByteArray) -> FloatArray:
    """Patch vectors h x w x D, by torch."""
    maps = detector.extractor().extract_once(picture)  # type: ignore[attr-defined]
    embedding = detector._embedding()  # type: ignore[attr-defined]
    return np.asarray(embedding([torch.from_numpy(one)[None] for one in maps])[0].permute(1, 2, 0))


def test_a_painted_defect_is_shown_beside_the_same_place_of_a_good_part(
    inspector: Inspector, catalog: Catalog, damaged: list[tuple[ByteArray, npt.NDArray[np.bool_]]]
) -> None:
    away, digests = [], {file_digest(path) for path in catalog.train_normal()}
    for image, mask in damaged:
        inspection, whys = explained(inspector, image)
        assert [why.region for why in whys] == list(range(len(inspection.regions)))
        for why in whys:
            assert why.digest in digests
            if mask[why.part_y, why.part_x]:
                apart = np.hypot(why.x - why.part_x, why.y - why.part_y)
                away.append(apart * SIZE / image.shape[0] / STRIDE)
    assert len(away) >= 5
    assert np.median(away) <= 3  # patches; of a round washer, the like may lie elsewhere


def test_distance_and_vector_are_those_of_a_search_through_the_bank(
    inspector: Inspector, detector: Detector, damaged: list[tuple[ByteArray, npt.NDArray[np.bool_]]]
) -> None:
    bank = np.asarray(detector.memory_bank_, np.float64)  # type: ignore[attr-defined]
    for image, _ in damaged[:2]:
        given = inspector.input_of(image)
        contract = inspector.manifest.preprocessing
        distances, numbers = inspector.good_patches.nearest(given.values, contract)  # type: ignore[union-attr]
        patches = patches_of(detector, given.look.picture).reshape(-1, bank.shape[1])  # type: ignore[union-attr]
        some = np.random.default_rng(0).permutation(len(patches))[:40]
        every = np.array([np.linalg.norm(patches[one] - bank, axis=1) for one in some])
        np.testing.assert_allclose(distances.ravel()[some], every.min(1), rtol=1e-3, atol=1e-3)
        found = np.take_along_axis(every, numbers.ravel()[some].astype(int)[:, None], 1)[:, 0]
        np.testing.assert_allclose(found, every.min(1), rtol=1e-3, atol=1e-3)
        # Smoothed, these distances are the map that the inspection shows.
        scoring = detector._scoring(distances.shape)  # type: ignore[attr-defined]
        _, smoothed = scoring(torch.from_numpy(distances)[None, None])
        said = inspector.predict(image).anomaly_map
        np.testing.assert_allclose(smoothed.numpy(), said, rtol=1e-3, atol=1e-3 * said.max())


def test_an_inspection_computes_nothing_for_it(built: Path) -> None:
    """Compiled, the graph is the one that it would be without the output, operation for operation."""
    artifact = read_artifact(built)
    outputs = artifact.manifest.detector.outputs
    model = onnx.load_from_string(artifact.content(MODEL))
    without = Extractor(model).extract_model(["image"], list(outputs)).SerializeToString()
    kinds = [
        Counter(
            operation.get_rt_info()["layerType"].astype(str)
            for operation in network._engine._compiled.get_runtime_model().get_ops()
        )
        for network in (CompiledNetwork(artifact.content(MODEL), outputs=outputs), CompiledNetwork(without))
    ]
    assert kinds[0] == kinds[1]
    assert len(CompiledNetwork(artifact.content(MODEL)).outputs) == len(outputs) + 1


def test_of_a_region_it_is_the_farthest_patch_before_any_smoothing(
    inspector: Inspector, damaged: list[tuple[ByteArray, npt.NDArray[np.bool_]]]
) -> None:
    for image, _ in damaged[:4]:
        inspection, whys = explained(inspector, image)
        given, height = inspector.input_of(image), image.shape[0]
        contract = inspector.manifest.preprocessing
        distances, _ = inspector.good_patches.nearest(given.values, contract)  # type: ignore[union-attr]
        for why, region in zip(whys, inspection.regions, strict=True):
            row, column = (int(place * SIZE / height / STRIDE) for place in (why.part_y, why.part_x))
            assert why.distance == pytest.approx(float(distances[row, column]))
            assert region.x <= why.part_x <= region.x + region.width
            assert region.y <= why.part_y <= region.y + region.height
            assert why.percentile is not None
            normal = inspector.good_patches.normal
            assert normal is not None
            assert why.percentile == pytest.approx(
                100 * np.mean(normal < why.distance), abs=100 / len(normal)
            )


def test_each_vector_is_the_patch_of_the_photograph_copy_and_place_that_it_is_said_to_be(
    inspector: Inspector, detector: Detector, catalog: Catalog
) -> None:
    bank = np.asarray(detector.memory_bank_)  # type: ignore[attr-defined]
    sources, record = inspector.good_patches.sources, inspector.good_patches.record
    by_digest = {file_digest(path): path for path in catalog.train_normal()}
    assert len(bank) == len(sources)
    assert {name.split()[-1] for name in record.copies} == {"right", "bottom", "ways", "darker", "brighter"}
    pictures = {}
    made = detector.sources_.copies  # type: ignore[attr-defined]
    named = {str(copy): copy for copy in made}
    for number in range(0, len(bank), 97):
        photograph, x, y, copy, seen_x, seen_y = sources[number].tolist()
        path = by_digest[record.photographs[photograph].digest]
        own = PixelCache().read(path, detector.preprocessing())
        words = record.copies[copy - 1] if copy else ""
        if (path, words) not in pictures:
            pictures[path, words] = patches_of(detector, named[words].of(own, STRIDE))
        stored = pictures[path, words][seen_y // STRIDE, seen_x // STRIDE]
        np.testing.assert_allclose(stored, bank[number], rtol=1e-4, atol=1e-4)
        scale = record.photographs[photograph].scale
        expected_x = SIZE - seen_x if "left" in words or "both" in words else seen_x
        expected_y = SIZE - seen_y if "top" in words or "both" in words else seen_y
        assert (x, y) == (pytest.approx(expected_x * scale, abs=1), pytest.approx(expected_y * scale, abs=1))


def test_pictures_show_what_the_network_saw(
    inspector: Inspector, detector: Detector, catalog: Catalog
) -> None:
    record = inspector.good_patches.record
    by_digest = {file_digest(path): path for path in catalog.train_normal()}
    for photograph, _, _, copy, x, y in inspector.good_patches.sources[::211].tolist():
        if copy:
            continue
        found = inspector.good_patches.picture(photograph, copy, x, y)
        assert found is not None
        picture, left, top = found
        whole = PixelCache().read(by_digest[record.photographs[photograph].digest], detector.preprocessing())
        expected = whole[top : top + record.side, left : left + record.side]
        assert picture.shape == expected.shape
        assert np.abs(picture.astype(int) - expected).mean() < 6  # grey levels: JPEG


@pytest.mark.parametrize(("angle_of", "number"), [(8, 0), (8, 2), (24, 6)])
def test_a_place_on_a_turned_copy_is_led_back(angle_of: int, number: int) -> None:
    copies, height, width = Copies(turns=angle_of), 96, 96
    image = np.zeros((height, width, 3), np.uint8)
    image[20:25, 60:65] = 255  # about 62.5, 22.5
    ((copy, angle),) = copies.of(image, STRIDE, (number,))
    rows, columns = np.nonzero(copy[..., 0] > 128)
    place = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
    way = copies.way_back(number, width, height, STRIDE)
    assert way[:, :2] @ place + way[:, 2] == pytest.approx([62.5, 22.5], abs=0.7)
    assert copies.in_words(number) == f"turned by {angle:.4g} degrees"
    assert places_inside((12, 12), angle).any()


@pytest.mark.parametrize("middle", [0, 5, 64, 120, 127])
def test_a_window_stays_inside(middle: int) -> None:
    start, side = window(middle, 48, 128)
    assert (start >= 0, start + side <= 128, side) == (True, True, 48)
    assert start <= middle < start + side
    assert window(middle, 200, 128) == (0, 128)


def test_a_pair_is_drawn_at_one_scale(
    inspector: Inspector, damaged: list[tuple[ByteArray, npt.NDArray[np.bool_]]]
) -> None:
    image = damaged[0][0]
    inspection, whys = explained(inspector, image)
    assert whys[0].picture is not None
    assert whys[0].part.shape == whys[0].picture.shape
    drawn = pair_picture(image, inspection.regions[0], whys[0])
    assert (drawn.dtype, drawn.ndim) == (np.uint8, 3)
    alone = pair_picture(image, inspection.regions[0], replace(whys[0], picture=None))
    assert drawn.shape[1] > alone.shape[1]
    document = json.loads(json.dumps(whys[0].to_json()))
    assert document["sentence"] == whys[0].in_words()
    assert Path(whys[0].photograph).name in document["sentence"]


def test_a_part_that_passes_has_nothing_to_explain(inspector: Inspector, catalog: Catalog) -> None:
    image = read_image(catalog.train_normal()[0])
    inspection = inspector.inspect(image)
    assert explain_regions(inspector, inspector.predict(image), replace(inspection, regions=())) == ()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("knn", {"coreset_size": 300}), ("few-shot", {"images": 2, "rotations": 2, "bank_size": 300})],
)
def test_other_detectors_with_a_bank_tell_it_too(
    name: str,
    parameters: dict[str, int],
    catalog: Catalog,
    tmp_path: Path,
    damaged: list[tuple[ByteArray, npt.NDArray[np.bool_]]],
) -> None:
    out = tmp_path / "washer.blemish"
    build_inspector(catalog, out, create_detector(name, size=SIZE, **parameters), pictures=False)
    inspection, whys = explained(Inspector.load(out), damaged[0][0])
    assert len(whys) == len(inspection.regions) > 0
    assert all(why.picture is None and why.percentile is not None for why in whys)  # as was asked for
    assert {PICTURES, CELLS}.isdisjoint(read_artifact(out).members)


def test_without_a_bank_one_sentence_says_so(
    built: Path, tmp_path: Path, damaged: list[tuple[ByteArray, npt.NDArray[np.bool_]]]
) -> None:
    """As of an artifact of an earlier Blemish, and of a detector that has none."""
    artifact, out = read_artifact(built), tmp_path / "old.blemish"
    ours = {BANK, SOURCES, PICTURES, CELLS, NORMAL_PATCHES}
    kept = {name: content for name, content in artifact.members.items() if name not in ours}
    write_artifact(out, artifact.manifest, kept)
    with pytest.raises(UsageError, match="no good patches to show"):
        explained(Inspector.load(out), damaged[0][0])


def test_what_is_not_what_it_should_be_is_refused(
    built: Path, tmp_path: Path, damaged: list[tuple[ByteArray, npt.NDArray[np.bool_]]]
) -> None:
    artifact, out = read_artifact(built), tmp_path / "wrong.blemish"
    sources = artifact.array(SOURCES)
    record = json.loads(artifact.members[BANK])
    wrong: list[dict[str, bytes]] = [
        {SOURCES: array_content(sources.astype(np.float32))},
        {SOURCES: array_content(sources[:10])},
        {SOURCES: array_content(sources + np.array([10**6, 0, 0, 0, 0, 0], np.int32))},
        {SOURCES: array_content(-sources)},
        {BANK: b"{}"},
        {BANK: json.dumps(record | {"sheets": [7] * len(record["sheets"])}).encode()},
        {PICTURES: array_content(np.zeros(sum(record["sheets"]), np.uint8))},
        {CELLS: array_content(np.zeros((3, 3), np.int32))},
        {NORMAL_PATCHES: array_content(np.array([2.0, 1.0], np.float32))},
    ]
    for changed in wrong:
        write_artifact(out, artifact.manifest, {**artifact.members, **changed})
        with pytest.raises(ArtifactError, match="fit it anew"):
            explained(Inspector.load(out), damaged[0][0])  # which judges all the same


def test_pictures_are_bounded(built: Path) -> None:
    members = read_artifact(built).members
    assert 0 < len(members[PICTURES]) <= MOST_BYTES + 200
