"""What it costs to show the nearest good patch, and whether it is of the place where the defect lies.

    python bench/explanations.py plate.blemish ../shared/data/metal_plate [screw.blemish ...] [--write] [--pages DIR]
    python bench/explanations.py --picture

Of each inspector: what its members weigh; milliseconds of an inspection, of its explanation, and of the first one,
which compiles the graph; an inspection by this graph against one by a graph without the output `nearest`, in pairs;
and, on good test photographs with a stain painted on each, how far the nearest good patch lies from the place of the
defect, in patches: that means something where parts lie still. With --pages pictures of test photographs are written,
with --picture that of docs/inspecting.md is drawn, from the sample line.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
from measuring.pages import ROOT, origin, table, write_block
from onnx.utils import Extractor

from blemish.core.errors import BlemishError
from blemish.core.images import read_image
from blemish.core.network import CompiledNetwork
from blemish.core.pictures import encoded
from blemish.core.storage import write_bytes
from blemish.core.types import ByteArray, Prediction
from blemish.data.catalog import open_catalog
from blemish.data.painted_images import paint
from blemish.data.sample_line import write_sample_line
from blemish.detectors.registry import create_detector
from blemish.line.artifact import MODEL, read_artifact
from blemish.line.good_patches import BANK, CELLS, NORMAL_PATCHES, PICTURES, SOURCES
from blemish.line.inspection import Inspection
from blemish.line.nearest_good import NearestGood, explain_regions
from blemish.line.nearest_good_picture import pair_picture
from blemish.line.regions import peak_region
from blemish.line.rows import NetworkInput
from blemish.line.runtime import Inspector
from blemish.making.build import build_inspector

PAGE = ROOT / "docs" / "decisions" / "0056-nearest-good-patch.md"
PICTURE = ROOT / "docs" / "images" / "nearest-good.jpg"
PHOTOGRAPHS, PAIRS = 12, 40


def milliseconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    started = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - started)


def inspected(inspector: Inspector, image: ByteArray) -> tuple[Inspection, Prediction]:
    """An inspection and its prediction; of a part that passes the map's peak is its region."""
    inspection, prediction = inspector.inspect(image), inspector.predict(image)
    if not inspection.regions:
        size = inspection.width, inspection.height
        peak = peak_region(prediction.anomaly_map, *size, prediction.counted)
        inspection = dataclasses.replace(inspection, regions=(peak,))
    return inspection, prediction


def explained(inspector: Inspector, image: ByteArray) -> tuple[list[ByteArray], tuple[NearestGood, ...]]:
    """A photograph's regions drawn, and why."""
    inspection, prediction = inspected(inspector, image)
    whys = explain_regions(inspector, prediction, inspection)
    drawn = [pair_picture(image, *one) for one in zip(inspection.regions, whys, strict=True)]
    return drawn, whys


def costs(path: Path, images: list[ByteArray]) -> dict[str, str]:
    """Bytes and milliseconds."""
    artifact, inspector = read_artifact(path), Inspector.load(path)
    sizes = {
        name: len(artifact.members.get(name, b""))
        for name in (BANK, SOURCES, NORMAL_PATCHES, CELLS, PICTURES)
    }
    inspector.warm_up()
    first = milliseconds(lambda: explained(inspector, images[0]))
    plain, why = [], []
    for image in images:
        inspection, prediction = inspected(inspector, image)
        plain.append(milliseconds(lambda image=image: inspector.inspect(image)))
        given = inspector, prediction, inspection
        why.append(milliseconds(lambda given=given: explain_regions(*given)))
    return {
        "inspector": f"{path.stem}, {path.stat().st_size / 1e6:.1f} MB",
        "places, names": f"{sum(sizes[name] for name in (BANK, SOURCES, NORMAL_PATCHES)) / 1e6:.2f} MB",
        "pictures": f"{(sizes[CELLS] + sizes[PICTURES]) / 1e6:.2f} MB",
        "side": str(inspector.good_patches.record.side),
        "inspection": f"{np.median(plain):.0f} ms",
        "explanation": f"{np.median(why):.0f} ms",
        "the first": f"{first:.0f} ms",
    }


