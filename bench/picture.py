"""Make README's picture: what `blemish inspect --out` leaves for parts of the sample line.

    python bench/picture.py [--write]

Shown are the first good and the first defective test image of a type, named below before anything was run.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measuring.command import run_blemish
from measuring.pages import ROOT
from PIL import Image, ImageDraw, ImageFont

from blemish.core.images import read_image
from blemish.core.storage import write_bytes
from blemish.core.types import ByteArray

SHOWN = (("washer", "scratch"), ("board", "missing_piece"), ("grass", "twist"))
PICTURE = ROOT / "docs" / "images" / "inspect.jpg"
GAP, CAPTION = 12, 30


def inspected(category: str, kind: str, work: Path) -> list[dict[str, Any]]:
    """Results of a good and a defective part, by an inspector fitted with all defaults."""
    inspector = work / f"{category}.blemish"
    run_blemish("fit", work / category, "--out", inspector, "--json", cache=work / "cache")
    test = work / category / "test"
    paths = (test / "good" / "000.png", test / kind / "000.png")
    results = []
    for number, path in enumerate(paths):
        out = work / f"{category}-{number}"
        results += run_blemish(
            "inspect", inspector, path, "--out", out, "--json", cache=work, allowed=(0, 1)
        ).document
    return results


def tile(result: dict[str, Any], what: str) -> ByteArray:
    """An overlay with a caption of what it is and what the inspector said."""
    overlay = read_image(Path(result["overlay"]))
    canvas = Image.new("RGB", (overlay.shape[1], overlay.shape[0] + CAPTION), "white")
    canvas.paste(Image.fromarray(overlay), (0, CAPTION))
    said = f"{what}: {result['verdict']}, score {result['score']:.1f}, threshold {result['threshold']:.1f}"
    ImageDraw.Draw(canvas).text((4, 5), said, "black", ImageFont.load_default(17))
    return np.asarray(canvas)


def main() -> None:
    """Generate, fit, inspect, and lay the overlays side by side."""
    parser = argparse.ArgumentParser(description="README's picture, from a run on the sample line.")
    parser.add_argument("--write", action="store_true", help=f"write {PICTURE.relative_to(ROOT)}")
    out = PICTURE if parser.parse_args().write else ROOT / "runs" / PICTURE.name
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        chosen = [argument for category, _ in SHOWN for argument in ("--category", category)]
        run_blemish("sample", work, *chosen, "--json", cache=work)
        for category, kind in SHOWN:
            good, defective = inspected(category, kind, work)
            tiles = [
                tile(good, f"{category}, good"),
                tile(defective, f"{category}, {kind.replace('_', ' ')}"),
            ]
            gap = np.full((tiles[0].shape[0], GAP, 3), 255, np.uint8)
            rows.append(np.concatenate([tiles[0], gap, tiles[1]], axis=1))
    picture = Image.fromarray(np.concatenate(rows))
    content = io.BytesIO()
    # The overlays are JPEG already; as PNG the picture would be four times as large.
    picture.save(content, "JPEG", quality=88)
    write_bytes(out, content.getvalue())
    print(f"{out.relative_to(ROOT)}: {picture.width} x {picture.height} pixels, {content.tell():,} bytes")


if __name__ == "__main__":
    main()
