"""Every layout is told from all others, reads every file, and takes no defect and no mask for a good part."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from drawn_exports import EXPORTS, INDUSTRY
from drawn_layouts import DRAWINGS, HEIGHT, WIDTH, Drawing, Drawn, mask, numbered, photographs
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.errors import BlemishError, CatalogError
from blemish.core.images import read_mask
from blemish.data.catalog import Catalog, open_catalog, open_catalogs
from blemish.data.layouts.registry import LAYOUTS, layout_named, recognise
from blemish.data.layouts.tree import FolderTree
from blemish.data.painted_splits import normal_split, train_split
from blemish.data.saturation import saturated_defects
from blemish.data.splits import test_split
from blemish.data.told import Told

GENERIC = {"masks-beside", "btad", "mvtec", "folders", "images"}
"""Layouts that are asked last, since others may look like them too."""

FILE_KEYS = ("train", "test", "meta", "image_path", "anomaly_class", "normal_class", "pixel_value")
FILE_KEYS += ("saturation_threshold", "relative_saturation")


def of_drawings(without: str = "") -> pytest.MarkDecorator:
    """A test of every drawing but those of one layout."""
    drawings = [drawing for drawing in DRAWINGS if drawing.layout != without]
    return pytest.mark.parametrize("drawing", drawings, ids=lambda drawing: drawing.name)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLEMISH_HOME", str(tmp_path / "home"))


def draw(drawing: Drawing, root: Path) -> tuple[Path, Drawn]:
    """The folder of the category that is looked at closely."""
    drawn = drawing.fill(root)
    return root / drawn.category, drawn


def the_one(folder: Path, drawn: Drawn) -> Catalog:
    """The catalog of the folder, opened as one of all in the root that was drawn."""
    root = folder
    for _ in Path(drawn.category).parts:
        root = root.parent
    catalogs = {catalog.root: catalog for catalog in open_catalogs(root)}
    assert len(catalogs) == drawn.categories
    return catalogs[folder]


def judge(catalog: Catalog, drawing: Drawing, drawn: Drawn) -> None:
    """Layout, counts, masks and problems of a catalog are those that were drawn."""
    assert catalog.layout == drawing.layout and catalog.reason
    assert catalog.counts() == drawn.counts
    assert [problem.kind for problem in catalog.problems] == list(drawn.problems)
    masks = dict(zip(catalog.table["path"], catalog.table["mask"], strict=True))
    for name, boxes in drawn.masks.items():
        wanted = np.zeros((HEIGHT, WIDTH), np.bool_)
        for top, bottom, left, right in boxes:
            wanted[top:bottom, left:right] = True
        marked = [
            path for path in masks if Path(path).relative_to(catalog.root).as_posix().lower() == name.lower()
        ]
        assert len(marked) == 1, f"{name} is one entry"
        np.testing.assert_array_equal(read_mask(str(masks[marked[0]])), wanted)


def test_every_layout_is_drawn() -> None:
    drawn = {drawing.layout for drawing in DRAWINGS} | {_layout_of(name) for name in (*EXPORTS, *INDUSTRY)}
    in_test_guessed_layouts = {"masks-beside", "folders", "images"}
    assert {layout.name for layout in LAYOUTS} <= drawn | in_test_guessed_layouts


@pytest.mark.parametrize("name", [*EXPORTS, *INDUSTRY])
def test_nobody_else_takes_an_export(tmp_path: Path, name: str) -> None:
    {**EXPORTS, **INDUSTRY}[name](tmp_path / "set")
    trees = [FolderTree(tmp_path / "set")]
    trees += [trees[0].below(folder) for folder in trees[0].folders.values()]
    takers = {layout.name for layout in LAYOUTS for tree in trees if layout.recognise(tree)} - GENERIC
    # Many sets are published as Pascal VOC: theirs is asked first.
    assert takers - {"voc"} == {_layout_of(name)} - {"voc"}
    found = next(filter(None, map(recognise, trees)))
    assert found.layout.name == _layout_of(name)


def _layout_of(name: str) -> str:
    return name.split(" (")[0]


@of_drawings()
def test_a_whole_archive_is_read(tmp_path: Path, drawing: Drawing) -> None:
    folder, drawn = draw(drawing, tmp_path / "set")
    catalog = the_one(folder, drawn)
    judge(catalog, drawing, drawn)
    left_out = [Path(use.folder).name for use in catalog.uses if use.use == "left out"]
    assert left_out == [Path(problem.path).name for problem in catalog.problems]
    masks = {use.folder for use in catalog.uses if use.use == "masks"}
    assert not any(Path(place).name == "xyz" for place in masks), "depths are no masks"
    alone = open_catalog(folder)
    assert alone.table.equals(catalog.table) and alone.category == catalog.category
    reading = layout_named(drawing.layout).read(FolderTree(folder))
    masks = {entry.mask for entry in reading.entries}
    paths = [entry.path for entry in reading.entries]
    assert len(paths) == len(set(paths)), "an entry a photograph"
    assert not masks & set(paths) and not reading.known & set(paths)
    unlabelled = {path for path in FolderTree(folder).images() if "test_private" in path.parent.name}
    assert set(FolderTree(folder).images()) <= {*paths, *masks, *reading.known, *unlabelled}


@of_drawings()
def test_no_other_layout_takes_it(tmp_path: Path, drawing: Drawing) -> None:
    folder, drawn = draw(drawing, tmp_path / "set")
    tree = FolderTree(folder)
    taking = [layout.name for layout in LAYOUTS if layout.recognise(tree)]
    assert taking[0] == drawing.layout
    assert set(taking[1:]) <= GENERIC
    told = open_catalog(folder, told=Told(layout=drawing.layout))
    assert told.counts() == drawn.counts and drawing.layout in told.reason


@of_drawings(without="visa")  # its tables give the paths, letter by letter
@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_names_in_another_case(tmp_path: Path, drawing: Drawing, case: type[str]) -> None:
    folder, drawn = draw(drawing, tmp_path / "set")
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rename(path.with_name(case(path.name)))
    catalog = open_catalog(folder)
    lowered = {
        split: {kind.lower(): count for kind, count in of.items()} for split, of in catalog.counts().items()
    }
    wanted = {
        split: {kind.lower(): count for kind, count in of.items()} for split, of in drawn.counts.items()
    }
    assert (catalog.layout, lowered) == (drawing.layout, wanted)
    assert [problem.kind for problem in catalog.problems] == list(drawn.problems)


@of_drawings(without="images")  # no folder of photographs is too deep
def test_unpacked_one_folder_deeper_and_copied_by_windows(tmp_path: Path, drawing: Drawing) -> None:
    folder, drawn = draw(drawing, tmp_path / "download" / "archive")
    for place in (tmp_path / "download", folder):
        for litter in ("Thumbs.db", "desktop.ini", ".DS_Store"):
            (place / litter).write_bytes(b"\xd0\xcf\x11\xe0")
    shutil.copytree(folder, tmp_path / "download" / "__MACOSX" / "archive")
    catalogs = {catalog.root: catalog for catalog in open_catalogs(tmp_path / "download")}
    assert len(catalogs) == drawn.categories
    judge(catalogs[folder], drawing, drawn)
    if drawn.categories == 1:
        assert open_catalog(tmp_path / "download").counts() == drawn.counts


PARTS_OF_ARCHIVES = [
    # drawing, what is missing, then the counts that are left and the problems that are told
    (
        "mvtec",
        ["ground_truth"],
        {"train": {"good": 4}, "validation": {"good": 1}, "test": {"good": 2, "scratch": 2}},
        [],
    ),
    (
        "mvtec",
        ["test"],
        {"train": {"good": 4}, "validation": {"good": 1}, "test": {}},
        ["mask-without-image"] * 2,
    ),
    ("mvtec-ad-2", ["test_private", "test_private_mixed"], None, []),
    (
        "mvtec-ad-2",
        ["test_public"],
        {"train": {"good": 3}, "validation": {"good": 1}, "test": {}},
        ["unused"] * 2,
    ),
    ("mvtec-ad-2", ["test_public/ground_truth"], None, ["unused"] * 2),
    ("mvtec-loco", ["defects_config.json"], None, []),
    ("mvtec-loco", ["ground_truth/logical_anomalies/000"], None, ["mask-missing"]),
    (
        "mvtec-loco",
        ["test", "ground_truth"],
        {"train": {"good": 3}, "validation": {"good": 2}, "test": {}},
        [],
    ),
    ("mvtec-3d", ["test/crack/gt/001.png"], None, ["mask-missing"]),
    ("mvtec-3d", ["validation", "calibration"], {"train": {"good": 3}, "test": {"crack": 2, "good": 2}}, []),
    ("kolektorsdd2", ["test"], {"train": {"good": 4}, "test": {"defect": 2, "good": 1}}, []),
    (
        "kolektorsdd2",
        ["train/10000_GT.png"],
        {"train": {"good": 4}, "test": {"defect": 3, "good": 3}},
        ["mask-missing"],
    ),
    (
        "kolektorsdd2",
        ["train/10005.png"],
        {"train": {"good": 5}, "test": {"defect": 2, "good": 3}},
        ["mask-without-image"],
    ),
    ("magnetic-tile", ["MT_Crack/Imgs/exp0_num_0.png"], None, ["mask-missing"]),
    ("dagm", ["Test/Label"], {"train": {"good": 3}, "test": {"defect": 1, "good": 1}}, ["label-missing"]),
    ("dagm", ["Train/Label/Labels.txt", "Test/Label/Labels.txt"], None, []),
    ("dagm", ["Train/Label/0579_label.PNG", "Test/Label/0005_label.PNG"], None, []),
    ("aitex", ["Mask_images"], None, []),
    ("aitex", ["Mask_images/0001_002_00_mask.png"], None, ["mask-missing"]),
    ("real-iad-without-lists", ["NG"], {"train": {"good": 10}, "test": {}}, []),
    ("real-iad", ["OK/S0004"], {"train": {"good": 6}, "test": {"AK": 2, "HS": 2, "good": 2}}, ["missing"]),
]


@pytest.mark.parametrize(("name", "missing", "counts", "problems"), PARTS_OF_ARCHIVES)
def test_a_part_of_the_archive_is_missing(
    tmp_path: Path,
    name: str,
    missing: list[str],
    counts: dict[str, dict[str, int]] | None,
    problems: list[str],
) -> None:
    drawing = next(one for one in DRAWINGS if one.name == name)
    folder, drawn = draw(drawing, tmp_path / "set")
    for place in missing:
        path = folder / place
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    catalog = open_catalog(folder)
    assert catalog.counts() == (counts or drawn.counts)
    assert [problem.kind for problem in catalog.problems] == problems
    assert catalog.layout == drawing.layout or missing == ["test", "ground_truth"]


def one(name: str, root: Path) -> Path:
    """The category's folder of a drawing."""
    return draw(next(drawing for drawing in DRAWINGS if drawing.name == name), root)[0]


