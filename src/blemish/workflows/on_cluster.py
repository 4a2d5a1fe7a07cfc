"""The cluster that a verb's work is done on, as its options name it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from blemish.core.errors import UsageError
from blemish.workflows.fields import Executor


def cluster_of(
    executor: Executor, address: str | None, workers: int | None = None, device: str | None = None
) -> AbstractContextManager[Any]:
    """The cluster for as long as the context lasts, as the module `ray`; None for this machine.

    Args:
        executor: where the work is done.
        address: of a cluster that runs; None starts one on this machine.
        workers: of a cluster, and processors of one that is started; None for all.
        device: what is learnt on.

    Raises:
        UsageError: an option of clusters is given but none is asked for, or cards are.
        MissingExtraError: Ray is not installed.
        BlemishError: the cluster cannot be joined.
    """
    if executor == Executor.LOCAL:
        for option, value in (("--address", address), ("--workers", workers)):
            if value is not None:
                raise UsageError(f"{option} is of a Ray cluster: add --executor ray.")
        return nullcontext()
    if device == "cuda":
        raise UsageError("--executor ray spreads work over processors: leave --device cuda out.")
    from blemish.cluster.session import cluster

    return cluster(address, workers)
