"""How many codes are read off photographs, and how long that takes: by size of the photograph and of the code.

python bench/metadata.py [--codes 40]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import cv2
import numpy as np

from blemish.core.types import ByteArray
from blemish.station.metadata.codes import CodeReader

SIDES, MODULES = (640, 1600, 3200), (2, 3, 5)


def surface(side: int, chance: np.random.Generator) -> ByteArray:
    """A rough grey surface."""
    noise = cv2.GaussianBlur(chance.normal(128, 40, (side, side)), (0, 0), 2)
    return np.clip(noise, 0, 255).astype(np.uint8)


def photograph(side: int, module: int, number: int) -> tuple[ByteArray, str]:
    """A turned, slightly blurred QR code of so many pixels a module somewhere on a surface, and its text."""
    chance = np.random.default_rng(number)
    text = f"LOT-{number:04d};SN-{number:06d}"
    code = np.kron(cv2.QRCodeEncoder.create().encode(text), np.ones((module, module), np.uint8))
    code = np.pad(code, 4 * module, constant_values=255)
    ground = surface(side, chance)
    size = code.shape[0]
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), float(chance.uniform(0, 360)), 1.0)
    matrix[:, 2] += chance.uniform(0.25 * size, side - 1.25 * size, 2)
    mask = cv2.warpAffine(np.full_like(code, 255), matrix, (side, side), flags=cv2.INTER_LINEAR) > 128
    drawn = cv2.warpAffine(code, matrix, (side, side), flags=cv2.INTER_LINEAR)
    ground[mask] = drawn[mask]
    noisy = cv2.GaussianBlur(ground, (0, 0), 0.6) + chance.normal(0, 4, ground.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), text


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codes", type=int, default=40)
    count = parser.parse_args().codes
    reader = CodeReader(("barcode", "qr"), 60)
    found = {}
    for side in SIDES:
        times = []
        plain = surface(side, np.random.default_rng(0))
        for _ in range(5):
            started = time.perf_counter()
            reader.texts(plain)
            times.append(1000 * (time.perf_counter() - started))
        row: dict[str, object] = {"no code, ms": round(statistics.median(times), 1)}
        for module in MODULES:
            times, read = [], 0
            for number in range(count):
                pixels, text = photograph(side, module, number)
                started = time.perf_counter()
                read += reader.texts(pixels) == (text,)
                times.append(1000 * (time.perf_counter() - started))
            row[f"{module} pixels a module"] = {
                "read": f"{read} of {count}",
                "ms": round(statistics.median(times), 1),
            }
        found[f"{side} x {side}"] = row
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
