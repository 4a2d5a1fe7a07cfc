"""How many damaged photographs are told, how many whole ones are called damaged, and what telling costs.

    python bench/damage.py found [--images 40] [--times 3]
    python bench/damage.py whole [--images 200]
    python bench/damage.py cost SRC        # SRC: `src` of another version, unpacked with git archive

Reads the real sets in BLEMISH_REAL_DATA (screw, metal_plate, magnetic_tile).
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from blemish.core.errors import ImageError
from blemish.core.images import decode_image, list_images

SETS = ("screw", "metal_plate", "magnetic_tile")
DATA = Path(os.environ.get("BLEMISH_REAL_DATA", "../shared/data"))
SIZES = (1, 4, 16, 64, 512, 4096, 65536)
DAMAGES = ("lost", "zeroed", "ones", "noise", "spliced", "repeated", "ended", "flipped bit")
JPEG = {
    "baseline": {"quality": 92},
    "progressive": {"quality": 92, "progressive": True},
    "optimised": {"quality": 92, "optimize": True},
    "restart": {"quality": 92, "restart_marker_rows": 1},
    "fine": {"quality": 98, "subsampling": 0},
    "coarse": {"quality": 60},
}
OTHERS = {
    "PNG": ("PNG", {}),
    "TIFF": ("TIFF", {}),
    "TIFF deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "TIFF LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF JPEG": ("TIFF", {"compression": "jpeg"}),
    "BMP": ("BMP", {}),
    "WebP": ("WEBP", {"quality": 90}),
    "WebP lossless": ("WEBP", {"lossless": True}),
}


def photographs(count: int) -> Iterator[Image.Image]:
    """Good and defective photographs of the three sets, in their own size up to 768 pixels."""
    for name in SETS:
        paths = list_images(DATA / name / "train") + list_images(DATA / name / "test")
        for path in paths[:: max(1, len(paths) // count)][:count]:
            image = Image.open(path)
            image = image if image.mode == "L" else image.convert("RGB")
            image.thumbnail((768, 768))
            yield image


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """`image` as a file of format `kind`."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def body(content: bytes, kind: str) -> tuple[int, int]:
    """Where the picture's data begin and end in a file, roughly."""
    if kind == "JPEG":
        return content.index(b"\xff\xda") + 14, len(content) - 2
    return 128, len(content) - 64


def damaged(
    content: bytes, span: tuple[int, int], damage: str, size: int, other: bytes, rng: np.random.Generator
) -> bytes | None:
    """`content` with `size` bytes of damage somewhere in `span`; None where it is too small for that."""
    start, end = span
    if end - start < size + 2:
        return None
    at = int(rng.integers(start, end - size))
    before, hurt, after = content[:at], content[at : at + size], content[at + size :]
    if damage == "ended":
        return before + content[end:]
    if damage == "flipped bit":
        return before + bytes([hurt[0] ^ 1 << int(rng.integers(8))]) + hurt[1:] + after
    place = at if len(other) > at + size else int(rng.integers(0, max(1, len(other) - size)))
    replaced = {
        "lost": b"",
        "zeroed": bytes(size),
        "ones": b"\xff" * size,
        "noise": rng.bytes(size),
        "spliced": other[place : place + size],
        "repeated": hurt * 2,
    }[damage]
    return before + replaced + after


def lenient(content: bytes) -> np.ndarray | None:
    """The pixels as Pillow reads them, warnings or not."""
    try:
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(np.int16)
    except Exception:
        return None


