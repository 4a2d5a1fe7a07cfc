"""Small folders as published sets and programs for annotation lay them out; each drawing says what is in it.

`draw_NAME(folder)` writes a folder and returns `{"counts": ..., "masks": ...}`: what the catalog has to count by split
and defect type, and how many photographs have a mask.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

WIDTH, HEIGHT = 48, 32
BOX = (8, 6, 12, 10)
"""The marked defect, x, y, width and height in pixels."""
Drawn = dict[str, Any]


def photograph(path: Path) -> None:
    """A photograph with pixels of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(ord(letter) * 31**place for place, letter in enumerate(path.as_posix())) % 2**32
    pixels = np.random.default_rng(seed).integers(40, 200, (HEIGHT, WIDTH, 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)


def box_mask(box: tuple[int, int, int, int] = BOX) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The mask of a box, bool H x W."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    x, y, width, height = box
    mask[y : y + height, x : x + width] = True
    return mask


def column_counts(mask: np.ndarray[Any, Any]) -> list[int]:
    """COCO's run lengths of a mask, by a plain loop."""
    counts, last, run = [], False, 0
    for value in mask.T.ravel().tolist():
        if value != last:
            counts.append(run)
            last, run = value, 0
        run += 1
    return [*counts, run]


def kaggle_pairs(mask: np.ndarray[Any, Any]) -> str:
    """Severstal's run lengths of a mask, by a plain loop."""
    flat, pairs, place = mask.T.ravel().tolist(), [], 0
    while place < len(flat):
        start = place
        while place < len(flat) and flat[place]:
            place += 1
        if place > start:
            pairs += [start + 1, place - start]
        place += 1
    return " ".join(map(str, pairs))


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def voc_xml(path: Path, kind: str | None, name: str = "x.jpg") -> None:
    """A file of Pascal VOC with the one box, or none."""
    x, y, width, height = BOX
    box = f"<xmin>{x + 1}</xmin><ymin>{y + 1}</ymin><xmax>{x + width}</xmax><ymax>{y + height}</ymax>"
    marked = f"<object><name>{kind}</name><bndbox>{box}</bndbox></object>" if kind else ""
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    text(path, f"<annotation>\n<filename>{name}</filename>{size}\n{marked}\n</annotation>\n")


def draw_severstal(folder: Path) -> Drawn:
    rows = ["ImageId,ClassId,EncodedPixels"]
    for number in range(10):
        photograph(folder / f"train_images/{number:04}.png")
    rows += [f"{number:04}.png,{number % 2 + 3},{kaggle_pairs(box_mask())}" for number in (1, 4, 7)]
    rows.append(f"0007.png,1,{kaggle_pairs(box_mask((30, 20, 3, 3)))}")
    text(folder / "train.csv", "\n".join(rows) + "\n")
    text(folder / "sample_submission.csv", "ImageId,EncodedPixels,ClassId\na.jpg,1 1,1\n")
    photograph(folder / "test_images/a.png")
    photograph(folder / "test_images/b.png")
    return {"counts": {"train": {"good": 6}, "test": {"good": 1, "class 3": 1, "class 4": 2}}, "masks": 3}


def draw_severstal_first(folder: Path) -> Drawn:
    rows = ["ImageId_ClassId,EncodedPixels"]
    for number in range(10):
        photograph(folder / f"train_images/{number:04}.png")
        for kind in range(1, 5):
            marked = kaggle_pairs(box_mask()) if number in (1, 4, 7) and kind == 3 else ""
            rows.append(f"{number:04}.png_{kind},{marked}")
    text(folder / "train.csv", "\n".join(rows) + "\n")
    return {"counts": {"train": {"good": 6}, "test": {"good": 1, "class 3": 3}}, "masks": 3}


def draw_neu_det(folder: Path) -> Drawn:
    kinds = ("crazing", "inclusion", "patches", "pitted_surface", "rolled-in_scale", "scratches")
    for split, first in (("train", 1), ("validation", 241)):
        for kind in kinds:
            photograph(folder / split / f"images/{kind}/{kind}_{first}.jpg")
            voc_xml(folder / split / f"annotations/{kind}_{first}.xml", kind)
    return {"counts": {"train": {}, "test": dict.fromkeys(kinds, 2)}, "masks": 12}


def draw_neu_cls(folder: Path) -> Drawn:
    kinds = {"Cr": "crazing", "In": "inclusion", "Pa": "patches", "Sc": "scratches"}
    for short in kinds:
        for number in (1, 2):
            photograph(folder / f"{short}_{number}.bmp")
    return {"counts": {"train": {}, "test": dict.fromkeys(kinds.values(), 2)}, "masks": 0}


def draw_gc10_det(folder: Path) -> Drawn:
    for number in (1, 2, 10):
        photograph(folder / f"{number}/img_{number:02}_1.jpg")
        voc_xml(folder / f"lable/img_{number:02}_1.xml", f"{number}_x")
    return {"counts": {"train": {}, "test": {"1_x": 1, "2_x": 1, "10_x": 1}}, "masks": 3}


def draw_pku_pcb(folder: Path) -> Drawn:
    for number in range(1, 4):
        photograph(folder / f"PCB_USED/{number:02}.jpg")
        for kind in ("Missing_hole", "Mouse_bite", "Spur"):
            name = f"{number:02}_{kind.lower()}_01"
            photograph(folder / f"images/{kind}/{name}.jpg")
            voc_xml(folder / f"Annotations/{kind}/{name}.xml", kind.lower())
    return {
        "counts": {"train": {"good": 2}, "test": {"good": 1, "missing_hole": 3, "mouse_bite": 3, "spur": 3}},
        "masks": 9,
    }


def draw_deep_pcb(folder: Path) -> Drawn:
    x, y, width, height = BOX
    for number in range(6):
        name = f"00041{number:03}"
        for side in ("temp", "test"):
            photograph(folder / f"PCBData/group00041/00041/{name}_{side}.jpg")
        text(
            folder / f"PCBData/group00041/00041_not/{name}.txt",
            f"{x} {y} {x + width} {y + height} {number % 2 + 1}\n",
        )
        split = "trainval" if number < 4 else "test"
        with (folder / f"PCBData/{split}.txt").open("a") as stream:
            stream.write(f"group00041/00041/{name}.jpg group00041/00041_not/{name}.txt\n")
    return {"counts": {"train": {"good": 4}, "test": {"good": 2, "open": 3, "short": 3}}, "masks": 6}


def draw_casting(folder: Path) -> Drawn:
    for split, goods, bads in (("train", 4, 3), ("test", 2, 2)):
        for number in range(goods):
            photograph(folder / f"{split}/ok_front/cast_ok_0_{number}.jpeg")
        for number in range(bads):
            photograph(folder / f"{split}/def_front/cast_def_0_{number}.jpeg")
    return {"counts": {"train": {"good": 4}, "test": {"good": 2, "def_front": 5}}, "masks": 0}


def draw_casting_alone(folder: Path) -> Drawn:
    for number in range(5):
        photograph(folder / f"ok_front/cast_ok_0_{number}.jpeg")
        photograph(folder / f"def_front/cast_def_0_{number}.jpeg")
    return {"counts": {"train": {"good": 4}, "test": {"good": 1, "def_front": 5}}, "masks": 0}


def draw_concrete_cracks(folder: Path) -> Drawn:
    for number in range(5):
        photograph(folder / f"Negative/{number:05}.jpg")
        photograph(folder / f"Positive/{number:05}.jpg")
    return {"counts": {"train": {"good": 4}, "test": {"good": 1, "crack": 5}}, "masks": 0}


def draw_sdnet2018(folder: Path) -> Drawn:
    """One of its three surfaces, the decks."""
    for number in range(5):
        photograph(folder / f"UD/7001-{number}.jpg")
    photograph(folder / "CD/7001-11.jpg")
    return {"counts": {"train": {"good": 4}, "test": {"good": 1, "crack": 1}}, "masks": 0}


def _exported(folder: Path, place: Callable[[str, str], Path]) -> dict[str, list[tuple[Path, bool]]]:
    """Photographs of three splits by split, with whether they are defective: 4 of 10."""
    plan = {"train": "gbgggb", "valid": "gb", "test": "gb"}
    found: dict[str, list[tuple[Path, bool]]] = {}
    for split, kinds in plan.items():
        for number, kind in enumerate(kinds):
            path = folder / place(split, f"{split}_{number}.jpg")
            photograph(path)
            found.setdefault(split, []).append((path, kind == "b"))
    return found


EXPORTED: Drawn = {"counts": {"train": {"good": 5}, "test": {"good": 1, "scratch": 4}}, "masks": 4}


def coco_document(photographs: list[tuple[str, bool]], shape: Any = None) -> dict[str, Any]:
    images = [
        {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT}
        for number, (name, _) in enumerate(photographs)
    ]
    annotations = [
        {
            "id": number,
            "image_id": number,
            "category_id": 1,
            "bbox": list(BOX),
            "iscrowd": int(shape is not None),
            "segmentation": shape or [],
        }
        for number, (_, bad) in enumerate(photographs)
        if bad
    ]
    # Roboflow's first category is the name of the project, of which no annotation is.
    categories = [
        {"id": 0, "name": "surfaces", "supercategory": "none"},
        {"id": 1, "name": "scratch", "supercategory": "surfaces"},
    ]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


def draw_coco_roboflow(folder: Path) -> Drawn:
    for split, some in _exported(folder, lambda split, name: Path(split, name)).items():
        document = coco_document([(path.name, bad) for path, bad in some])
        text(folder / split / "_annotations.coco.json", json.dumps(document))
    return EXPORTED


def draw_coco_runs(folder: Path) -> Drawn:
    shape = {"size": [HEIGHT, WIDTH], "counts": column_counts(box_mask())}
    for split, some in _exported(folder, lambda split, name: Path("images", split, name)).items():
        document = coco_document([(path.name, bad) for path, bad in some], shape)
        text(folder / "annotations" / f"instances_{split}.json", json.dumps(document))
    return EXPORTED


def label_line(kind: int = 0) -> str:
    x, y, width, height = BOX
    return f"{kind} {(x + width / 2) / WIDTH} {(y + height / 2) / HEIGHT} {width / WIDTH} {height / HEIGHT}\n"


def _draw_yolo(folder: Path, place: Callable[[str, str, str], Path]) -> Drawn:
    for some in _exported(folder, lambda split, name: place("images", split, name)).values():
        for path, bad in some:
            split = path.name.split("_")[0]
            text(folder / place("labels", split, f"{path.stem}.txt"), label_line() if bad else "")
    text(folder / "data.yaml", "train: x\nnc: 1\nnames: ['scratch']\n")
    return EXPORTED


def draw_yolo_by_kind(folder: Path) -> Drawn:
    return _draw_yolo(folder, lambda kind, split, name: Path(kind, split, name))


def draw_yolo_by_split(folder: Path) -> Drawn:
    return _draw_yolo(folder, lambda kind, split, name: Path(split, kind, name))


def draw_yolo_beside(folder: Path) -> Drawn:
    """As darknet and CVAT have it: the splits stand in lists."""
    for split, some in _exported(folder, lambda split, name: Path("obj_train_data", name)).items():
        for path, bad in some:
            text(path.with_suffix(".txt"), label_line() if bad else "")
        text(folder / f"{split}.txt", "\n".join(f"data/obj_train_data/{path.name}" for path, _ in some))
    text(folder / "obj.names", "scratch\n")
    text(folder / "obj.data", "classes = 1\n")
    return EXPORTED


def draw_voc(folder: Path) -> Drawn:
    for split, some in _exported(folder, lambda split, name: Path("JPEGImages", name)).items():
        for path, bad in some:
            voc_xml(folder / f"Annotations/{path.stem}.xml", "scratch" if bad else None)
        name = "val" if split == "valid" else split
        text(folder / f"ImageSets/Main/{name}.txt", "\n".join(path.stem for path, _ in some))
    return EXPORTED


def draw_voc_beside(folder: Path) -> Drawn:
    for some in _exported(folder, lambda split, name: Path(split, name)).values():
        for path, bad in some:
            voc_xml(path.with_suffix(".xml"), "scratch" if bad else None)
    return EXPORTED


def draw_cvat(folder: Path) -> Drawn:
    x, y, width, height = BOX
    box = f'xtl="{x}" ytl="{y}" xbr="{x + width}" ybr="{y + height}"'
    images = []
    for some in _exported(folder, lambda split, name: Path("images", split, name)).values():
        for path, bad in some:
            shape = f'<box label="scratch" occluded="0" {box} z_order="0"></box>' if bad else ""
            name = path.relative_to(folder / "images").as_posix()
            images.append(f'<image id="0" name="{name}" width="{WIDTH}" height="{HEIGHT}">\n{shape}</image>')
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
    text(folder / "annotations.xml", head + "\n".join(images) + "\n</annotations>\n")
    return EXPORTED


def draw_cvat_masks(folder: Path) -> Drawn:
    for split, some in _exported(folder, lambda split, name: Path("JPEGImages", name)).items():
        for path, bad in some:
            colours = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
            if bad:
                colours[box_mask()] = (3, 50, 250)  # blue, green, red
            for kind in ("SegmentationClass", "SegmentationObject"):
                mask = folder / kind / f"{path.stem}.png"
                mask.parent.mkdir(exist_ok=True)
                cv2.imwrite(str(mask), colours)
        text(folder / f"ImageSets/Segmentation/{split}.txt", "\n".join(path.stem for path, _ in some))
    text(folder / "labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\nscratch:250,50,3::\n")
    return EXPORTED


def draw_labelme(folder: Path) -> Drawn:
    x, y, width, height = BOX
    png = base64.b64encode(
        cv2.imencode(".png", np.full((height, width), 255, np.uint8))[1].tobytes()
    ).decode()
    shape = {
        "label": "scratch",
        "points": [[x, y], [x + width - 1, y + height - 1]],
        "shape_type": "mask",
        "mask": png,
        "flags": {},
    }
    for some in _exported(folder, lambda split, name: Path(split, name)).values():
        for path, bad in some:
            document = {
                "version": "5.5.0",
                "flags": {},
                "shapes": [shape] if bad else [],
                "imagePath": path.name,
                "imageData": None,
                "imageHeight": HEIGHT,
                "imageWidth": WIDTH,
            }
            text(path.with_suffix(".json"), json.dumps(document, indent=2))
    return EXPORTED


def draw_roboflow_classes(folder: Path) -> Drawn:
    for split, some in _exported(folder, lambda split, name: Path(split, name)).items():
        rows = [
            "filename, good, scratch",
            *(f"{path.name}, {int(not bad)}, {int(bad)}" for path, bad in some),
        ]
        text(folder / split / "_classes.csv", "\n".join(rows))
    return {**EXPORTED, "masks": 0}


def draw_roboflow_boxes(folder: Path) -> Drawn:
    x, y, width, height = BOX
    for split, some in _exported(folder, lambda split, name: Path(split, name)).items():
        rows = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
        corners = f"{x},{y},{x + width},{y + height}"
        rows += [f"{path.name},{WIDTH},{HEIGHT},scratch,{corners}" for path, bad in some if bad]
        text(folder / split / "_annotations.csv", "\n".join(rows))
    return EXPORTED


def draw_roboflow_masks(folder: Path) -> Drawn:
    for split, some in _exported(folder, lambda split, name: Path(split, name)).items():
        for path, bad in some:
            values = box_mask() if bad else np.zeros((HEIGHT, WIDTH), bool)
            cv2.imwrite(str(path.with_name(f"{path.stem}_mask.png")), values.astype(np.uint8))
        text(folder / split / "_classes.csv", "Pixel Value, Class\n0, background\n1, scratch\n")
    return EXPORTED


def draw_via(folder: Path) -> Drawn:
    x, y, width, height = BOX
    shape = {"name": "rect", "x": x, "y": y, "width": width, "height": height}
    region = {"shape_attributes": shape, "region_attributes": {"type": "scratch"}}
    for split, some in _exported(folder, lambda split, name: Path(split, name)).items():
        found = {
            f"{path.name}123": {
                "filename": path.name,
                "size": 123,
                "regions": [region] if bad else [],
                "file_attributes": {},
            }
            for path, bad in some
        }
        project = {"_via_settings": {}, "_via_img_metadata": found, "_via_attributes": {}}
        text(folder / split / "via_project.json", json.dumps(project if split == "train" else found))
    return EXPORTED


def draw_label_studio(folder: Path) -> Drawn:
    x, y, width, height = BOX
    value = {
        "x": x / WIDTH * 100,
        "y": y / HEIGHT * 100,
        "width": width / WIDTH * 100,
        "height": height / HEIGHT * 100,
        "rotation": 0,
        "rectanglelabels": ["scratch"],
    }
    result = {
        "type": "rectanglelabels",
        "value": value,
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
    }
    tasks = []
    for some in _exported(folder, lambda split, name: Path("images", split, name)).values():
        tasks += [
            {
                "data": {"image": f"/data/upload/1/0a1b2c3d-{path.name}"},
                "annotations": [{"was_cancelled": False, "result": [result] if bad else []}],
            }
            for path, bad in some
        ]
    text(folder / "project-1-at-2024.json", json.dumps(tasks))
    return EXPORTED


def draw_createml(folder: Path) -> Drawn:
    x, y, width, height = BOX
    middle = {"x": x + width / 2, "y": y + height / 2, "width": width, "height": height}
    for split, some in _exported(folder, lambda split, name: Path(split, name)).items():
        found = [
            {"image": path.name, "annotations": [{"label": "scratch", "coordinates": middle}] if bad else []}
            for path, bad in some
        ]
        text(folder / split / "_annotations.createml.json", json.dumps(found))
    return EXPORTED


def draw_supervisely(folder: Path) -> Drawn:
    x, y, width, height = BOX
    png = cv2.imencode(".png", np.full((height, width), 255, np.uint8))[1].tobytes()
    bitmap = {"data": base64.b64encode(zlib.compress(png)).decode(), "origin": [x, y]}
    scratch = {"classTitle": "scratch", "geometryType": "bitmap", "bitmap": bitmap}
    for some in _exported(folder, lambda split, name: Path(split, "img", name)).values():
        for path, bad in some:
            document = {
                "description": "",
                "tags": [],
                "size": {"height": HEIGHT, "width": WIDTH},
                "objects": [scratch] if bad else [],
            }
            text(path.parent.parent / f"ann/{path.name}.json", json.dumps(document))
    text(folder / "meta.json", json.dumps({"classes": [{"title": "scratch"}], "tags": []}))
    return EXPORTED


INDUSTRY: dict[str, Callable[[Path], Drawn]] = {
    "severstal": draw_severstal,
    "severstal (first version)": draw_severstal_first,
    "neu (NEU-DET)": draw_neu_det,
    "neu (NEU-CLS)": draw_neu_cls,
    "gc10-det": draw_gc10_det,
    "pku-pcb": draw_pku_pcb,
    "deeppcb": draw_deep_pcb,
    "casting": draw_casting,
    "casting (512x512)": draw_casting_alone,
    "concrete-cracks": draw_concrete_cracks,
    "sdnet2018": draw_sdnet2018,
}
EXPORTS: dict[str, Callable[[Path], Drawn]] = {
    "coco (Roboflow)": draw_coco_roboflow,
    "coco (run lengths)": draw_coco_runs,
    "yolo (images/train)": draw_yolo_by_kind,
    "yolo (train/images)": draw_yolo_by_split,
    "yolo (darknet)": draw_yolo_beside,
    "voc": draw_voc,
    "voc (LabelImg)": draw_voc_beside,
    "cvat": draw_cvat,
    "cvat-masks": draw_cvat_masks,
    "labelme": draw_labelme,
    "via": draw_via,
    "label-studio": draw_label_studio,
    "createml": draw_createml,
    "supervisely": draw_supervisely,
    "roboflow-classes": draw_roboflow_classes,
    "roboflow-boxes": draw_roboflow_boxes,
    "roboflow-masks": draw_roboflow_masks,
}
"""By the name of the layout, with what tells them apart in brackets."""
