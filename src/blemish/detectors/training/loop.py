"""The one training loop: epochs, validation, early stopping, schedules, checkpoints, logs; run by PyTorch Ignite."""

from __future__ import annotations

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from blemish.core.errors import BlemishError
from blemish.core.progress import Advance, task
from blemish.detectors.training.allocator import large_blocks_kept
from blemish.detectors.training.checkpoint import Checkpoint, Progress, read_checkpoint, write_checkpoint
from blemish.detectors.training.devices import autocast, device_of
from blemish.detectors.training.examples import Batch, Examples, batch_of, order_of
from blemish.detectors.training.logs import attach_logs
from blemish.detectors.training.session import current_session

_OPTIMIZERS = {"adam": Adam, "adamw": AdamW, "sgd": SGD}
_VALIDATION_EPOCH = 2**31  # a seed that no epoch has


class Objective(nn.Module, ABC):
    """What is trained: networks as submodules, and the loss of a batch.

    A frozen network that is large belongs outside: give its features in the batch.
    """

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Training loss of a batch: a scalar."""

    def validation_loss(self, batch: Batch) -> Tensor:
        """Loss of a validation batch, in eval mode; the training loss unless said otherwise."""
        return self.loss(batch)

    def validation_figures(self) -> dict[str, float]:
        """What the validation batches since the last call showed besides their loss, by name, for the history.

        Nothing unless said otherwise; the names begin with `validation_`.
        """
        return {}

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Groups of trainable parameters for the optimizer, each with its own `lr` where it is to differ."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr": learning_rate}]


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: most epochs.
        batch_size: examples a step; the last, smaller batch of an epoch is left out unless it is the only one.
        learning_rate: of the optimizer.
        patience: epochs without a better validation loss before training stops; 0 trains to the end.
        seed: of the order and of everything random.
        optimizer: "adam", "adamw" or "sgd" (momentum 0.9).
        weight_decay: of the optimizer.
        schedule: factor of the learning rate in an epoch, counted from 0.
        examples_per_epoch: examples in an epoch; all when None.
        precision: "float32", "bfloat16", or "auto": bfloat16 on processors that compute in it.
        device: "cpu", "cuda", or "auto".
        keep: "best" returns the weights of the best validation loss, "last" those of the end.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int = 0
    seed: int = 0
    optimizer: str = "adam"
    weight_decay: float = 0.0
    schedule: Callable[[int], float] = lambda epoch: 1.0
    examples_per_epoch: int | None = None
    precision: str = "float32"
    device: str = "auto"
    keep: str = "best"


@dataclass(frozen=True)
class Material:
    """What to train on: `count` examples, read one by one, each drawn by its weight where weights are given."""

    examples: Examples
    count: int
    weights: npt.NDArray[np.float64] | None = None


def step_schedule(milestones: tuple[int, ...], factor: float = 0.1) -> Callable[[int], float]:
    """Schedule that multiplies the rate by `factor` at each of the epochs in `milestones`."""
    return lambda epoch: float(factor ** sum(epoch >= milestone for milestone in milestones))


def cosine_schedule(epochs: int, lowest: float = 0.01) -> Callable[[int], float]:
    """Schedule that falls from 1 to `lowest` along half a cosine (Loshchilov and Hutter, SGDR, 2017)."""
    return lambda epoch: lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * epoch / max(1, epochs)))


def train(
    name: str,
    objective: Objective,
    training: Material,
    validation: Material | None,
    recipe: Recipe,
    identity: str,
) -> list[dict[str, float]]:
    """Train an objective in place; it ends in eval mode, on the CPU, with the weights that `recipe.keep` names.

    Inside a `training_session` with a folder a checkpoint is written after every epoch. One that is resumed ends with
    the same weights, bit for bit on a CPU, as one that was never interrupted: order, augmentation and dropout of a
    batch depend on seed, epoch and place alone.

    Args:
        name: of the checkpoint and the progress bar.
        objective: networks and loss.
        training, validation: examples; without validation every epoch counts as the best.
        recipe: how to train.
        identity: what is trained on what (parameters and images): a checkpoint of another identity is refused.

    Returns:
        For each epoch its number, losses, validation figures, learning rate and seconds.

    Raises:
        BlemishError: the loss is not a number any more, or a checkpoint cannot be written or read.
    """
    run = _Run(name, objective, training, validation, recipe, identity)
    with torch.random.fork_rng(devices=[]), large_blocks_kept():
        run.go()
    return run.progress.history


def epoch_in_words(row: Mapping[str, float]) -> str:
    """An epoch of the history, as `epoch 3: training loss 0.21, validation loss 0.25, validation IoU 0.41`."""
    figures = [
        f"{name.replace('_', ' ').replace('iou', 'IoU')} {value:.3g}"
        for name, value in row.items()
        if name not in ("epoch", "seconds", "learning_rate")
    ]
    return f"epoch {row['epoch']:.0f}: {', '.join(figures)}"


class _Run:
    """One training: the engine, and what its events change."""

    def __init__(
        self,
        name: str,
        objective: Objective,
        training: Material,
        validation: Material | None,
        recipe: Recipe,
        identity: str,
    ) -> None:
        self.name, self.objective, self.recipe, self.identity = name, objective, recipe, identity
        self.training, self.validation = training, validation
        self.session = current_session()
        self.device = device_of(recipe.device)
        objective.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        wanted = recipe.examples_per_epoch or training.count
        self.batch_size = min(recipe.batch_size, wanted)
        self.steps = wanted // self.batch_size
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        groups = objective.parameter_groups(recipe.learning_rate)
        extra: dict[str, Any] = {"momentum": 0.9} if recipe.optimizer == "sgd" else {}
        self.optimizer: Optimizer = _OPTIMIZERS[recipe.optimizer](
            groups, weight_decay=recipe.weight_decay, **extra
        )
        self.rates = [float(group["lr"]) for group in self.optimizer.param_groups]

    def go(self) -> None:
        """Train to the end."""
        self._resume()
        if not self.progress.finished:
            with task(f"Training {self.name}", self.recipe.epochs * self.steps) as advance:
                advance(self.progress.epoch * self.steps)
                engine = self._engine(advance)
                with attach_logs(engine, self.session, self.name):
                    engine.run([None] * self.steps, max_epochs=self.recipe.epochs)
        if self.recipe.keep == "best":
            self.objective.load_state_dict(self.best)
        self.objective.to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.objective.eval()

    def _engine(self, advance: Advance) -> Engine:
        """Ignite's engine with all that happens at the ends of epochs."""
        engine = Engine(self._step)
        engine.state.metrics = {}
        if self.progress.epoch:
            engine.load_state_dict(
                {
                    "epoch": self.progress.epoch,
                    "max_epochs": self.recipe.epochs,
                    "epoch_length": self.steps,
                }
            )
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin_epoch)
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda _: advance(1))
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)
        engine.add_event_handler(
            Events.EPOCH_COMPLETED, lambda _: advance(0, epoch_in_words(self.progress.history[-1]))
        )
        return engine

    def _begin_epoch(self, engine: Engine) -> None:
        epoch = engine.state.epoch - 1
        wanted = self.steps * self.batch_size
        self.order = order_of(self.training.count, wanted, self.recipe.seed, epoch, self.training.weights)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.recipe.schedule(epoch)
        self.losses: list[float] = []
        self.began = time.perf_counter()
        self.objective.train()

    def _step(self, engine: Engine, _: object) -> float:
        """One batch forwards and backwards."""
        place = len(self.losses) * self.batch_size
        epoch = engine.state.epoch - 1
        chosen = self.order[place : place + self.batch_size]
        batch = self._batch(self.training.examples, chosen, epoch)
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device, self.recipe.precision):
            loss = self.objective.loss(batch)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise BlemishError(
                f"The training of {self.name} came apart in epoch {engine.state.epoch} (the loss is {value}): lower "
                f"learning_rate, which is {self.recipe.learning_rate:g}."
            )
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.losses.append(value)
        return value

    def _end_epoch(self, engine: Engine) -> None:
        """Validate, remember the best, write the checkpoint, stop early."""
        progress, training_loss = self.progress, float(np.mean(self.losses))
        loss = self._validate()
        progress.epoch = engine.state.epoch
        row = {
            "epoch": progress.epoch,
            "training_loss": training_loss,
            "learning_rate": float(self.optimizer.param_groups[0]["lr"]),
            "seconds": time.perf_counter() - self.began,
        }
        if loss is not None:
            row |= {"validation_loss": loss} | self.objective.validation_figures()
        progress.history.append(row)
        engine.state.metrics = {key: row[key] for key in row if key not in ("epoch", "seconds")}
        if loss is None or loss < progress.best_loss:
            progress.best_epoch, progress.since_best = progress.epoch, 0
            progress.best_loss = progress.best_loss if loss is None else loss
            self.best = copy.deepcopy(self.objective.state_dict())
        else:
            progress.since_best += 1
        stop = bool(self.recipe.patience) and progress.since_best >= self.recipe.patience
        progress.finished = stop or progress.epoch >= self.recipe.epochs
        self._write()
        if stop:
            engine.terminate()

    def _validate(self) -> float | None:
        """Mean loss of the validation examples, with the same random numbers in every epoch."""
        if self.validation is None or not self.validation.count:
            return None
        self.objective.eval()
        total = 0.0
        with torch.no_grad(), autocast(self.device, self.recipe.precision):
            for start in range(0, self.validation.count, self.batch_size):
                chosen = np.arange(start, min(start + self.batch_size, self.validation.count))
                batch = self._batch(self.validation.examples, chosen, _VALIDATION_EPOCH)
                total += len(chosen) * float(self.objective.validation_loss(batch))
        return total / self.validation.count

    def _batch(self, examples: Examples, chosen: npt.NDArray[np.intp], epoch: int) -> Batch:
        batch = batch_of(examples, chosen, self.recipe.seed, epoch)
        return {
            name: value.to(self.device, memory_format=torch.channels_last)
            if value.ndim == 4
            else value.to(self.device)
            for name, value in batch.items()
        }

    def _path(self) -> Path | None:
        return None if self.session.folder is None else self.session.folder / f"{self.name}.safetensors"

    def _write(self) -> None:
        path = self._path()
        if path is not None:
            state = self.objective.state_dict()
            now = Checkpoint(self.progress, state, self.best, self.optimizer.state_dict())
            write_checkpoint(path, self.identity, now)

    def _resume(self) -> None:
        """Go on from the session's checkpoint, if it is to be and there is one."""
        path = self._path()
        if path is None or not self.session.resume:
            return
        stored = read_checkpoint(path, self.identity)
        if stored is None:
            return
        self.progress, self.best = stored.progress, stored.best
        self.objective.load_state_dict(stored.weights)
        self.optimizer.load_state_dict(stored.optimizer)
        for parameter, values in self.optimizer.state.items():
            for key, value in values.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    # In the parameter's own memory format, or sums would be made in another order.
                    values[key] = torch.empty_like(parameter).copy_(value)
