"""Measure learning on a CUDA card: fits, photographs a second from file to score, and training steps a second.

    python bench/gpu.py --peer --write        # on a card of the H100's class; refuses without one
    python bench/gpu.py --device cpu --quick  # the same lines on the processor, tiny; its figures mean nothing

With `--peer` anomalib's code does the same on the same card (bench/peers/anomalib_on_card.py), in an environment of its
own, which is made first.

The photographs are drawn. WideResNet50 has its usual weights where timm finds them and random ones else, which is said:
neither changes how long anything takes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from measuring.pages import ROOT, origin, table, write_block
from peers.environment import peer_python
from PIL import Image

import blemish as bl
from blemish.core.errors import BlemishError, UsageError
from blemish.features.backbones import load_backbone
from blemish.features.learning_device import device_named, learning_on

PAGE = ROOT / "docs" / "performance.md"
PEERS = Path(__file__).resolve().parent / "peers"
OFFICIAL, DEFAULT, TRAINED = "patchcore:official", "patchcore", "efficientad"
BARS = {
    "official_fit_seconds": 5.0,
    "default_images_a_second": 1500.0,
    "efficientad_70000_steps_minutes": 20.0,
}
"""Fits at most, photographs a second at least, and minutes at most, on a card of the H100's class."""


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        photographs: to learn from, and to score.
        scored: copies of them that are scored.
        side: of a photograph, in pixels.
        steps: of the training.
        parameters: of each detector, by its label, besides its own.
        peer: options of the peer's side.
    """

    photographs: int
    scored: int
    side: int
    steps: int
    parameters: dict[str, dict[str, Any]]
    peer: tuple[str, ...] = ()


WHOLE = Scale(
    200, 3000, 256, 1000, {OFFICIAL: {}, DEFAULT: {}, TRAINED: {"model_size": "small", "channels": 384}}
)
QUICK = Scale(
    6, 6, 64, 2,
    {
        OFFICIAL: {"backbone": "resnet18", "size": 64, "crop": 64},
        DEFAULT: {"size": 64, "copies": "none"},
        TRAINED: {"size": 128, "distillation_steps": 2},
    },
    ("--backbone", "resnet18", "--size", "64", "--crop", "64", "--workers", "0"),
)  # fmt: skip


def drawn(folder: Path, count: int, side: int) -> list[Path]:
    """Photographs of a soft texture, each with a seed of its own, as JPEG."""
    folder.mkdir(parents=True)
    paths = []
    for number in range(count):
        coarse = np.random.default_rng(number).integers(60, 200, (side // 8, side // 8, 3), np.uint8)
        paths.append(folder / f"{number:05}.jpg")
        Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return paths


def made(label: str, scale: Scale, **more: Any) -> tuple[bl.Detector, str]:
    """An unfitted detector, and whether its weights are random."""
    name, _, preset = label.partition(":")
    parameters = scale.parameters[label] | more
    detector = bl.create_detector(name, preset or None, **parameters)
    try:
        load_backbone(detector.get_params()["backbone"], detector.get_params().get("taps", (8, 16)))
    except BlemishError:
        return bl.create_detector(name, preset or None, **parameters, weights="random"), "random"
    return detector, "usual"


def synchronised() -> float:
    """Now, when the card has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def fit_and_score(label: str, good: Path, shown: list[Path], scale: Scale) -> dict[str, Any]:
    """Seconds of a fit, and photographs a second from file to score: of files whose features nobody knows yet."""
    detector, weights = made(label, scale)
    catalog = bl.open_catalog(good)
    started = synchronised()
    detector.fit(catalog)
    fitted = synchronised()
    list(detector.predict(shown[:2]))
    begun = synchronised()
    count = sum(1 for _ in detector.predict(shown[2:]))
    ended = synchronised()
    return {
        "weights": weights,
        "photographs": scale.photographs,
        "bank": len(detector.memory_bank_),
        "fit_seconds": fitted - started,
        "images_a_second": count / (ended - begun),
    }


def train_steps(good: Path, scale: Scale) -> dict[str, Any]:
    """Training steps a second of EfficientAD, by the history of its last epoch; distilling its teacher left out."""
    epochs = {"epochs": 2, "examples_per_epoch": scale.steps, "batch_size": 1}
    detector, weights = made(TRAINED, scale, **epochs)
    detector.fit(bl.open_catalog(good))
    last = detector.history_[-1]
    rate = scale.steps / last["seconds"]
    return {
        "weights": weights,
        "steps": scale.steps,
        "steps_a_second": rate,
        "minutes_of_70000": 70_000 / rate / 60,
    }


