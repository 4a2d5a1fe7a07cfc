"""EfficientAD: a student and an autoencoder against a teacher distilled from a frozen backbone."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import v2

from blemish.core.errors import UsageError
from blemish.core.progress import track
from blemish.core.storage import file_digest
from blemish.data.readable import photographs_in
from blemish.detectors.distilled.distillation import (
    Distillation,
    backbone_for_distillation,
    description_contract,
    distil,
    read_teacher,
)
from blemish.detectors.distilled.efficientad_network import (
    MODEL_SIZES,
    EfficientADNetwork,
    PatchDescription,
    hard_feature_loss,
    quantile_pair,
)
from blemish.detectors.distilled.painted_defects import with_a_defect
from blemish.detectors.frozen_trained import channel_statistics
from blemish.detectors.parameters import refuse
from blemish.detectors.trained import Prepared, TrainedDetector
from blemish.detectors.training.examples import Batch, Example, ImageExamples, standardised
from blemish.detectors.training.loop import Material, Objective, Recipe, step_schedule
from blemish.detectors.training.photographs import TrainingPhotographs
from blemish.features.backbones import DEFAULT_BACKBONE
from blemish.features.pixels import PixelCache
from blemish.features.together import Reads
from blemish.view.preprocessing import Preprocessing, standardise

_DAMAGED_COPIES = 100


@dataclasses.dataclass(frozen=True)
class Teacher:
    """The frozen network that the student learns from, and what its channels are over the images learnt from."""

    network: PatchDescription
    mean: Tensor
    deviation: Tensor


class EfficientADObjective(Objective):
    """The published loss of student and autoencoder; the teacher is frozen."""

    def __init__(self, network: EfficientADNetwork, hard: float) -> None:
        super().__init__()
        self.hard = hard
        self.network = network
        network.teacher.requires_grad_(False)

    def loss(self, batch: Batch) -> Tensor:
        """Hard-feature loss of the student, its penalty where there is one, and the autoencoder's two losses."""
        network = self.network
        image, augmented = batch["image"], batch["augmented"]
        with torch.no_grad():
            target, wide_target = network.described(image), network.described(augmented)
        student = network.student(image).float()[:, : network.channels]
        total: Tensor = hard_feature_loss(target, student, self.hard)
        if "unrelated" in batch:
            total = total + (network.student(batch["unrelated"]).float()[:, : network.channels] ** 2).mean()
        reconstruction: Tensor = network.autoencoder(augmented).float()
        follower = network.student(augmented).float()[:, network.channels :]
        wide: Tensor = ((wide_target - reconstruction) ** 2).mean() + (
            (reconstruction - follower) ** 2
        ).mean()
        return total + wide

    def validation_loss(self, batch: Batch) -> Tensor:
        """Sum of the mean squared errors of student and autoencoder."""
        network = self.network
        target, reconstruction = (
            network.described(batch["image"]),
            network.autoencoder(batch["image"]).float(),
        )
        student, follower = network.student(batch["image"]).float().split(network.channels, 1)
        pairs = ((target, student), (target, reconstruction), (reconstruction, follower))
        return torch.stack([((one - other) ** 2).mean() for one, other in pairs]).sum()


class EfficientADExamples:
    """A photograph, the same with its light changed, and where there are any an unrelated one.

    Args:
        images: the photographs.
        jitter: change the light of the second copy.
        unrelated: photographs of other things.
    """

    def __init__(self, images: ImageExamples, jitter: bool, unrelated: Sequence[Path]) -> None:
        self.images = images
        self.unrelated = list(unrelated)
        changes = [
            v2.ColorJitter(brightness=0.2),
            v2.ColorJitter(contrast=0.2),
            v2.ColorJitter(saturation=0.2),
        ]
        self.jitter = v2.RandomChoice(changes) if jitter else None
        self._grey = v2.RandomGrayscale(0.3)
        self._pixels = PixelCache()

    def __call__(self, index: int, rng: np.random.Generator) -> Example:
        """Example `index`."""
        contract = self.images.contract
        image = self.images.augmented(index)
        changed = image if self.jitter is None else self.jitter(image)
        example = {"image": standardised(image, contract), "augmented": standardised(changed, contract)}
        if self.unrelated:
            example["unrelated"] = self._unrelated(
                self.unrelated[rng.integers(len(self.unrelated))], contract
            )
        return example

    def _unrelated(self, path: Path, contract: Preprocessing) -> Tensor:
        """The middle of an unrelated photograph at twice the size, grey with probability 0.3, as published."""
        whole = torch.from_numpy(self._pixels.read(path, _twice(contract)).transpose(2, 0, 1).copy())
        edge = contract.height // 2
        middle = whole[:, edge : edge + contract.height, edge : edge + contract.width]
        return standardised(self._grey(middle), contract)


