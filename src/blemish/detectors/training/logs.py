"""Logs of a training for TensorBoard and MLflow: off unless the session asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ignite.engine import Engine, Events

from blemish.core.errors import MissingExtraError, UsageError
from blemish.detectors.training.session import TrainingSession


@contextmanager
def attach_logs(engine: Engine, session: TrainingSession, name: str) -> Iterator[None]:
    """Log losses, validation figures and learning rate after every epoch where the session says.

    Raises:
        MissingExtraError: the package is not installed.
        UsageError: MLflow cannot use its address.
    """
    loggers: list[Any] = []
    try:
        if session.tensorboard is not None:
            loggers.append(_tensorboard(session.tensorboard / name))
        if session.mlflow is not None:
            loggers.append(_mlflow(session.mlflow, name))
        for logger in loggers:
            logger.attach_output_handler(
                engine,
                event_name=Events.EPOCH_COMPLETED,
                tag="training",
                metric_names="all",
                global_step_transform=lambda trainer, _: trainer.state.epoch,
            )
        yield
    finally:
        for logger in loggers:
            logger.close()


def _tensorboard(folder: Any) -> Any:
    try:
        from ignite.handlers.tensorboard_logger import TensorboardLogger

        return TensorboardLogger(log_dir=str(folder))
    except (ImportError, RuntimeError, ModuleNotFoundError) as error:
        raise MissingExtraError("Logging for TensorBoard", "logging") from error


def _mlflow(address: str, name: str) -> Any:
    try:
        from ignite.handlers.mlflow_logger import MLflowLogger

        logger = MLflowLogger(tracking_uri=address)
    except (ImportError, RuntimeError, ModuleNotFoundError) as error:
        raise MissingExtraError("Logging for MLflow", "logging") from error
    except Exception as error:  # of MLflow, of its database, or of the network
        raise UsageError(
            f"MLflow cannot log to {address}: give an address such as sqlite:///mlflow.db."
        ) from error
    logger.set_tag("detector", name)
    return logger