def slower(path: Path, image: ByteArray) -> str:
    """How much longer a plain inspection's network takes than one without the output: the median of pairs, by turns."""
    artifact, inspector = read_artifact(path), Inspector.load(path)
    outputs = inspector.manifest.detector.outputs
    model = onnx.load_from_string(artifact.content(MODEL))
    before = Extractor(model).extract_model([model.graph.input[0].name], list(outputs)).SerializeToString()
    given = inspector.input_of(image)
    assert isinstance(given, NetworkInput)
    values = np.asarray(given.values, np.float32)[None]
    networks = CompiledNetwork(before), CompiledNetwork(artifact.content(MODEL), outputs=outputs)
    ratios = []
    for number in range(PAIRS):
        order = (0, 1) if number % 2 else (1, 0)
        spent = {which: milliseconds(lambda which=which: networks[which](values)) for which in order}
        ratios.append(spent[1] / spent[0])
    return f"{np.median(ratios[4:]) - 1:+.1%}"


def apart(inspector: Inspector, images: list[ByteArray]) -> Iterator[float]:
    """Patches between a painted stain and the good patch shown for it."""
    contract = inspector.manifest.preprocessing.of_part
    for number, image in enumerate(images):
        try:
            damaged, mask = paint("stain", image, None, np.random.default_rng(number), size=(0.04, 0.08))
        except BlemishError:
            continue
        for why in explained(inspector, damaged)[1]:
            if mask[why.part_y, why.part_x]:
                yield (
                    np.hypot(why.x - why.part_x, why.y - why.part_y)
                    * contract.width
                    / why.width
                    / why.marks[2]
                )


def main() -> None:
    """Print the tables, and write what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("given", nargs="*", type=Path, help="INSPECTOR DATA, and more such pairs")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    parser.add_argument("--pages", type=Path, help="folder for pictures of test photographs")
    parser.add_argument("--picture", action="store_true", help=f"draw {PICTURE.name}")
    asked = parser.parse_args()
    rows = [measured(*pair, asked.pages) for pair in zip(asked.given[::2], asked.given[1::2], strict=True)]
    if rows:
        block = table(list(rows[0]), [list(row.values()) for row in rows])
        print(block)
        if asked.write:
            write_block(PAGE, "costs", f"{block}\n\n{origin()}")
    if asked.picture:
        draw()


def measured(path: Path, data: Path, pages: Path | None) -> dict[str, str]:
    """A row of the table."""
    test = open_catalog(data).test()
    of = {
        label: [Path(one) for one in test.loc[test["label"] == label, "path"]]
        for label in ("normal", "anomalous")
    }
    bad = of["anomalous"][:: max(1, len(of["anomalous"]) // PHOTOGRAPHS)][:PHOTOGRAPHS]
    images = [read_image(one) for one in bad]
    row, inspector = costs(path, images), Inspector.load(path)
    row["a plain one is slower by"] = slower(path, images[0])
    far = list(apart(inspector, [read_image(one) for one in of["normal"][:PHOTOGRAPHS]]))
    row["painted: patches apart"] = (
        f"{np.median(far):.1f} ({np.mean(np.array(far) <= 3):.0%} within 3)" if far else "none"
    )
    if pages is not None:
        drawn = [pictures[0] for image in images if (pictures := explained(inspector, image)[0])]
        pages.mkdir(parents=True, exist_ok=True)
        write_bytes(pages / f"{path.stem}.jpg", encoded(below_each_other(drawn), ".jpg"))
    return row


def below_each_other(pictures: list[ByteArray]) -> ByteArray:
    """Pictures under one another, on white."""
    width = max(one.shape[1] for one in pictures)
    white = (255, 255, 255)
    filled = [
        cv2.copyMakeBorder(one, 0, 8, 0, width - one.shape[1], cv2.BORDER_CONSTANT, value=white)
        for one in pictures
    ]
    return np.asarray(np.concatenate(filled)[:-8], np.uint8)


def draw() -> None:
    """The picture of docs/inspecting.md: defective boards of the sample line."""
    with tempfile.TemporaryDirectory() as folder:
        (data,) = write_sample_line(Path(folder), ("board",), train=24, good=2, per_defect_type=2, size=256)
        out = Path(folder) / "board.blemish"
        build_inspector(open_catalog(data), out, create_detector("patchcore", size=320, copies="none"))
        inspector, test = Inspector.load(out), open_catalog(data).test()
        bad = [Path(one) for one in test.loc[test["label"] == "anomalous", "path"]]
        drawn = [pictures[0] for one in bad if (pictures := explained(inspector, read_image(one))[0])]
        write_bytes(PICTURE, encoded(below_each_other(drawn[::2][:3]), ".jpg"))


if __name__ == "__main__":
    main()
