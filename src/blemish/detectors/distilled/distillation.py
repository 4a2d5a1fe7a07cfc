"""Distillation: a small patch description network learns to say what a frozen backbone says, on any photographs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from blemish.core.errors import BlemishError, UsageError
from blemish.core.progress import track
from blemish.core.storage import file_digest, write_bytes
from blemish.detectors.distilled.efficientad_network import (
    MODEL_SIZES,
    PUBLISHED_CHANNELS,
    PatchDescription,
    to_channels,
    without_border,
)
from blemish.detectors.frozen import batch_of_one
from blemish.detectors.frozen_trained import channel_statistics, taps_of
from blemish.detectors.layers import PatchEmbedding
from blemish.detectors.training.examples import Batch, ImageExamples
from blemish.detectors.training.feature_examples import FeatureExamples, together
from blemish.detectors.training.loop import Material, Objective, Recipe, train
from blemish.features.backbones import DEFAULT_BACKBONE, Backbone, load_backbone
from blemish.features.extraction import FeatureExtractor
from blemish.view.preprocessing import Preprocessing
from blemish.view.view import View

TAPS = (8, 16)
_STEPS_AN_EPOCH = 100
_STATISTICS_IMAGES = 1000
_FORMAT = "blemish teacher 1"
_FACTS = "teacher"


@dataclasses.dataclass(frozen=True)
class Distillation:
    """How a teacher is distilled; the defaults but for the number of steps are the published ones.

    Attributes:
        model_size: "tiny", "small" or "medium".
        channels: of the teacher's descriptions.
        size: height and width at which the teacher reads a photograph; the backbone reads it twice as large.
        steps: of the optimizer; published are 60,000.
        batch_size: photographs a step.
        learning_rate: of Adam.
        seed: of weights and order.
        precision, device: see `blemish.detectors.training.devices`.
    """

    model_size: str = "small"
    channels: int = PUBLISHED_CHANNELS
    size: int = 256
    steps: int = 60_000
    batch_size: int = 16
    learning_rate: float = 1e-4
    seed: int = 0
    precision: str = "auto"
    device: str = "auto"

    def check(self) -> None:
        """Refuse values that cannot be meant.

        Raises:
            UsageError: one is out of range.
        """
        wrong = {
            "model_size": self.model_size not in MODEL_SIZES,
            "channels": not 1 <= self.channels <= 4096,
            "size": self.size % 32 != 0 or not 64 <= self.size <= 1024,
            "steps": self.steps < 1,
            "batch_size": self.batch_size < 1,
            "learning_rate": not 0 < self.learning_rate < 10,
        }
        for name, bad in wrong.items():
            if bad:
                raise UsageError(
                    f"{name}={getattr(self, name)} is not possible for a distillation: see blemish distil."
                )


class DistillationObjective(Objective):
    """Mean squared error between the teacher-to-be and the backbone's joined, standardised patches."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: PatchDescription, channels: int, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.network = network
        self.channels = channels
        self.embedding = PatchEmbedding()
        self.register_buffer("mean", mean[:, None, None].clone())
        self.register_buffer("deviation", deviation[:, None, None].clone())

    def joined(self, maps: Sequence[Tensor]) -> Tensor:
        """Patches N x C x h x w where the network describes them, not standardised."""
        return without_border(to_channels(self.embedding(maps), self.channels))

    def loss(self, batch: Batch) -> Tensor:
        """Mean squared error over patches and channels."""
        target = (self.joined(taps_of(batch, TAPS)) - self.mean) / self.deviation
        described: Tensor = self.network(batch["image"]).float()
        return ((target - described) ** 2).mean()