def found(count: int, times: int) -> None:
    """Print, per encoding, damage and size, the share that is told, and what those that are not look like."""
    rng = np.random.default_rng(0)
    told: dict[tuple[str, str, int], list[bool]] = defaultdict(list)
    area: dict[str, list[float]] = defaultdict(list)
    kinds = {name: ("JPEG", options) for name, options in JPEG.items()} | OTHERS
    for name, (kind, options) in kinds.items():
        other = b""
        for image in photographs(count if kind == "JPEG" else max(1, count // 4)):
            content = encoded(image, kind, **options)
            whole, span = lenient(content), body(content, kind)
            for damage in DAMAGES:
                for size in SIZES if damage not in ("ended", "flipped bit") else (1,):
                    for _ in range(times):
                        broken = damaged(content, span, damage, size, other, rng)
                        if broken is None or broken == content or (damage == "spliced" and len(other) < size):
                            continue
                        try:
                            decode_image(broken, "it")
                        except ImageError:
                            told[name, damage, size].append(True)
                            continue
                        seen = lenient(broken)
                        if seen is None or seen.shape != whole.shape or (seen != whole).any():
                            told[name, damage, size].append(False)
                            if seen is not None and seen.shape == whole.shape:
                                area[name].append(float((np.abs(seen - whole).max(axis=2) > 16).mean()))
            other = content
    for name in kinds:
        print(f"\n{name}\n{'':14}" + "".join(f"{size:>9,}" for size in SIZES))
        for damage in DAMAGES:
            cells = [told.get((name, damage, size)) for size in SIZES]
            print(f"{damage:14}" + "".join(f"{100 * np.mean(c):8.1f}%" if c else f"{'':9}" for c in cells))
        every = [one for (encoding, *_), cell in told.items() if encoding == name for one in cell]
        missed = area[name] or [0.0]
        print(
            f"{len(every):,} damaged, {100 * np.mean(every):.2f} % told; pixels changed by more than 16 in those not "
            f"told: median {100 * np.median(missed):.2f} %, 90 % under {100 * np.quantile(missed, 0.9):.1f} %"
        )


def whole(count: int) -> None:
    """Print how many whole files are refused."""
    refused, files = [], 0
    for image in photographs(count):
        for mode in ("RGB", "L", "CMYK"):
            for quality in (30, 75, 92, 100):
                for progressive in (False, True):
                    for optimize in (False, True):
                        for rows in (0, 1):
                            content = encoded(
                                image.convert(mode), "JPEG", quality=quality, progressive=progressive,
                                optimize=optimize, restart_marker_rows=rows, subsampling=files % 3,
                            )  # fmt: skip
                            files += 1
                            try:
                                decode_image(content, "it")
                            except ImageError as error:
                                refused.append(error.detail)
        for kind, options in OTHERS.values():
            files += 1
            try:
                decode_image(encoded(image, kind, **options), "it")
            except ImageError as error:
                refused.append(error.detail)
    print(f"{files:,} whole files, {len(refused)} refused {sorted(set(refused))}")


_TIMED = """
import sys, time
from blemish.core.images import read_image
read_image(sys.argv[1])
for path in sys.stdin:
    start = time.perf_counter(); read_image(path.strip()); print(time.perf_counter() - start, flush=True)
"""


_NORMAL = (("jpg", "JPEG", {"quality": 92}), ("png", "PNG", {}))
_RARER = (
    ("bmp", "BMP", {}),
    ("webp", "WEBP", {"quality": 90}),
    ("raw.tif", "TIFF", {}),
    ("lzw.tif", "TIFF", {"compression": "tiff_lzw"}),
    ("deflate.tif", "TIFF", {"compression": "tiff_adobe_deflate"}),
)


def cost(src: str) -> None:
    """Print the time of reading a photograph in this version and in another, turn by turn."""
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / "blemish-damage"
    folder.mkdir(exist_ok=True)
    here = str(Path(__file__).resolve().parent.parent / "src")
    for name in SETS:
        image = Image.open(list_images(DATA / name / "train")[0]).convert("RGB")
        cases = [(side, *kind) for side in (512, 4000) for kind in _NORMAL]
        cases += [(1000, *kind) for kind in _RARER] if name == SETS[0] else []
        for side, suffix, kind, options in cases:
            path = folder / f"{name}-{side}.{suffix}"
            path.write_bytes(encoded(image.resize((side, side), Image.Resampling.BICUBIC), kind, **options))
            seconds = _turn_by_turn(path, (here, src), 60 if side < 2000 else 8)
            now, before = (1000 * np.median(one) for one in seconds)
            ratio = np.median(np.array(seconds[0]) / np.array(seconds[1]))
            print(
                f"{name:14} {side:5} {suffix:12} {before:8.2f} ms before, {now:8.2f} ms now, ratio {ratio:.3f}"
            )


def _turn_by_turn(path: Path, sources: Sequence[str], turns: int) -> list[list[float]]:
    """Seconds that each version takes to read a photograph, again and again, each in a process of its own."""
    run = [
        subprocess.Popen(
            [sys.executable, "-c", _TIMED, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": where},
        )
        for where in sources
    ]
    seconds: list[list[float]] = [[] for _ in sources]
    for turn in range(turns):
        for which in (0, 1) if turn % 2 else (1, 0):
            run[which].stdin.write(f"{path}\n")
            run[which].stdin.flush()
            seconds[which].append(float(run[which].stdout.readline()))
    for process in run:
        process.communicate()
    return seconds


def main() -> None:
    """Read the arguments and run what they ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="?", default="whole", choices=("found", "whole", "cost"))
    parser.add_argument("src", nargs="?")
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--times", type=int, default=3)
    chosen = parser.parse_args()
    started = time.perf_counter()
    if chosen.what == "found":
        found(chosen.images, chosen.times)
    elif chosen.what == "whole":
        whole(chosen.images)
    else:
        cost(chosen.src)
    print(f"({time.perf_counter() - started:.0f} s)")


if __name__ == "__main__":
    main()
