"""Detectors on photographs of several like parts: they learn from parts, and judge photographs by the worst of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blemish.core.errors import CatalogError, ImageError, UsageError
from blemish.core.images import read_image
from blemish.core.settings import cache_folder
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.cut_parts import CutParts
from blemish.data.defect_files import write_image, write_mask
from blemish.data.drawn_trays import Tray, render_tray
from blemish.data.sample_line import render_good
from blemish.detectors.base import Detector
from blemish.detectors.registry import create_detector
from blemish.line.runtime import Inspector
from blemish.making.build import build_inspector
from blemish.station.compiled import SharedInspector
from blemish.view.parts import cut_out, split
from blemish.view_planning.plan import ViewOptions, plan_view
from blemish.view_planning.scale import Reading

ROWS, COLUMNS, CELL = 2, 3, 96
COUNTS = (4, 5, 5, 6, 6, 6, 6, 6)
DEFECTS = ("foreign_body", "hole", "missing_piece")
SMALL: dict[str, dict[str, Any]] = {
    "padim": {"size": 96, "dimensions": 40, "stride": 8},
    "patchcore": {"size": 96, "coreset_size": 200, "pool": 2000},
    "cae": {"size": 64, "epochs": 1},
}


def drawn(seed: int, count: int = 6, defect: str | None = None) -> Tray:
    rng = np.random.default_rng([17, seed])
    taken = sorted(rng.permutation(ROWS * COLUMNS)[:count].tolist())
    return render_tray(rng, ROWS, COLUMNS, CELL, taken, defect)


@pytest.fixture(scope="module")
def trays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight photographs of good washers, four of them for testing, and three with one damaged washer each."""
    root = tmp_path_factory.mktemp("data") / "trays"
    for number, count in enumerate(COUNTS):
        write_image(root / "train" / "good" / f"{number}.png", drawn(number, count).image)
    for number in range(4):
        write_image(root / "test" / "good" / f"{number}.png", drawn(100 + number).image)
    for number, defect in enumerate(DEFECTS):
        tray = drawn(200 + number, defect=defect)
        write_image(root / "test" / defect / f"{number}.png", tray.image)
        write_mask(root / "ground_truth" / defect / f"{number}_mask.png", tray.mask)
    return root


@pytest.fixture(scope="module")
def catalog(trays: Path) -> Catalog:
    return open_catalog(trays)


