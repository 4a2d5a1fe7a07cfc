"""Photographs read in tiles: no seams, no distortion, one piece and tiles say the same, and memory is bounded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from blemish.core.errors import ArtifactError, BlemishError, UsageError
from blemish.core.types import ByteArray, FloatArray
from blemish.detectors.base import Detector
from blemish.detectors.density.gaussian_mixture import GaussianMixture
from blemish.detectors.inputs import catalog_of, files_of
from blemish.detectors.layers import PatchScoring
from blemish.detectors.memory.knn import NearestNeighbours
from blemish.detectors.memory.padim import Padim
from blemish.detectors.memory.patchcore import PatchCore
from blemish.features.backbones import load_backbone
from blemish.features.cache import FeatureCache
from blemish.features.extraction import FeatureExtractor
from blemish.features.halo import TOLERANCE, needed_halo
from blemish.features.onnx_export import to_onnx
from blemish.line.artifact import MODEL, SCORING, read_artifact, write_artifact
from blemish.line.nearest_good import explain_regions
from blemish.line.regions import peak_region
from blemish.line.rows import NetworkInput
from blemish.line.runtime import Inspector
from blemish.line.tiled import TiledNetwork
from blemish.making.build import build_inspector
from blemish.making.parity import check_tiled_parity
from blemish.view.preprocessing import Preprocessing, look, preprocess
from blemish.view.tiles import map_shape, put_together, spans, tiling, tiling_of
from blemish.view.view import View
from blemish.view_planning.plan import PlannedView

HEIGHT, WIDTH, TILE = 704, 960, 512
"""The default backbone sees 160 pixels around each place, so these are 2 x 4 tiles."""

multiple = st.integers(1, 40).map(lambda count: 32 * count)


def contract(height: int, width: int, tile: int = 0, halo: int = 0) -> Preprocessing:
    backbone = {"mean": (127,) * 3, "std": (128,) * 3}
    view = View(photograph=(width, height), tile=tile, halo=halo)
    return Preprocessing(height=height, width=width, view=view, **backbone)


def surface(height: int, width: int, seed: int) -> ByteArray:
    """A brushed surface, uint8 RGB: grain that lies along the rows, and a slow change of light."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(size=(height, width)), (31, 3), 0)
    light = cv2.resize(rng.normal(size=(3, 5)), (width, height), interpolation=cv2.INTER_CUBIC)
    grey = 120 + 60 * grain + 6 * light
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@given(side=multiple, tile=multiple, halo=st.integers(0, 8).map(lambda count: 32 * count))
def test_every_cell_is_kept_once_and_has_seen_its_surroundings(side: int, tile: int, halo: int) -> None:
    if tile < side and tile < 2 * halo + 32:
        with pytest.raises(UsageError, match="too small"):
            spans(side, tile, halo)
        return
    found = spans(side, tile, halo)
    assert (found[0].kept_from, found[-1].kept_to) == (0, side)
    for before, after in pairwise(found):
        assert before.kept_to == after.kept_from
        assert after.kept_from - after.start >= halo and before.start + tile - before.kept_to >= halo
    extent = min(tile, side)
    assert all(0 <= one.start <= side - extent and one.start % 32 == 0 for one in found)
    fewest = 1 if tile >= side else -(-(side - 2 * halo) // (tile - 2 * halo))
    assert len(found) == fewest


@given(
    height=multiple, width=multiple, tile=st.sampled_from([128, 256, 512]), stride=st.sampled_from([4, 8, 32])
)
def test_cells_come_back_to_their_places(height: int, width: int, tile: int, stride: int) -> None:
    parts = tiling_of(height, width, tile, 32)
    whole = np.arange(height // stride * (width // stride), dtype=np.float32)
    whole = whole.reshape(1, 1, height // stride, width // stride)
    pieces = []
    for one in parts.tiles:
        top, left = one.rows.start // stride, one.columns.start // stride
        pieces.append(whole[..., top : top + one.height // stride, left : left + one.width // stride])
    np.testing.assert_array_equal(put_together(parts, pieces), whole)


@given(height=st.integers(1, 512), width=st.integers(1, 512))
def test_maps_are_never_large(height: int, width: int) -> None:
    size = contract(32 * height, 32 * width, 1024, 160)
    rows, columns = map_shape(size, 8)
    assert rows * columns <= 2**22 or rows == size.height // 8
    assert size.height % rows == 0 and size.height // rows == size.width // columns


@pytest.mark.parametrize(("shape", "channels"), [((5300, 333), 3), ((1500, 4096), 1)])
def test_resizing_in_bands_is_resizing(shape: tuple[int, int], channels: int) -> None:
    rng = np.random.default_rng(0)
    image = np.broadcast_to(rng.integers(0, 256, (*shape, channels), np.uint8), (*shape, 3))
    wanted = contract(4096, 4544)
    picture = look(np.ascontiguousarray(image), wanted).picture
    expected = np.asarray(Image.fromarray(image).resize((4544, 4096), Image.Resampling.BICUBIC))
    assert np.abs(picture.astype(np.int16) - expected).max() <= 1
    assert (picture != expected).mean() < 1e-3


class Tiled(PatchCore):
    """PatchCore with a view of its own, which photographs as small as a test's are not given."""

    name = "patchcore"
    planned = PlannedView(HEIGHT, WIDTH, View(photograph=(WIDTH, HEIGHT), tile=TILE))

    def plan_view(self, paths: Sequence[Path]) -> PlannedView:
        return self.planned


@pytest.fixture(scope="module")
def good() -> list[ByteArray]:
    return [surface(HEIGHT, WIDTH, seed) for seed in range(3)]


@pytest.fixture(scope="module")
def detector() -> Tiled:
    return Tiled(coreset_size=300)


@pytest.fixture(scope="module")
def inspector(good: list[ByteArray], detector: Tiled, tmp_path_factory: pytest.TempPathFactory) -> Inspector:
    with catalog_of(good) as catalog:
        built = build_inspector(
            catalog, tmp_path_factory.mktemp("tiles") / "surface.blemish", detector, folds=3
        )
    assert 0 < built.parity_error < 1e-3
    return Inspector.load(built.path)


def seams(detector: Detector) -> list[tuple[int, int]]:
    """A place on every seam, x and y in pixels."""
    parts = tiling(detector.preprocessing())
    columns = {tile.columns.kept_to for tile in parts.tiles} - {WIDTH}
    rows = {tile.rows.kept_to for tile in parts.tiles} - {HEIGHT}
    assert (len(columns), len(rows)) == (3, 1)
    return [(column, 120) for column in sorted(columns)] + [(120, row) for row in rows]


def in_one_piece(detector: Detector, image: ByteArray) -> tuple[float, FloatArray]:
    """Score and map by the detector's graph of the whole input."""
    with torch.inference_mode():
        given = torch.from_numpy(preprocess(image, detector.preprocessing()))[None]
        score, anomaly_map = detector.network()(given)
    return float(score), anomaly_map.numpy()


def written_at(
    height: int, width: int, detector: Tiled, inspector: Inspector, folder: Path, tile: int = TILE
) -> Path:
    """What the detector has learnt as an inspector of inputs of another size."""
    wanted = contract(height, width, tile, detector.preprocessing().view.halo)
    learnt, parts = detector.tile_networks(), tiling(wanted)
    grid = height // 8, width // 8
    shape = map_shape(wanted, 8)
    scoring = PatchScoring(grid, shape, None, detector.sigma * shape[0] / height)
    example = torch.zeros(1, 3, parts.tile_height, parts.tile_width)
    members = dict(read_artifact(inspector.path).members) | {
        MODEL: to_onnx(learnt.tile, example, ["map"]),
        SCORING: to_onnx(scoring, torch.zeros(1, 1, *grid), ["score", "map"]),
    }
    path = folder / f"{height}x{width}.blemish"
    write_artifact(path, inspector.manifest.model_copy(update={"preprocessing": wanted}), members)
    return path


@pytest.mark.parametrize("shift", [-24, 0, 29])
def test_a_defect_slid_across_every_seam_is_scored_as_in_one_piece(
    shift: int, inspector: Inspector, detector: Tiled
) -> None:
    image, places = surface(HEIGHT, WIDTH, 9), seams(detector)
    for x, y in places:
        cv2.circle(image, (x + shift, y + shift), 9, (40, 40, 40), -1)
    seen, (score, expected) = inspector.predict(image), in_one_piece(detector, image)
    assert seen.score == pytest.approx(score, rel=0.02)
    for x, y in places:
        around = slice(y + shift - 24, y + shift + 24), slice(x + shift - 24, x + shift + 24)
        assert expected[around].max() > 1.3 * np.quantile(expected, 0.99)  # it is a defect
        assert seen.anomaly_map[around].max() == pytest.approx(expected[around].max(), rel=0.02)
    assert np.abs(seen.anomaly_map - expected).max() < 0.05 * expected.std()
    assert inspector.inspect(image).verdict == "reject"


def test_the_nearest_good_patch_is_told_across_tiles(inspector: Inspector, good: list[ByteArray]) -> None:
    image, known = good[0].copy(), inspector.good_patches
    cv2.circle(image, (480, 350), 9, (40, 40, 40), -1)
    inspection, prediction = inspector.inspect(image), inspector.predict(image)
    given = inspector.input_of(image)
    assert isinstance(given, NetworkInput)

    distances, numbers = known.nearest(given.values, inspector.manifest.preprocessing)
    network = TiledNetwork(
        *(read_artifact(inspector.path).content(name) for name in (MODEL, SCORING)),
        inspector.manifest.preprocessing,
        inspector.path,
    )
    np.testing.assert_allclose(
        distances, network.map_of(np.asarray(given.values))[0, 0], rtol=1e-4, atol=1e-3
    )
    assert numbers.max() < len(known.sources) == 300
    # Their places are spread over the whole photographs, not over the corner that a tile is.
    assert (known.sources[:, 4:].max(0) > (0.9 * WIDTH, 0.9 * HEIGHT)).all()
    (why, *_) = explain_regions(inspector, prediction, inspection)
    assert np.hypot(why.part_x - 480, why.part_y - 350) < 40
    assert why.picture is not None
    assert why.picture.shape == why.part.shape


def test_the_laboratory_says_what_the_line_says(
    inspector: Inspector, detector: Tiled, good: list[ByteArray]
) -> None:
    image = surface(HEIGHT, WIDTH, 4)
    said = detector.predict(image)
    seen = inspector.predict(image)
    assert seen.score == pytest.approx(said.score, rel=1e-3)
    np.testing.assert_allclose(seen.anomaly_map, said.anomaly_map, rtol=1e-3, atol=1e-2)
    assert seen.anomaly_map.shape == (HEIGHT, WIDTH)


def test_photographs_of_any_size_are_read(inspector: Inspector) -> None:
    image = surface(533, 1201, 5)
    cv2.circle(image, (900, 130), 12, (30, 30, 30), -1)
    seen = inspector.inspect(image)
    highest = seen.regions[0]
    assert highest.x <= 900 < highest.x + highest.width and highest.y <= 130 < highest.y + highest.height
    assert (seen.width, seen.height) == (1201, 533)


@pytest.mark.parametrize(("height", "width"), [(320, 4096), (4096, 320), (224, 4000)])
def test_line_scans_keep_their_shape(
    height: int, width: int, detector: Tiled, inspector: Inspector, tmp_path: Path
) -> None:
    """The tile of another inspector, put along a line: a round defect is found where it is, and round."""
    scan = Inspector.load(written_at(height, width, detector, inspector, tmp_path))
    image = surface(height, width, 9)
    x, y = (width * 2 // 3, height // 2) if width > height else (width // 2, height * 2 // 3)
    cv2.circle(image, (x, y), 20, (250, 250, 250), -1)
    top = peak_region(scan.predict(image).anomaly_map, width, height)
    assert abs(top.x + top.width / 2 - x) < 16 and abs(top.y + top.height / 2 - y) < 16
    assert 0.7 < top.width / top.height < 1.4


def test_memory_does_not_grow_with_the_photograph(
    detector: Tiled, inspector: Inspector, tmp_path: Path
) -> None:
    side = 3072
    path = written_at(side, side, detector, inspector, tmp_path, tile=1024)
    Image.fromarray(surface(side, side, 0)).save(tmp_path / "large.png", compress_level=1)
    assert most_memory(path, tmp_path / "large.png") < 0.6e9  # in one piece the network alone takes 1.5 GB


def most_memory(inspector: Path, photograph: Path) -> float:
    """Most bytes that a process holds that inspects one photograph."""
    # Not getrusage: a child begins with the most that its parent had.
    script = (
        "import re, sys; from pathlib import Path; from blemish.line.runtime import Inspector;"
        "Inspector.load(sys.argv[1]).inspect(sys.argv[2]);"
        "assert 'torch' not in sys.modules;"
        "print(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    command = [sys.executable, "-c", script, str(inspector), str(photograph)]
    return 1024 * int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
def test_a_hundred_megapixels_stay_under_two_and_a_half_gigabytes(
    detector: Tiled, inspector: Inspector, tmp_path: Path
) -> None:
    path = written_at(9984, 9984, detector, inspector, tmp_path, tile=1024)
    Image.fromarray(surface(10000, 10000, 0)).save(tmp_path / "large.png", compress_level=1)
    assert most_memory(path, tmp_path / "large.png") < 2.5 * 2**30


def test_damaged_inspectors_are_refused_in_a_sentence(inspector: Inspector, tmp_path: Path) -> None:
    artifact = read_artifact(inspector.path)
    members, path = dict(artifact.members), tmp_path / "damaged.blemish"
    without = {name: content for name, content in members.items() if name != SCORING}
    swapped = members | {SCORING: members[MODEL]}
    view = artifact.manifest.preprocessing.view
    other = {"view": view.model_copy(update={"tile": 544})}
    larger = {"preprocessing": artifact.manifest.preprocessing.model_copy(update=other)}
    for manifest, content, said in (
        (artifact.manifest, without, "holds no scoring.onnx: fit it anew"),
        (artifact.manifest, swapped, "scoring.onnx reads 1 x 3 x 512 x 512 values"),
        (artifact.manifest.model_copy(update=larger), members, "model.onnx reads 1 x 3 x 512 x 512 values"),
    ):
        write_artifact(path, manifest, content)
        with pytest.raises(ArtifactError, match=said):
            Inspector.load(path)


def test_older_views_have_no_tiles() -> None:
    older = {
        "height": 352,
        "width": 352,
        "mean": [0, 0, 0],
        "std": [1, 1, 1],
        "view": {"photograph": [640, 480]},
    }
    read = Preprocessing.model_validate(older)
    assert not read.tiled and len(tiling(read).tiles) == 1
    assert read.view.key == ""


def test_halves_of_the_network_that_differ_are_caught(detector: Tiled, good: list[ByteArray]) -> None:
    contract, networks = detector.preprocessing(), detector.tile_networks()
    tile = torch.zeros(1, 3, TILE, TILE)
    grid = torch.zeros(1, 1, HEIGHT // 8, WIDTH // 8)
    wrong = torch.nn.Sequential(networks.tile, torch.nn.Hardtanh(0, 1))  # defects look like good parts
    model, scoring = to_onnx(wrong, tile, ["map"]), to_onnx(networks.scoring, grid, ["score", "map"])
    runtime = TiledNetwork(model, scoring, contract, Path("x"))
    with files_of(good[:1]) as paths, pytest.raises(BlemishError, match="differs from the fitted detector"):
        check_tiled_parity(networks, runtime, contract, paths)


@pytest.mark.parametrize(
    ("unfit", "said"),
    [
        (Padim(), "padim cannot read photographs in tiles: choose patchcore"),
        (PatchCore(masking=True), "set it to False"),
        (PatchCore(augment="flips"), "augment=flips"),
        (NearestNeighbours(augment="turns"), "augment=turns"),
    ],
)
def test_what_needs_one_piece_is_refused(unfit: Detector, said: str, good: list[ByteArray]) -> None:
    with pytest.raises(UsageError, match=said):
        unfit.look_as(Tiled.planned).fit(good)


@pytest.mark.parametrize(
    "unfitted",
    [NearestNeighbours(taps=(8,), coreset_size=200, top=0.0), GaussianMixture(taps=(8,), pool=2000, top=0.0)],
)
def test_others_read_tiles_too(unfitted: Detector, good: list[ByteArray]) -> None:
    detector = unfitted.look_as(Tiled.planned).fit(good)
    image = surface(HEIGHT, WIDTH, 9)
    cv2.circle(image, (480, 350), 9, (40, 40, 40), -1)
    said, (score, expected) = detector.predict(image), in_one_piece(detector, image)
    assert said.score == pytest.approx(score, rel=0.02)
    assert np.abs(said.anomaly_map - expected).max() < 0.05 * expected.std()


def test_the_halo_is_what_the_network_sees() -> None:
    backbone = load_backbone(taps=(8,))
    halo = needed_halo(backbone, 3)
    assert 32 <= halo < needed_halo(load_backbone(taps=(8, 16)), 3) <= 192
    image = surface(640, 640, 3)
    planes = torch.from_numpy(preprocess(image, contract(640, 640)))[None]
    with torch.inference_mode():
        whole = backbone(planes)[0]
        part = backbone(planes[..., 64:576, 64:576])[0]
    kept = slice(halo // 8, -halo // 8)
    spread = whole[0].flatten(1).std(1).norm()
    difference = (part - whole[..., 8:72, 8:72])[0].norm(dim=0) / spread
    assert difference[kept, kept].max() < TOLERANCE < difference.max()


def test_a_network_that_sees_the_whole_picture_is_refused() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)  # of one in four seeds the gates ignore what they average over the picture
        backbone = load_backbone("mobilenetv3_small_050", (8,), pretrained=False)
    with pytest.raises(UsageError, match="sees too far around each place"):
        needed_halo(backbone)


def test_feature_maps_of_tiles_are_kept_where_there_is_room(good: list[ByteArray], tmp_path: Path) -> None:
    backbone = load_backbone(taps=(8,))
    view = Tiled.planned.view.model_copy(update={"halo": 64})
    wanted = backbone.preprocessing(HEIGHT, WIDTH).model_copy(update={"view": view})
    for limit, kept in ((10**8, True), (10**6, False)):
        cache = FeatureCache(tmp_path / str(limit), limit)
        extractor = FeatureExtractor(backbone, wanted, cache)
        with files_of(good[:1]) as paths:
            first, again = ([list(tiles) for tiles in extractor.stream_tiles(paths)] for _ in range(2))
        assert len(list((tmp_path / str(limit)).glob("*/*"))) == (1 + len(extractor.tiling.tiles)) * kept
        for (tile, maps), (other, same) in zip(first[0], again[0], strict=True):
            assert tile == other
            np.testing.assert_array_equal(maps[0], same[0])
