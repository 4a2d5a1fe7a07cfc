"""Good photographs that nobody has learnt from, judged in many lights: what a line with a fading lamp is drawn of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blemish.core.folds import held_out_positions
from blemish.core.images import read_image
from blemish.core.progress import track
from blemish.core.types import ByteArray
from blemish.data.catalog import open_catalog
from blemish.detectors.registry import create_detector
from blemish.evaluation.disturbances import in_other_brightness, with_noise
from blemish.line.photograph_statistics import STATISTICS, photograph_statistics
from blemish.line.runtime import Inspector
from blemish.making.build import build_inspector

SEED = 18
LEVELS = np.arange(0.75, 1.0751, 0.025)
"""Factors of brightness, of which 1 is the photograph as it is."""

NOISE = 2.0
"""Grey levels, of the camera's noise from one photograph of a part to the next."""

COLUMNS = ("score", *STATISTICS)

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bank:
    """What an inspector says of each photograph in each light.

    Attributes:
        values: L x P x C, by levels, photographs, and `COLUMNS`.
        noise: C, how far a column moves with the camera's noise, a standard deviation.
        inspector: the inspector's file.
    """

    values: Numbers
    noise: Numbers
    inspector: Path

    def drawn(self, light: Numbers, rng: np.random.Generator) -> Numbers:
        """A part for each entry of `light`, drawn from the photographs, N x C: between levels they are interpolated."""
        part = rng.integers(self.values.shape[1], size=len(light))
        place = np.clip((light - LEVELS[0]) / (LEVELS[1] - LEVELS[0]), 0, len(LEVELS) - 1 - 1e-9)
        low = place.astype(int)
        share = (place - low)[:, None]
        between = (1 - share) * self.values[low, part] + share * self.values[low + 1, part]
        return between + self.noise * rng.standard_normal(between.shape)


def judged(inspector: Inspector, image: ByteArray) -> list[float]:
    """`COLUMNS` of a photograph."""
    given = inspector.input_of(image)
    found = photograph_statistics(given, image)
    return [inspector.predict_input(given).score, *(found[name] for name in STATISTICS)]


def bank(folder: Path, learnt: int, parts: int, detector: str, kept: Path) -> Bank:
    """Learn from so many good training photographs, and judge so many others in every light; kept for the next time.

    Args:
        folder: a set with good photographs for training; its test photographs are not read.
        learnt, parts: how many.
        detector: its name.
        kept: folder for what is made.
    """
    name = f"{folder.name}-{detector}-{learnt}-{parts}"
    artifact, table = kept / f"{name}.blemish", kept / f"{name}.npz"
    if not artifact.is_file() or not table.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        paths = open_catalog(folder).train_normal()
        order = np.random.default_rng(SEED).permutation(len(paths))[: learnt + parts]
        held = set(held_out_positions(len(order), parts / len(order), SEED).tolist())
        shown = [
            [paths[at] for n, at in enumerate(order) if (n in held) == wanted] for wanted in (False, True)
        ]
        if not artifact.is_file():
            _learn(shown[0], kept / f"{name}-photographs", artifact, detector)
        inspector, values, noisy = Inspector.load(artifact), [], []
        for path in track(shown[1], f"Judging {folder.name} in {len(LEVELS)} lights"):
            image = read_image(path)
            values.append([judged(inspector, in_other_brightness(image, level)) for level in LEVELS])
            noisy.append(judged(inspector, with_noise(image, NOISE)))
        found = np.swapaxes(np.array(values), 0, 1)
        as_it_is = int(np.argmin(np.abs(LEVELS - 1)))
        np.savez(table, values=found, noise=(np.array(noisy) - found[as_it_is]).std(0))
    with np.load(table, allow_pickle=False) as read:
        return Bank(read["values"], read["noise"], artifact)


def _learn(paths: list[Path], folder: Path, out: Path, detector: str) -> None:
    good = folder / "train" / "good"
    good.mkdir(parents=True, exist_ok=True)
    for path in paths:
        link = good / path.name
        if not link.exists():
            link.symlink_to(path.resolve())
    build_inspector(open_catalog(folder), out, create_detector(detector))