@pytest.fixture(scope="module")
def made(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """A fitted detector by its name, its inspector, and what its build said."""

    @cache
    def make(name: str) -> Any:
        detector = create_detector(name, parts="auto", **SMALL[name])
        path = tmp_path_factory.mktemp("inspectors") / f"{name}.blemish"
        summary = build_inspector(catalog, path, detector, folds=2)
        return detector, Inspector.load(path), summary

    return make


@pytest.fixture(scope="module", params=sorted(SMALL))
def built(request: pytest.FixtureRequest, made: Callable[[str], Any]) -> Any:
    return made(request.param)


def test_the_number_of_parts_is_learnt_and_its_cost_is_said(built: Any) -> None:
    detector, inspector, _ = built
    view = inspector.manifest.preprocessing.view
    assert view is not None and view.parts is not None
    assert inspector.expected_parts == (4, 6, 6)
    assert "4 to 6 (usually 6) like parts" in " ".join(view.reasons) and "6 looks" in " ".join(view.reasons)
    assert detector.input_sides == (
        inspector.manifest.preprocessing.height,
        inspector.manifest.preprocessing.width,
    )


def test_a_photograph_is_as_its_worst_part_in_the_laboratory_and_on_the_line(
    built: Any, catalog: Catalog
) -> None:
    detector, inspector, _ = built
    paths = [Path(path) for path in catalog.test()["path"]][::3]
    for path, prediction in zip(paths, detector.predict(paths), strict=True):
        image = read_image(path)
        view = inspector.manifest.preprocessing.view
        cuts = cut_out(image, split(image, view.parts, view.photograph))
        alone = create_detector(detector.name, **detector.get_params())  # judges cuts as they are
        alone.__dict__.update({**detector.__dict__, "_planned": detector.planned_view(), "_cuts": None})
        scores = [one.score for one in alone.predict(cuts)]

        inspection = inspector.inspect(path)

        assert prediction.score == pytest.approx(max(scores), rel=1e-6)
        assert inspection.score == pytest.approx(prediction.score, rel=2e-3)
        assert inspection.part_count == prediction.part_count == len(cuts) == 6
        assert np.allclose(
            inspection.anomaly_map, prediction.anomaly_map, rtol=1e-2, atol=1e-3 * prediction.score
        )


def test_every_good_photograph_has_one_score_whose_parts_judged_each_other_never(
    built: Any, catalog: Catalog
) -> None:
    detector, inspector, summary = built
    scored = list(detector.cross_predict(catalog, 2))
    positions = [position for position, _ in scored]
    assert len(set(positions)) == len(positions) == summary.n_scores
    assert summary.n_train == len(COUNTS)
    assert [one.part_count for _, one in scored] == [COUNTS[position] for position in positions]
    assert len(inspector.normal_scores) == len(positions)
    if detector.calibration == "k-fold":
        assert sorted(positions) == list(range(len(COUNTS)))


def test_parts_of_one_photograph_are_never_in_two_folds(catalog: Catalog) -> None:
    detector = create_detector("padim", parts="auto", **SMALL["padim"]).fit(catalog)
    assert detector.cuts is not None
    cut = detector.cuts.catalog(catalog).catalog
    files = cut.train_normal()
    for part in detector.fold_parts(files, 4, 0):
        inside = {cut.groups()[files[position]] for position in part}
        outside = {cut.groups()[files[position]] for position in np.setdiff1d(np.arange(len(files)), part)}
        assert inside and outside and not inside & outside


def test_a_damaged_washer_among_good_ones_is_rejected_where_it_lies(made: Callable[[str], Any]) -> None:
    _, inspector, _ = made("padim")
    for number, defect in enumerate(DEFECTS):
        tray = drawn(200 + number, defect=defect)
        inspection = inspector.inspect(tray.image)
        worst = inspection.regions[0]
        middle = worst.y + worst.height // 2, worst.x + worst.width // 2
        ys, xs = np.nonzero(tray.mask)

        assert inspection.verdict == "reject"
        assert abs(middle[0] - ys.mean()) < CELL / 4 and abs(middle[1] - xs.mean()) < CELL / 4


def test_the_files_that_were_cut_are_gone_with_the_detector(catalog: Catalog) -> None:
    before = set(cache_folder().glob("parts-*"))
    detector = create_detector("padim", parts="grid:2x3", **SMALL["padim"]).fit(catalog)
    (folder,) = set(cache_folder().glob("parts-*")) - before
    learnt = len(list(folder.iterdir()))
    assert learnt == 6 * len(COUNTS)

    for _ in detector.predict([Path(path) for path in catalog.test()["path"]]):
        pass

    assert len(list(folder.iterdir())) == learnt
    del detector
    assert not folder.exists()


def test_defective_parts_are_told_by_their_masks(catalog: Catalog) -> None:
    moved = replace(catalog, table=catalog.table.assign(split="train"))
    detector = create_detector("padim", parts="auto", **SMALL["padim"])
    detector.look_as(detector.plan_view(catalog.train_normal()))
    assert detector.cuts is not None

    cut = detector.cuts.catalog(moved).catalog.table

    defective = cut[cut["label"] == "anomalous"]
    assert sorted(defective["defect_type"]) == sorted(DEFECTS)
    for row in defective.itertuples(index=False):
        mask = read_image(Path(str(row.mask)))
        assert mask.shape == read_image(Path(str(row.path))).shape and 0 < (mask > 0).mean() < 0.2
    assert (cut["label"] == "normal").sum() == sum(COUNTS) + 4 * 6


def test_without_a_mask_nobody_knows_which_part_is_defective(catalog: Catalog) -> None:
    moved = replace(catalog, table=catalog.table.assign(split="train", mask=None))
    detector = create_detector("padim", parts="auto", **SMALL["padim"])
    detector.look_as(detector.plan_view(catalog.train_normal()))
    assert isinstance(detector.cuts, CutParts)
    with pytest.raises(
        CatalogError, match="shows 6 parts, and nothing says which of them is: give it a mask"
    ):
        detector.cuts.catalog(moved)


# ----- the command line -----


def test_the_command_line_says_how_many_parts_there_are_and_never_passes_an_empty_tray(
    trays: Path, tmp_path: Path, blemish: Callable[..., Any]
) -> None:
    write_image(tmp_path / "six.png", drawn(100).image)
    write_image(tmp_path / "two.png", drawn(101, 2).image)
    write_image(tmp_path / "none.png", drawn(102, 0).image)
    inspector = tmp_path / "tray.blemish"
    options = (
        "--detector",
        "padim",
        "--size",
        96,
        "--set",
        "dimensions=40",
        "--set",
        "stride=8",
        "--parts",
        "auto",
    )
    fitted = blemish("fit", trays, "--out", inspector, *options)
    assert fitted.status == 0 and "like parts" in fitted.stdout

    told = blemish(
        "inspect", inspector, tmp_path / "six.png", tmp_path / "two.png", tmp_path / "none.png", "--json"
    )

    six, two, none = told.document
    assert told.status == 1
    assert (six["part_count"], six["expected_parts"]) == (6, {"fewest": 4, "usual": 6, "most": 6})
    assert two["part_count"] == 2 and "parts" not in two
    assert none["kind"] == "no-part" and "it shows no part where 6 are usual" in none["error"]
    assert "verdict" not in none
    said = blemish("inspect", inspector, tmp_path / "two.png").stdout
    assert "2 parts, 4 to 6 expected" in " ".join(said.split())


def test_the_queue_of_the_service_looks_at_all_parts(made: Callable[[str], Any]) -> None:
    inspector = SharedInspector.load(made("padim")[1].path)
    inspector.warm_up()
    images = [drawn(300 + number, 4 + number).image for number in range(3)]

    given = [inspector.input_of(image) for image in images]  # as workers do: one half, and then the other
    later = [inspector.predict_input(one) for one in given]

    for image, prediction in zip(images, later, strict=True):
        at_once = inspector.inspect(image)
        assert at_once.score == prediction.score and at_once.part_count == prediction.part_count
    with pytest.raises(ImageError, match=r"^empty\.png: it shows no part"):
        inspector.input_of(drawn(9, 0).image, "empty.png")


# ----- what cannot be meant -----


@pytest.mark.parametrize("asked", ["two", "grid", "grid:0x3", "grid:2x", "grid:-1x2", "grid:2x3x4", ""])
def test_a_number_of_parts_that_cannot_be_meant_is_refused(asked: str, catalog: Catalog) -> None:
    with pytest.raises(
        UsageError, match=r"parts=.* is not possible: choose one, auto, or a grid as grid:2x3"
    ):
        create_detector("padim", parts=asked, **SMALL["padim"]).fit(catalog)


def test_a_grid_whose_cells_are_too_small_is_refused(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=r"grid:8x3 leaves 96 x 24 pixels for a part"):
        create_detector("padim", parts="grid:8x3", **SMALL["padim"]).fit(catalog)


def test_shapes_and_parts_together_are_refused(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="are not possible together"):
        create_detector("padim", parts="grid:2x3", ignore=("box:0,0,9,9",), **SMALL["padim"]).fit(catalog)


@pytest.fixture(scope="module")
def singles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Photographs of one washer each, and of a texture."""
    found = {}
    for name in ("washer", "gravel"):
        folder = tmp_path_factory.mktemp(name)
        found[name] = [folder / f"{number}.png" for number in range(6)]
        for number, path in enumerate(found[name]):
            write_image(path, render_good(name, np.random.default_rng(number), 128)[0])
    return found


@pytest.mark.parametrize(
    ("name", "why"), [("washer", "one part each"), ("gravel", "no plain ground between parts")]
)
def test_one_part_and_a_texture_are_looked_at_whole(
    name: str, why: str, singles: dict[str, list[Path]]
) -> None:
    view = plan_view(singles[name], Reading("patchcore", 96), ViewOptions(parts="auto")).view
    assert view is not None and view.parts is None and view.key == ""
    assert why in " ".join(view.reasons)


def test_a_texture_has_no_foreground(singles: dict[str, list[Path]]) -> None:
    with pytest.raises(UsageError, match="foreground=True is not possible here"):
        plan_view(singles["gravel"], Reading("patchcore", 96), ViewOptions(foreground=True))


def test_dust_and_noise_on_the_ground_hardly_change_a_score_where_the_part_alone_counts(
    singles: dict[str, list[Path]],
) -> None:
    rng = np.random.default_rng(0)
    alone, whole = (
        create_detector("padim", foreground=foreground, **SMALL["padim"]).fit(singles["washer"][:5])
        for foreground in (True, False)
    )
    clean = read_image(singles["washer"][5])
    dirty = clean.copy()
    dirty[2:8, 2:8] = 230
    dirty[110:114, 20:24] = 230
    corner = (slice(0, 16), slice(0, 128))
    dirty[corner] = np.clip(dirty[corner].astype(int) + rng.integers(-3, 4, dirty[corner].shape), 0, 255)

    def change(detector: Detector) -> float:
        before, after = (one.score for one in detector.predict([clean, dirty]))
        return abs(after - before) / before

    assert change(alone) < 0.02
    assert change(whole) > 0.2
