"""Checkpoints: everything that a training needs to go on, in one file without pickle, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from blemish.core.errors import BlemishError, UsageError
from blemish.core.storage import write_bytes


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epoch: epochs completed.
        best_epoch, best_loss: the epoch whose weights are kept, and its validation loss.
        since_best: epochs without a better loss.
        finished: nothing is left to train.
        history: for each epoch its number, training and validation loss, validation figures, learning rate and seconds.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    since_best: int = 0
    finished: bool = False
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoint:
    """A training at the end of an epoch: weights now, weights of the best epoch, the optimizer, the progress."""

    progress: Progress
    weights: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[str, Any]


def write_checkpoint(path: Path, identity: str, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically.

    Args:
        path: a `.safetensors` file, replaced whole.
        identity: what is trained on what; only the same may go on from here.
        checkpoint: the training.

    Raises:
        BlemishError: the file cannot be written.
    """
    state, groups = checkpoint.optimizer["state"], checkpoint.optimizer["param_groups"]
    tensors = {f"weights.{name}": value for name, value in checkpoint.weights.items()}
    tensors |= {f"best.{name}": value for name, value in checkpoint.best.items()}
    numbers: dict[str, dict[str, Any]] = {}
    for number, values in state.items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{number}.{name}"] = value
            else:
                numbers.setdefault(str(number), {})[name] = value
    contiguous = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    document = {
        "identity": identity,
        "progress": vars(checkpoint.progress),
        "groups": groups,
        "numbers": numbers,
        "sha256": _digest(contiguous),
    }
    write_bytes(path, safetensors.torch.save(contiguous, {"training": json.dumps(document)}))


def read_checkpoint(path: Path, identity: str) -> Checkpoint | None:
    """The checkpoint in `path`; None where there is none.

    Raises:
        UsageError: it belongs to another training.
        BlemishError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, "pt") as stored:
            document = json.loads(stored.metadata()["training"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dictionary)
        if document["sha256"] != _digest(tensors):
            raise ValueError("other tensors than were written")
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise BlemishError(
            f"The checkpoint {path} is damaged and cannot be resumed from: run again without --resume."
        ) from error
    if document["identity"] != identity:
        raise UsageError(
            f"The checkpoint {path} is of a training with other parameters or other images: run again without "
            "--resume, or as it was begun."
        )
    parts: dict[str, dict[str, Tensor]] = {"weights": {}, "best": {}, "optimizer": {}}
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        parts[kind][rest] = value
    state: dict[int, dict[str, Any]] = {
        int(number): dict(values) for number, values in document["numbers"].items()
    }
    for name, value in parts["optimizer"].items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = value
    groups = [
        {key: tuple(value) if key == "betas" else value for key, value in group.items()}
        for group in document["groups"]
    ]
    optimizer = {"state": state, "param_groups": groups}
    return Checkpoint(Progress(**document["progress"]), parts["weights"], parts["best"], optimizer)


def _digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names and values: safetensors itself would take a flipped bit for a weight."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
