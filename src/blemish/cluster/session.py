"""A Ray cluster to work on: one that runs elsewhere, by its address, or one that is started on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from blemish.core.errors import BlemishError, MissingExtraError

_OBJECT_STORE = 200 * 1024**2
"""Bytes of shared memory of a cluster on this machine: an inspector and rows of results, no photographs."""

_USUAL = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""No report on usage to anybody; no warning about accelerators that nobody asks for."""


@contextmanager
def cluster(address: str | None = None, workers: int | None = None) -> Iterator[Any]:
    """Join a cluster for as long as the context lasts; its value is the module `ray`.

    One that is started here listens on the loopback alone, and ends with the context.

    Args:
        address: `HOST:PORT` of a cluster's head, or `auto` for the one that this machine belongs to; None starts one.
        workers: processors of a cluster that is started; all of the machine when None.

    Raises:
        MissingExtraError: Ray is not installed.
        BlemishError: no cluster answers at the address, or none can be started.
    """
    for name, value in _USUAL.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("Working on several machines", "scale") from error
    if ray.is_initialized():  # by whoever calls from Python, who ends it too
        yield ray
        return
    started: dict[str, Any] = {"address": address}
    if address is None:
        # "local" holds even where RAY_ADDRESS names a cluster: what is not asked for is not joined.
        started = {"address": "local", "num_cpus": workers, "_node_ip_address": "127.0.0.1"}
        started |= {"object_store_memory": _OBJECT_STORE, "include_dashboard": False}
    try:
        ray.init(**started, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises what comes
        raise _unreachable(address, error) from error
    try:
        yield ray
    finally:
        with suppress(Exception):
            ray.shutdown()


def _unreachable(address: str | None, error: Exception) -> BlemishError:
    cause = " ".join(str(error).split())[:200] or type(error).__name__
    if address is None:
        return BlemishError(f"Ray cannot be started on this machine ({cause}): use --executor local.")
    return BlemishError(
        f"No Ray cluster can be joined at {address} ({cause}): start it with `ray start --head`, or correct --address."
    )
