"""Small folders drawn in every layout, as its archive or its program leaves them.

A drawing is a function that fills a folder and says what has to be read of it; whoever adds a layout adds one here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

HEIGHT, WIDTH = 24, 32
Box = tuple[int, int, int, int]
"""Top, bottom, left and right of what a mask marks."""

ONE, OTHER = (4, 9, 6, 12), (14, 20, 18, 30)


@dataclass(frozen=True)
class Drawn:
    """What a drawing holds.

    Attributes:
        counts: of the catalog of one category, by split and defect type.
        masks: boxes that the mask of a photograph marks, by its path relative to the category's folder.
        category: the folder of that category, relative to what was drawn; "." where it is that.
        categories: how many there are.
        problems: kinds of problems that are told of the whole archive, as published.
    """

    counts: dict[str, dict[str, int]]
    masks: dict[str, tuple[Box, ...]] = field(default_factory=dict)
    category: str = "."
    categories: int = 1
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawing:
    """One way to fill a folder, and the layout that it has."""

    name: str
    layout: str
    fill: Callable[[Path], Drawn]


DRAWINGS: list[Drawing] = []


def drawing(name: str, layout: str | None = None) -> Callable[[Callable[[Path], Drawn]], None]:
    """Register a drawing of a layout, called as the layout is where no other name is given."""
    return lambda fill: DRAWINGS.append(Drawing(name, layout or name, fill))


def photographs(root: Path, *names: str) -> None:
    """Photographs, each with pixels of its own."""
    for name in names:
        seed = sum(ord(letter) * 31**place for place, letter in enumerate(f"{root.name}/{name}")) % 2**32
        write(root / name, np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8))


def mask(path: Path, *boxes: Box, value: int = 255) -> None:
    """A mask that marks boxes; none for an empty one."""
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for top, bottom, left, right in boxes:
        pixels[top:bottom, left:right] = value
    write(path, pixels)


def write(path: Path, pixels: npt.NDArray[np.uint8] | npt.NDArray[np.float32]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix.lower(), pixels)[1].tobytes())


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def numbered(folder: str, count: int, suffix: str = ".png") -> list[str]:
    return [f"{folder}/{number:03}{suffix}" for number in range(count)]


def fill_mvtec(
    root: Path, kind: str = "scratch", suffix: str = ".png", mask_ending: str = "_mask.png"
) -> None:
    photographs(root, *numbered("train/good", 4, suffix), *numbered("test/good", 2, suffix))
    photographs(root, *numbered(f"test/{kind}", 2, suffix))
    for number in range(2):
        mask(root / f"ground_truth/{kind}/{number:03}{mask_ending}", ONE)


@drawing("mvtec")
def _mvtec(root: Path) -> Drawn:
    for category in ("bottle", "screw"):
        fill_mvtec(root / category)
        text(root / category / "readme.txt", "MVTec AD")
        photographs(root / category, "validation/good/000.png")
    counts = {"train": {"good": 4}, "validation": {"good": 1}, "test": {"good": 2, "scratch": 2}}
    return Drawn(counts, {"test/scratch/001.png": (ONE,)}, "screw", 2)


@drawing("mpdd", "mvtec")
def _mpdd(root: Path) -> Drawn:
    fill_mvtec(root / "bracket_black", "hole")
    fill_mvtec(root / "metal_plate", "major_rust")
    counts = {"train": {"good": 4}, "test": {"good": 2, "major_rust": 2}}
    return Drawn(counts, {"test/major_rust/000.png": (ONE,)}, "metal_plate", 2)


@drawing("visa-reorganised", "mvtec")
def _visa_reorganised(root: Path) -> Drawn:
    fill_mvtec(root / "candle", "bad", ".JPG", ".png")
    fill_mvtec(root / "pcb1", "bad", ".JPG", ".png")
    return Drawn(
        {"train": {"good": 4}, "test": {"bad": 2, "good": 2}}, {"test/bad/000.JPG": (ONE,)}, "candle", 2
    )


@drawing("btad")
def _btad(root: Path) -> Drawn:
    for category, suffix in (("01", ".png"), ("02", ".png"), ("03", ".bmp")):
        photographs(root / category, *numbered("train/ok", 3, ".bmp"), "test/ok/0000.bmp", "test/ko/0001.bmp")
        mask(root / category / f"ground_truth/ko/0001{suffix}", ONE)
        mask(root / category / f"ground_truth/ok/0000{suffix}")
    return Drawn({"train": {"good": 3}, "test": {"good": 1, "ko": 1}}, {"test/ko/0001.bmp": (ONE,)}, "03", 3)


@drawing("mvtec-ad-2")
def _mvtec_ad_2(root: Path) -> Drawn:
    for category in ("can", "vial"):
        folder = root / category
        photographs(folder, *(f"train/good/{number:03}_regular.png" for number in range(3)))
        photographs(folder, "validation/good/000_regular.png")
        for light in ("regular", "overexposed", "shift_1"):
            photographs(folder, f"test_public/good/000_{light}.png", f"test_public/bad/000_{light}.png")
            mask(folder / f"test_public/ground_truth/bad/000_{light}_mask.png", ONE)
        photographs(folder, "test_private/000_regular.png", "test_private_mixed/000_mixed.png")
    return Drawn(
        {"train": {"good": 3}, "validation": {"good": 1}, "test": {"bad": 3, "good": 3}},
        {"test_public/bad/000_shift_1.png": (ONE,)},
        "vial",
        2,
        ("unused", "unused"),
    )


@drawing("mvtec-loco")
def _mvtec_loco(root: Path) -> Drawn:
    for category in ("breakfast_box", "pushpins"):
        folder = root / category
        photographs(folder, *numbered("train/good", 3), *numbered("validation/good", 2))
        photographs(folder, *numbered("test/good", 2), *numbered("test/structural_anomalies", 1))
        photographs(folder, *numbered("test/logical_anomalies", 2))
        mask(folder / "ground_truth/structural_anomalies/000/000.png", OTHER, value=248)
        mask(folder / "ground_truth/logical_anomalies/000/000.png", ONE, value=255)
        mask(folder / "ground_truth/logical_anomalies/000/001.png", OTHER, value=254)
        mask(folder / "ground_truth/logical_anomalies/001/000.png", ONE, value=254)
        config = [
            {
                "defect_name": "missing_a",
                "pixel_value": 255,
                "saturation_threshold": 12,
                "relative_saturation": False,
            },
            {
                "defect_name": "missing_b",
                "pixel_value": 254,
                "saturation_threshold": 0.5,
                "relative_saturation": True,
            },
            {
                "defect_name": "dent",
                "pixel_value": 248,
                "saturation_threshold": 1.0,
                "relative_saturation": True,
            },
        ]
        text(folder / "defects_config.json", json.dumps(config))
    text(root / "license.txt", "CC BY-NC-SA 4.0")
    return Drawn(
        {
            "train": {"good": 3},
            "validation": {"good": 2},
            "test": {"good": 2, "logical_anomalies": 2, "structural_anomalies": 1},
        },
        {"test/logical_anomalies/000.png": (ONE, OTHER), "test/structural_anomalies/000.png": (OTHER,)},
        "pushpins",
        2,
    )


@drawing("mvtec-3d")
def _mvtec_3d(root: Path) -> Drawn:
    for category in ("bagel", "rope"):
        folder = root / category
        for place, count in (("train/good", 3), ("validation/good", 1), ("test/good", 2), ("test/crack", 2)):
            photographs(folder, *numbered(f"{place}/rgb", count))
            for name in numbered(f"{place}/xyz", count, ".tiff"):
                write(folder / name, np.ones((HEIGHT, WIDTH, 3), np.float32))
            for name in numbered(f"{place}/gt", count) if place.startswith("test") else ():
                mask(folder / name, *((ONE,) if place == "test/crack" else ()))
        text(folder / "calibration/camera_parameters.json", "{}")
    counts = {"train": {"good": 3}, "validation": {"good": 1}, "test": {"crack": 2, "good": 2}}
    return Drawn(counts, {"test/crack/rgb/001.png": (ONE,)}, "bagel", 2)


@drawing("visa")
def _visa(root: Path) -> Drawn:
    table = ["object,split,label,image,mask"]
    for category in ("candle", "pcb1"):
        lines = ["image,label,mask"]
        for number in range(5):
            name = f"{category}/Data/Images/Normal/{number:04}.JPG"
            photographs(root, name)
            lines.append(f"{name},normal,")
            table.append(f"{category},{'train' if number < 3 else 'test'},normal,{name},")
        for number in range(2):
            name, marked = (f"{category}/Data/{kind}/Anomaly/{number:03}" for kind in ("Images", "Masks"))
            photographs(root, f"{name}.JPG")
            mask(root / f"{marked}.png", ONE, value=1)
            lines.append(f"{name}.JPG,chip,{marked}.png")
            table.append(f"{category},test,anomaly,{name}.JPG,{marked}.png")
        text(root / category / "image_anno.csv", "\n".join(lines))
    text(root / "split_csv/1cls.csv", "\n".join(table))
    return Drawn(
        {"train": {"good": 3}, "test": {"chip": 2, "good": 2}},
        {"Data/Images/Anomaly/001.JPG": (ONE,)},
        "candle",
        2,
    )


@drawing("visa-without-tables", "visa")
def _visa_without_tables(root: Path) -> Drawn:
    for category in ("candle", "pcb1"):
        photographs(root / category, *numbered("Data/Images/Normal", 5, ".JPG"))
        photographs(root / category, *numbered("Data/Images/Anomaly", 2, ".JPG"))
        for name in numbered("Data/Masks/Anomaly", 2):
            mask(root / category / name, ONE, value=1)
    counts = {"train": {"good": 4}, "test": {"anomaly": 2, "good": 1}}
    return Drawn(counts, {"Data/Images/Anomaly/001.JPG": (ONE,)}, "pcb1", 2)


@drawing("kolektorsdd")
def _kolektorsdd(root: Path) -> Drawn:
    for item in range(1, 6):
        for view in range(5 if item == 2 else 4):
            photographs(root, f"kos{item:02}/Part{view}.jpg")
            mask(root / f"kos{item:02}/Part{view}_label.bmp", *((ONE,) if view == 4 else ()))
    return Drawn({"train": {"good": 16}, "test": {"defect": 1, "good": 4}}, {"kos02/Part4.jpg": (ONE,)})


@drawing("kolektorsdd2")
def _kolektorsdd2(root: Path) -> Drawn:
    for split, first, good, bad in (("train", 10000, 5, 2), ("test", 20000, 3, 1)):
        for number in range(first, first + good + bad):
            photographs(root, f"{split}/{number}.png")
            mask(root / f"{split}/{number}_GT.png", *(() if number < first + good else (ONE,)))
    return Drawn({"train": {"good": 5}, "test": {"defect": 3, "good": 3}}, {"train/10005.png": (ONE,)})


@drawing("magnetic-tile")
def _magnetic_tile(root: Path) -> Drawn:
    for kind, count in (
        ("Blowhole", 2),
        ("Break", 1),
        ("Crack", 1),
        ("Fray", 1),
        ("Free", 10),
        ("Uneven", 1),
    ):
        for number in range(count):
            name = f"MT_{kind}/Imgs/exp{number}_num_{number}"
            photographs(root, f"{name}.jpg")
            mask(root / f"{name}.png", *(() if kind == "Free" else (ONE,)))
    text(root / "README.md", "# Magnetic tile defects")
    kinds = {"Blowhole": 2, "Break": 1, "Crack": 1, "Fray": 1, "Uneven": 1, "good": 2}
    return Drawn({"train": {"good": 8}, "test": kinds}, {"MT_Blowhole/Imgs/exp1_num_1.jpg": (ONE,)})


@drawing("dagm")
def _dagm(root: Path) -> Drawn:
    for category in ("Class1", "Class10"):
        for split, first in (("Train", 575), ("Test", 1)):
            folder, lines = root / category / split, ["1"]
            for number in range(first, first + 5):
                defective = number == first + 4
                photographs(folder, f"{number:04}.PNG")
                if defective:
                    mask(folder / f"Label/{number:04}_label.PNG", ONE)
                marked = f"{number:04}_label.PNG" if defective else "0"
                lines.append(f"{number}\t{int(defective)}\t{number:04}.PNG\t0\t{marked}")
            text(folder / "Label/Labels.txt", "\r\n".join(lines))
    return Drawn(
        {"train": {"good": 4}, "test": {"defect": 2, "good": 4}}, {"Train/0579.PNG": (ONE,)}, "Class10", 2
    )


@drawing("dagm-2007", "dagm")
def _dagm_2007(root: Path) -> Drawn:
    for category in ("Class1", "Class2"):
        photographs(root, *(f"{category}/{number}.png" for number in range(1, 11)))
        photographs(root, f"{category}_def/1.png", f"{category}_def/2.png")
        text(root / f"{category}_def/labels.txt", "1\t8\t4\t0.000\t15\t11\n2\t8\t4\t1.5708\t15\t11\n")
    return Drawn({"train": {"good": 8}, "test": {"defect": 2, "good": 2}}, {}, "Class1", 2)


@drawing("aitex")
def _aitex(root: Path) -> Drawn:
    for fabric in ("2306881-210020u", "2311517-195063u"):
        photographs(root, *(f"NODefect_images/{fabric}/{number:04}_000_05.png" for number in range(5)))
    photographs(root, "Defect_images/0001_002_00.png", "Defect_images/0044_019_04.png")
    mask(root / "Mask_images/0001_002_00_mask.png", ONE)
    mask(root / "Mask_images/0044_019_04_mask1.png", ONE)
    mask(root / "Mask_images/0044_019_04_mask2.png", OTHER)
    return Drawn(
        {"train": {"good": 8}, "test": {"002": 1, "019": 1, "good": 2}},
        {"Defect_images/0001_002_00.png": (ONE,), "Defect_images/0044_019_04.png": (ONE, OTHER)},
    )


def fill_real_iad(folder: Path) -> dict[str, list[dict[str, str | None]]]:
    """Five good parts and two defective ones, seen from two sides; returns what the official list says of them."""
    lists: dict[str, list[dict[str, str | None]]] = {"train": [], "test": []}
    for part in range(5):
        for side in (1, 2):
            name = f"OK/S{part:04}/{folder.name}_{part:04}_OK_C{side}_20231023.jpg"
            photographs(folder, name)
            one = {"category": folder.name, "anomaly_class": "OK", "image_path": name, "mask_path": None}
            lists["train" if part < 3 else "test"].append(one)
    for part, kind in ((5, "AK"), (6, "HS")):
        for side in (1, 2):
            name = f"NG/{kind}/S{part:04}/{folder.name}_{part:04}_NG_{kind}_C{side}_20231023"
            photographs(folder, f"{name}.jpg")
            mask(folder / f"{name}.png", ONE)
            one = {"category": folder.name, "anomaly_class": kind, "image_path": f"{name}.jpg"}
            lists["test"].append({**one, "mask_path": f"{name}.png"})
    return lists


@drawing("real-iad")
def _real_iad(root: Path) -> Drawn:
    for category in ("audiojack", "zipper"):
        lists = fill_real_iad(root / "realiad_256" / category)
        document = {"meta": {"prefix": f"{category}/", "normal_class": "OK"}, **lists}
        text(root / f"realiad_jsons/realiad_jsons/{category}.json", json.dumps(document))
    marked = "NG/HS/S0006/zipper_0006_NG_HS_C2_20231023.jpg"
    counts = {"train": {"good": 6}, "test": {"AK": 2, "HS": 2, "good": 4}}
    return Drawn(counts, {marked: (ONE,)}, "realiad_256/zipper", 2)


@drawing("real-iad-without-lists", "real-iad")
def _real_iad_without_lists(root: Path) -> Drawn:
    for category in ("audiojack", "zipper"):
        fill_real_iad(root / category)
    marked = "NG/AK/S0005/zipper_0005_NG_AK_C1_20231023.jpg"
    return Drawn({"train": {"good": 8}, "test": {"AK": 2, "HS": 2, "good": 2}}, {marked: (ONE,)}, "zipper", 2)


@drawing("real-iad-flat", "real-iad")
def _real_iad_flat(root: Path) -> Drawn:
    photographs(root, *numbered("OK", 5, ".jpg"), *numbered("NG/AK", 2, ".jpg"))
    for name in numbered("NG/AK", 2):
        mask(root / name, ONE)
    return Drawn({"train": {"good": 4}, "test": {"AK": 2, "good": 1}}, {"NG/AK/001.jpg": (ONE,)})


@drawing("folders")
def _folders(root: Path) -> Drawn:
    photographs(root, *numbered("good", 10), *numbered("bad/hole", 2))
    mask(root / "masks/hole/000.png", ONE)
    mask(root / "masks/hole/001.png", ONE)
    return Drawn({"train": {"good": 8}, "test": {"good": 2, "hole": 2}}, {"bad/hole/000.png": (ONE,)})


@drawing("images")
def _images(root: Path) -> Drawn:
    photographs(root, *(f"{number}.png" for number in range(5)))
    return Drawn({"train": {"good": 5}, "test": {}})