def distil(
    paths: Sequence[Path],
    backbone: Backbone,
    settings: Distillation,
    bit_depth: int = 16,
    name: str = "distillation",
    view: View | None = None,
) -> tuple[PatchDescription, list[dict[str, float]]]:
    """Train a teacher on photographs: no labels, any content.

    Args:
        paths: the photographs.
        backbone: frozen, read at `TAPS`.
        settings: how to train.
        bit_depth: bits that 16-bit photographs really use.
        name: of the checkpoint and the progress bar.
        view: what of the photographs is looked at; all when None.

    Returns:
        The teacher in eval mode, and its losses epoch by epoch.

    Raises:
        UsageError: no photographs, or settings that cannot be meant.
        ImageError: a photograph cannot be read.
    """
    settings.check()
    if not paths:
        raise UsageError("There is no photograph to distil a teacher on: give a folder with some.")
    extractor = FeatureExtractor(
        backbone, _viewed(backbone.preprocessing(2 * settings.size, 2 * settings.size, bit_depth), view)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = PatchDescription(settings.model_size, settings.channels)
    some = list(paths)[:: max(1, len(paths) // _STATISTICS_IMAGES)]
    blank = DistillationObjective(network, settings.channels, torch.zeros(1), torch.ones(1))
    stream = track(extractor.stream(some), "Reading photographs", len(some))
    ((mean, deviation),) = channel_statistics([blank.joined(batch_of_one(maps))] for maps in stream)
    objective = DistillationObjective(network, settings.channels, mean, deviation)
    images = ImageExamples(paths, _viewed(description_contract(settings.size, bit_depth), view))
    examples = together(images, FeatureExamples(extractor, paths))
    parts = [json.dumps(dataclasses.asdict(settings)), backbone.weights_digest, *map(file_digest, paths)]
    parts += [view.key] if view is not None and view.key else []
    identity = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    history = train(name, objective, Material(examples, len(paths)), None, _recipe(settings), identity)
    return network.eval().requires_grad_(False), history


def _viewed(contract: Preprocessing, view: View | None) -> Preprocessing:
    return contract.model_copy(update={"view": view})


def description_contract(size: int, bit_depth: int = 16) -> Preprocessing:
    """Preprocessing of teacher, student and autoencoder: ImageNet's mean and deviation, bilinear."""
    return Preprocessing(
        height=size,
        width=size,
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        interpolation="bilinear",
        bit_depth=bit_depth,
    )


def write_teacher(path: Path, network: PatchDescription, settings: Distillation, backbone: str) -> None:
    """Write a teacher as a safetensors file that says what it is.

    Raises:
        BlemishError: the file cannot be written.
    """
    facts = {
        "format": _FORMAT,
        "backbone": backbone,
        "model_size": settings.model_size,
        "channels": settings.channels,
        "size": settings.size,
        "steps": settings.steps,
    }
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    # One entry: several would stand in another order in every file.
    write_bytes(path, safetensors.torch.save(tensors, {_FACTS: json.dumps(facts, sort_keys=True)}))


def read_teacher(path: Path, model_size: str, channels: int) -> PatchDescription:
    """Read a teacher that `write_teacher` wrote.

    Raises:
        UsageError: it has another model size or other channels than asked for.
        BlemishError: the file is missing, damaged, or no teacher.
    """
    if not path.is_file():
        raise BlemishError(f"The teacher {path} does not exist: make one with blemish distil.")
    network = PatchDescription(model_size, channels)
    try:
        with safetensors.safe_open(path, "pt") as stored:
            facts = json.loads((stored.metadata() or {}).get(_FACTS, "{}"))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dictionary)
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise BlemishError(f"The teacher {path} is damaged: make it again with blemish distil.") from error
    if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
        raise BlemishError(f"{path} is no teacher of blemish distil: give a file that it has written.")
    if (facts.get("model_size"), facts.get("channels")) != (model_size, channels):
        raise UsageError(
            f"The teacher {path} is {facts.get('model_size')} with {facts.get('channels')} channels and the detector "
            f"{model_size} with {channels}: set model_size and channels as the teacher's."
        )
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise BlemishError(f"The teacher {path} is damaged: make it again with blemish distil.") from error
    return network.eval().requires_grad_(False)


def backbone_for_distillation(name: str = DEFAULT_BACKBONE, weights: str | None = None) -> Backbone:
    """A backbone read at the taps that teachers are distilled from; "random" weights are for tests."""
    if weights == "random":
        return load_backbone(name, TAPS, pretrained=False)
    return load_backbone(name, TAPS, None if weights is None else Path(weights))


def _recipe(settings: Distillation) -> Recipe:
    """Adam as published; epochs of equal numbers of steps, for the checkpoints."""
    steps = min(_STEPS_AN_EPOCH, settings.steps)
    return Recipe(
        epochs=max(1, round(settings.steps / steps)),
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        weight_decay=1e-5,
        seed=settings.seed,
        examples_per_epoch=steps * settings.batch_size,
        precision=settings.precision,
        device=settings.device,
        keep="last",
    )