@pytest.mark.parametrize(
    ("name", "gone"), [("aitex", "NODefect_images"), ("magnetic-tile", "MT_Free"), ("real-iad", "OK")]
)
def test_without_good_parts_nothing_is_learnt(tmp_path: Path, name: str, gone: str) -> None:
    folder = one(name, tmp_path / "set")
    shutil.rmtree(folder / gone)
    with pytest.raises(CatalogError, match="good"):
        open_catalog(folder)


def test_copies_and_unreadable_masks_of_kolektorsdd2_are_told_and_never_good(tmp_path: Path) -> None:
    folder = one("kolektorsdd2", tmp_path)
    for name in ("10006", "10006_GT"):  # the archive has such a pair, of number 10301
        shutil.copy(folder / f"train/{name}.png", folder / f"train/{name} (copy).png")
    shutil.copy(folder / "train/10000.png", folder / "train/10000 - Copy (2).png")
    for name in ("20000", "20000_GT"):  # named so by hand, and no copy
        shutil.copy(folder / f"test/{name}.png", folder / f"test/{name.replace('20000', '20000 (1)')}.png")
    (folder / "train/10001_GT.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    catalog = open_catalog(folder)
    assert catalog.counts() == {"train": {"good": 4}, "test": {"defect": 3, "good": 4}}
    told = sorted((problem.kind, Path(problem.path).name) for problem in catalog.problems)
    assert told[:3] == [
        ("duplicate", "10000 - Copy (2).png"),
        ("duplicate", "10006 (copy).png"),
        ("duplicate", "10006_GT (copy).png"),
    ]
    assert [name for _, name in told[3:]] == ["10001_GT.png"]


def test_masks_of_defects_alone_beside_their_photographs(tmp_path: Path) -> None:
    folder = one("kolektorsdd2", tmp_path)
    for path in folder.rglob("*_GT.png"):
        if not read_mask(path).any():
            path.unlink()
    catalog = open_catalog(folder)
    assert catalog.counts() == {"train": {"good": 5}, "test": {"defect": 3, "good": 3}}
    assert [problem.kind for problem in catalog.problems] == ["label-missing"] * 2, (
        "it is said that this is taken so"
    )


def test_one_half_of_kolektorsdd2_opened_by_itself(tmp_path: Path) -> None:
    catalog = open_catalog(one("kolektorsdd2", tmp_path) / "train")
    assert catalog.layout == "kolektorsdd2"
    assert catalog.counts() == {"train": {"good": 4}, "test": {"defect": 2, "good": 1}}


def test_all_views_of_a_commutator_are_on_one_side(tmp_path: Path) -> None:
    catalog = open_catalog(one("kolektorsdd", tmp_path))
    good = catalog.table[catalog.table["label"] == "normal"]
    sides = good.groupby(good["path"].map(lambda path: Path(path).parent.name))["split"].nunique()
    assert (sides == 1).all()


def test_the_ellipses_of_dagm_2007(tmp_path: Path) -> None:
    catalog = open_catalog(one("dagm-2007", tmp_path))
    masks = [read_mask(path) for path in catalog.table["mask"] if path]
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    for found, (across, down) in zip(masks, ((8, 4), (4, 8)), strict=True):
        wanted = ((columns - 15) / across) ** 2 + ((rows - 11) / down) ** 2 <= 1
        assert np.mean(found != wanted) < 0.03, "but for the pixels of the edge"
    (catalog.root.with_name("Class1_def") / "labels.txt").write_text("1\t8\tbig\t0\t15\t11\n")
    with pytest.raises(CatalogError, match=r"line 1.*big"):
        open_catalog(catalog.root)


def test_what_the_official_list_of_real_iad_leaves_out_is_told(tmp_path: Path) -> None:
    folder = one("real-iad", tmp_path)
    photographs(folder, "OK/S0099/late.jpg")
    catalog = open_catalog(folder)
    assert "late.jpg" not in "".join(catalog.table["path"])
    assert [problem.kind for problem in catalog.problems] == ["unused"] and "late.jpg" in catalog.problems[
        0
    ].detail
    (folder / "zipper.json").write_text("{")
    shutil.rmtree(tmp_path / "realiad_jsons")
    with pytest.raises(CatalogError, match=r"zipper.json.*JSON"):
        open_catalog(folder)


def test_masks_of_one_photograph_that_do_not_fit_are_told(tmp_path: Path) -> None:
    folder = one("mvtec-loco", tmp_path)
    photographs(folder, "ground_truth/logical_anomalies/000/002.png")
    path = folder / "ground_truth/logical_anomalies/000/001.png"
    path.write_bytes(path.read_bytes()[:40])
    catalog = open_catalog(folder)
    assert [Path(problem.path).name for problem in catalog.problems] == ["001.png"]
    assert catalog.counts()["test"]["logical_anomalies"] == 2


@pytest.mark.parametrize("name", ["validation", "val", "valid", "Validation"])
def test_validation_images_are_in_no_fold_and_no_test(tmp_path: Path, name: str) -> None:
    photographs(tmp_path, *(f"train/good/{number}.png" for number in range(6)), f"{name}/good/0.png")
    photographs(tmp_path, "test/good/0.png", "test/dent/0.png", f"{name}/dent/1.png")
    mask(tmp_path / "ground_truth/dent/0.png", (0, 3, 0, 3))
    mask(tmp_path / "ground_truth/dent/1.png", (0, 3, 0, 3))
    catalog = open_catalog(tmp_path)
    assert not catalog.problems
    assert catalog.counts() == {
        "train": {"good": 6},
        "validation": {"dent": 1, "good": 1},
        "test": {"dent": 1, "good": 1},
    }
    assert len(catalog.train_normal()) == 6 and len(catalog.test()) == 2 and len(catalog.validation()) == 2


@settings(max_examples=60, deadline=None)
@given(
    place=st.sampled_from(
        [
            ("real-iad", "zipper.json"),
            ("dagm", "Train/Label/Labels.txt"),
            ("dagm-2007", "../Class1_def/labels.txt"),
            ("mvtec-loco", "defects_config.json"),
        ]
    ),
    content=st.one_of(
        st.binary(max_size=60),
        st.text(alphabet="0123456789.-e \t\nNanifg_labelPG", max_size=60).map(str.encode),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.sampled_from(["OK", "OK/S0001/x.jpg"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(FILE_KEYS),
                    inner,
                )
            ),
            max_leaves=12,
        ).map(lambda document: json.dumps(document).encode()),
    ),
)
def test_any_bytes_in_a_file_of_a_data_set_give_an_error_of_the_project_at_most(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str, str], content: bytes
) -> None:
    name, file = place
    folder = one(name, tmp_path_factory.mktemp("any"))
    (folder / file).write_bytes(content)
    try:
        saturated_defects(open_catalog(folder))
    except BlemishError as error:
        assert "\n" not in str(error)


def test_validation_images_of_the_layout_stand_aside_where_folds_are_made(tmp_path: Path) -> None:
    root = tmp_path / "set"
    photographs(root, *numbered("train/good", 24), *numbered("validation/good", 4), *numbered("test/good", 8))
    photographs(root, *numbered("test/dent", 8))
    catalog = open_catalog(root)
    own = set(catalog.validation()["path"])
    assert len(own) == 4
    splits = [test_split(catalog), normal_split(catalog), train_split(catalog, tmp_path / "painted")]
    for parted in splits:
        assert not own & set(parted.table["path"]) and len(parted.folds) == 3
        assert (parted.validation()["fold"] >= 0).all()


def test_photographs_that_are_left_out_are_not_called_masks(tmp_path: Path) -> None:
    folder = one("kolektorsdd2", tmp_path)
    lone = sorted((folder / "train").glob("*.png"))[0]
    (lone.parent / "90000.png").write_bytes(lone.read_bytes())
    uses = {(use.folder, use.use): use.files for use in open_catalog(folder).uses}
    assert uses["train", "set aside"] == 1
    assert uses["train", "masks"] == len(list((folder / "train").glob("*_GT.png")))
