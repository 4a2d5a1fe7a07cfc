"""Where a training keeps its checkpoints and its logs: said by whoever runs it, not by the detector."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainingSession:
    """What surrounds a training.

    Attributes:
        folder: where a checkpoint is written after every epoch; None for none.
        resume: go on from the checkpoint in `folder`, if there is one.
        tensorboard: folder for TensorBoard's event files; None for none.
        mlflow: MLflow's tracking address, such as `sqlite:///mlflow.db`; None for none.
    """

    folder: Path | None = None
    resume: bool = False
    tensorboard: Path | None = None
    mlflow: str | None = None


_session: ContextVar[TrainingSession] = ContextVar("session", default=TrainingSession())  # noqa: B039 (frozen)


@contextmanager
def training_session(session: TrainingSession) -> Iterator[None]:
    """Every training inside the context keeps its checkpoints and logs as `session` says."""
    token = _session.set(session)
    try:
        yield
    finally:
        _session.reset(token)


def current_session() -> TrainingSession:
    """The session that a training runs in."""
    return _session.get()