def peer_figures(python: str, folder: Path, device: str, scale: Scale) -> dict[str, Any]:
    """What anomalib says of the same photographs on the same device; nothing, and a sentence, where it fails."""
    command = [python, str(PEERS / "anomalib_on_card.py"), "--device", device, "--steps", str(scale.steps)]
    given = ["--good", str(folder / "good" / "good"), "--shown", str(folder / "shown"), *scale.peer]
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:  # what was measured of ours must not be lost
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        print(f"anomalib has failed, so that its figures are absent: {said}", file=sys.stderr)
        return {}
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measured(device: str, scale: Scale, peer: str | None = None) -> dict[str, Any]:
    """All figures, on a device; those of anomalib too where its interpreter is named."""
    card = torch.device("cpu") if device == "cpu" else device_named(device)
    figures: dict[str, Any] = {"device": device, "torch": torch.__version__, "quick": scale is QUICK}
    if card is not None and card.type == "cuda":
        figures["card"] = torch.cuda.get_device_name(card)
    with TemporaryDirectory() as name, learning_on(card):
        folder = Path(name)
        drawn(folder / "good" / "good", scale.photographs, scale.side)
        shown = drawn(folder / "shown", scale.scored, scale.side)
        # Files that were not seen: their features are in no cache.
        for label in (OFFICIAL, DEFAULT):
            figures[label] = fit_and_score(label, folder / "good", shown, scale)
        figures[TRAINED] = train_steps(folder / "good", scale)
        if peer is not None:
            figures["anomalib"] = peer_figures(peer, folder, device, scale)
    return figures


def in_words(figures: dict[str, Any]) -> str:
    """The figures as a table, with the bars and what anomalib needs."""
    official, default, trained = (figures[one] for one in (OFFICIAL, DEFAULT, TRAINED))
    other = figures.get("anomalib", {})
    theirs = {
        name: f"{value:.1f}"
        for one in ("patchcore", "efficientad")
        for name, value in other.get(one, {}).items()
    }
    rows = [
        [f"fit of {OFFICIAL}, {official['photographs']} photographs, bank of {official['bank']}, s",
         f"{official['fit_seconds']:.1f}", f"< {BARS['official_fit_seconds']:.0f}", theirs.get("fit_seconds", "")],
        [f"fit of {DEFAULT}, s", f"{default['fit_seconds']:.1f}", "", ""],
        [f"{OFFICIAL}, file to score, images/s", f"{official['images_a_second']:.0f}", "",
         theirs.get("images_a_second", "")],
        [f"{DEFAULT}, file to score, images/s", f"{default['images_a_second']:.0f}",
         f">= {BARS['default_images_a_second']:.0f}", ""],
        ["EfficientAD-S, steps/s", f"{trained['steps_a_second']:.1f}", "", theirs.get("steps_a_second", "")],
        ["EfficientAD-S, 70,000 steps, min", f"{trained['minutes_of_70000']:.1f}",
         f"< {BARS['efficientad_70000_steps_minutes']:.0f}", theirs.get("minutes_of_70000", "")],
    ]  # fmt: skip
    card = figures.get("card", "the processor")
    head = [f"On {card}, torch {figures['torch']}", "Measured", "Bar", "anomalib"]
    return f"{table(head, rows)}\n\n{origin()}"


def main() -> None:
    """Measure, print JSON, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny: to see that it runs")
    parser.add_argument("--peer", action="store_true", help="anomalib beside it")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    arguments = parser.parse_args()
    try:
        device_named(arguments.device)
    except UsageError as error:
        sys.exit(f"Learning on a card is not measured here: {error}")
    if arguments.write and (arguments.quick or arguments.device == "cpu"):
        sys.exit("Only figures of a card are written: leave --quick and --device out.")
    peer = peer_python() if arguments.peer else None
    figures = measured(arguments.device, QUICK if arguments.quick else WHOLE, peer)
    shown = in_words(figures)
    print(json.dumps(figures, indent=2))
    print(shown, file=sys.stderr)
    if arguments.write:
        write_block(PAGE, "devices", shown)


if __name__ == "__main__":
    main()
