"""What a version beside the line costs the line: times of inspections with and without it, at a steady rate.

    python bench/shadow.py                                # the sample line's washer at 256 pixels
    python bench/shadow.py part.blemish photographs/      # an inspector of yours

Blocks with and without alternate on one service, so that whatever else the machine does meets both. Each photograph is
another file, as on a line. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from blemish.core.images import decode_image
from blemish.core.pictures import encoded
from blemish.line.policy import Policy
from blemish.server.service import Service
from blemish.server.settings import ServerSettings
from blemish.station.inspection_queue import Judged
from blemish.station.photograph import Photograph

SEED = 20
LOOK_SECONDS = 2.0


def main() -> None:
    """Measure, and print the document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("inspector", nargs="?", type=Path)
    parser.add_argument("photographs", nargs="?", type=Path)
    parser.add_argument("--rate", type=float, default=10.0, help="photographs in a second")
    parser.add_argument("--seconds", type=float, default=15.0, help="of a block")
    parser.add_argument("--blocks", type=int, default=4, help="pairs of blocks")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        inspector, photographs = asked.inspector, asked.photographs
        if inspector is None:
            inspector, photographs = sample(Path(folder) / "sample")
        found = measure(inspector, photographs, Path(folder) / "home", asked)
    print(json.dumps(found, indent=2))


def sample(folder: Path) -> tuple[Path, Path]:
    """An inspector of the sample line, and its test photographs."""
    from blemish import fit, write_sample_line

    write_sample_line(folder, ("washer",), train=40, good=20, per_defect_type=2, size=256)
    inspector = fit(folder / "washer", size=256)
    inspector.save(folder / "washer.blemish")
    return folder / "washer.blemish", folder / "washer" / "test"


def measure(inspector: Path, photographs: Path, home: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Times of both kinds of blocks, and how many parts the version beside has judged."""
    service = Service(ServerSettings(home=home, port=0, page=False, laboratory=False, keep="none"))
    active = service.inspectors.keep_or_activate(inspector)
    name = active.name
    service.decisions.change(name, Policy(false_reject_rate=0.2), "bench")
    service.inspectors.activate(name, active.version)
    service.start()
    try:
        images = [
            decode_image(path.read_bytes(), path.name) for path in sorted(photographs.rglob("*.png"))[:20]
        ]
        random, number = np.random.default_rng(SEED), 0
        times: dict[bool, list[float]] = {False: [], True: []}
        seen = judged = passed_over = 0
        for block in range(2 * asked.blocks):
            beside = block % 2 == 1
            if beside:
                service.shadows.begin(name, active.version + 1, 10**6)
                service.shadow_judge.look_again()
            time.sleep(LOOK_SECONDS)
            times[beside] += steadily(service, name, images, random, number, asked)
            number += int(asked.rate * asked.seconds)
            if beside:
                time.sleep(LOOK_SECONDS)
                report = service.shadows.stop(name)
                seen += report.n + report.passed_over + report.waiting
                judged, passed_over = judged + report.n, passed_over + report.passed_over
        return {
            "rate": asked.rate,
            "pixels": list(images[0].shape[:2]),
            "workers": service.settings.worker_count,
            "without": figures(times[False]),
            "with": figures(times[True]),
            "judged_beside": judged,
            "passed_over": passed_over,
        }
    finally:
        service.stop()


def steadily(
    service: Service,
    name: str,
    images: list[Any],
    random: np.random.Generator,
    number: int,
    asked: argparse.Namespace,
) -> list[float]:
    """Send photographs at the rate, and give the milliseconds from accepted to committed of each."""
    answers: list[tuple[float, Future[Any]]] = []
    found: list[float] = []
    start = time.perf_counter()
    for place in range(int(asked.rate * asked.seconds)):
        image = images[(number + place) % len(images)].copy()
        image[0, :8] = random.integers(0, 256, (8, 3))  # another file
        content = encoded(image, ".png")
        time.sleep(max(0.0, start + place / asked.rate - time.perf_counter()))
        sent = time.perf_counter()
        (answer,) = service.submit([Photograph(content, f"{number + place}.png")], name)
        answer.add_done_callback(lambda _, sent=sent: found.append(1e3 * (time.perf_counter() - sent)))
        answers.append((sent, answer))
    for _, answer in answers:
        assert isinstance(answer.result(60), Judged)
    return found


def figures(milliseconds: list[float]) -> dict[str, float]:
    """Percentiles of the times."""
    at = {"p50": 50, "p90": 90, "p99": 99, "most": 100}
    return {"n": len(milliseconds)} | {
        key: round(float(np.percentile(milliseconds, where)), 1) for key, where in at.items()
    }


if __name__ == "__main__":
    main()