@dataclasses.dataclass
class EfficientAD(TrainedDetector[Teacher]):
    """EfficientAD-S and -M; the defaults differ from the published settings in width and steps, for a plain CPU.

    The published teacher's weights are not distributed here. Without `teacher` one is distilled from `backbone` on the
    category's own training images and copies of them with synthetic defects, which knows less of the world than one
    from many photographs (`blemish distil`).

    Attributes:
        model_size: "tiny" (half the widths of the small one), "small" or "medium".
        channels: of the teacher's descriptions; published are 384.
        examples_per_epoch: photographs that count as an epoch; 0 for each once. Published are 70,000 steps of one
            photograph, in the presets 140 epochs of 500.
        milestone: share of the epochs after which the learning rate falls to a tenth.
        hard: share of the student's squared errors that its loss leaves out, the smallest; published are 0.999.
        teacher: a file of `blemish distil`.
        backbone: network that a teacher is distilled from where there is no file.
        weights: file of the backbone's weights instead of the usual ones, or "random" (for tests).
        distillation_steps: of that distillation; 0 for half as many as the student's.
        distillation_batch: photographs a step.
        distillation_rate: its learning rate.
        penalty_images: folder of unrelated photographs that the student shall not learn to describe; none by default.
    """

    name: ClassVar[str] = "efficientad"
    measures: ClassVar[str] = "error of the students"
    augments: ClassVar[bool] = True

    size: int = 256
    epochs: int = 5
    batch_size: int = 1
    learning_rate: float = 1e-3
    patience: int = 0
    model_size: str = "tiny"
    channels: int = 64
    examples_per_epoch: int = 100
    milestone: float = 0.8
    hard: float = 0.9
    teacher: str | None = None
    backbone: str = DEFAULT_BACKBONE
    weights: str | None = None
    distillation_steps: int = 0
    distillation_batch: int = 4
    distillation_rate: float = 1e-3
    penalty_images: str | None = None

    def reads(self) -> Reads:
        """Pixels: the student's, and without a teacher twice as large ones to paint on and to distil from."""
        contract = self.preprocessing()
        if self.teacher is not None:
            return Reads(contracts=(contract,))
        with torch.random.fork_rng(devices=[]):  # random weights are drawn anew by `fit`
            backbone = backbone_for_distillation(self.backbone, self.weights)
        distilled = self.viewed(backbone.preprocessing(2 * self.size, 2 * self.size, self.bit_depth))
        return Reads(contracts=(contract, _twice(contract), distilled))

    def preprocessing(self) -> Preprocessing:
        """ImageNet's mean and deviation."""
        return self.viewed(description_contract(self.size, self.bit_depth))

    def recipe(self) -> Recipe:
        """Adam with a little weight decay; the end's weights are kept, unless patience asks for the best."""
        return dataclasses.replace(
            super().recipe(),
            weight_decay=1e-5,
            schedule=step_schedule((round(self.milestone * self.epochs),)),
            keep="best" if self.patience else "last",
        )

    def prepare(self, photographs: TrainingPhotographs) -> Teacher:
        """Have a teacher, and let it describe the photographs."""
        network = self._have_teacher(photographs.learnt)
        contract, pixels = self.preprocessing(), PixelCache()

        def described(path: Path) -> list[Tensor]:
            image = torch.from_numpy(standardise(pixels.read(path, contract), contract))[None]
            with torch.inference_mode():
                return [network(image)]

        reading = track(photographs.learnt, "Reading good images")
        ((mean, deviation),) = channel_statistics(map(described, reading))
        return Teacher(network, mean, deviation)

    def make_objective(self, prepared: Prepared[Teacher]) -> Objective:
        """Untrained student and autoencoder around the teacher."""
        network, teacher = EfficientADNetwork(self.model_size, self.channels, self.size), prepared.found
        network.teacher.load_state_dict(teacher.network.state_dict())
        network.mean.copy_(teacher.mean[:, None, None])
        network.deviation.copy_(teacher.deviation[:, None, None])
        return EfficientADObjective(network, self.hard)

    def material(self, paths: Sequence[Path], training: bool, prepared: Prepared[Teacher]) -> Material:
        """The photographs, twice, and unrelated ones where there are any.

        What `augment` says is done before the light of the second copy is changed.
        """
        images = ImageExamples(paths, self.preprocessing(), self.augmented_by() if training else None)
        unrelated = self._unrelated() if training else []
        return Material(EfficientADExamples(images, training, unrelated), len(paths))

    def finish(self, objective: Objective, prepared: Prepared[Teacher]) -> nn.Module:
        """The trained networks, with the error maps' quantiles over the held-out images."""
        network = objective.get_submodule("network").eval().requires_grad_(False)
        assert isinstance(network, EfficientADNetwork)
        pixels, contract = PixelCache(), self.preprocessing()
        pairs = []
        for path in track(prepared.photographs.held_out, "Scaling the maps"):
            image = torch.from_numpy(standardise(pixels.read(path, contract), contract))[None]
            with torch.inference_mode():
                pairs.append(network.error_maps(image))
        local, wide = zip(*pairs, strict=True)
        network.quantiles.copy_(torch.stack([quantile_pair(local), quantile_pair(wide)]))
        return network

    def quick_parameters(self) -> dict[str, Any]:
        """And a distillation of half as many steps as the student's."""
        return super().quick_parameters() | ({"distillation_steps": 0} if self.distillation_steps else {})

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        super().check_parameters()
        wrong = {
            "model_size": self.model_size not in MODEL_SIZES,
            "channels": not 1 <= self.channels <= 4096,
            "milestone": not 0 < self.milestone <= 1,
            "distillation_steps": self.distillation_steps < 0,
            "distillation_batch": self.distillation_batch < 1,
            "distillation_rate": not 0 < self.distillation_rate < 10,
            "hard": not 0 <= self.hard < 1,
        }
        refuse(self, wrong)
        self._unrelated()

    def _have_teacher(self, learnt: Sequence[Path]) -> PatchDescription:
        """The teacher of the file, or one distilled on the images that are learnt from."""
        if self.teacher is not None:
            return read_teacher(Path(self.teacher), self.model_size, self.channels)
        settings = Distillation(
            model_size=self.model_size,
            channels=self.channels,
            size=self.size,
            steps=self.distillation_steps or max(1, self._steps(len(learnt)) // 2),
            batch_size=self.distillation_batch,
            learning_rate=self.distillation_rate,
            seed=self.seed,
            precision=self.precision,
            device=self.device,
        )
        backbone = backbone_for_distillation(self.backbone, self.weights)
        with tempfile.TemporaryDirectory() as folder:
            # No more copies than the distillation comes to look at.
            count = min(_DAMAGED_COPIES, settings.steps * settings.batch_size)
            photographs = [*learnt, *self._damaged_copies(learnt, count, Path(folder))]
            name, view = f"{self.name}-teacher", self.planned_view().view
            return distil(photographs, backbone, settings, self.bit_depth, name, view)[0]

    def _damaged_copies(self, paths: Sequence[Path], count: int, folder: Path) -> list[Path]:
        """Photographs with synthetic defects: a teacher that knew good ones alone could not describe anything else."""
        twice, pixels, copies = _twice(self.preprocessing()), PixelCache(), []
        chosen = np.resize(np.arange(len(paths)), count)
        for number, position in enumerate(track(chosen.tolist(), "Painting synthetic defects")):
            rng = np.random.default_rng((self.seed, number))
            damaged = with_a_defect(pixels.read(paths[position], twice), rng)
            if damaged is not None:
                copies.append(folder / f"{number:04d}.png")
                Image.fromarray(damaged).save(copies[-1])
        return copies

    def _steps(self, count: int) -> int:
        """Steps of the student's training on `count` photographs."""
        examples = self.examples_per_epoch or count
        return self.epochs * (examples // min(self.batch_size, examples))

    def _identity(self, photographs: TrainingPhotographs) -> str:
        """As in the base class, and the teacher's file."""
        identity = super()._identity(photographs)
        if self.teacher is None:
            return identity
        return hashlib.sha256((identity + file_digest(Path(self.teacher))).encode()).hexdigest()

    def _unrelated(self) -> list[Path]:
        """Unrelated photographs.

        Raises:
            UsageError: the folder holds none.
        """
        if self.penalty_images is None:
            return []
        folder = Path(self.penalty_images)
        found = photographs_in(folder) if folder.is_dir() else []
        if not found:
            raise UsageError(
                f"penalty_images={folder} holds no photographs: give a folder of unrelated ones."
            )
        return found


def _twice(contract: Preprocessing) -> Preprocessing:
    """The same at twice the size."""
    return contract.model_copy(update={"height": 2 * contract.height, "width": 2 * contract.width})
