"""A client that keeps its connection, as every line does: it waits for the inspector and for nothing else."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from server_clients import inspect

from blemish.core.images import decode_image
from blemish.line.runtime import Inspector
from blemish.server.run import listener
from blemish.server.settings import ServerSettings

WARM, MEASURED = 25, 40
"""Photographs before and while times are taken: Linux delays no acknowledgement at the start of a connection."""

MARGIN = 0.03
"""Seconds a photograph that HTTP, the queue and the log may take; a delayed acknowledgement takes 0.04."""


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_is_answered_is_sent_at_once(host: str) -> None:
    async def accepted() -> int:
        option: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def connected(reader: Any, writer: asyncio.StreamWriter) -> None:
            option.set_result(
                writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            )
            writer.close()

        server = await asyncio.start_server(connected, sock=listener(ServerSettings(host=host, port=0)))
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            found = await option
            writer.close()
            await writer.wait_closed()
        return found

    if host == "::1" and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    assert asyncio.run(accepted()) != 0


def test_one_photograph_after_another_takes_what_the_runtime_takes(
    served: Callable[..., Any], fitted: Any, good: bytes
) -> None:
    runtime = Inspector.load(fitted, threads=1)
    bare, service = [], []
    with served(workers=1, rate_per_minute=0) as server, server.client() as client:
        for _ in range(WARM + MEASURED):  # in turns, so that a busy machine slows both
            started = time.perf_counter()
            runtime.inspect(decode_image(good, "part.png"))
            judged = time.perf_counter()
            assert inspect(client, ("part.png", good)).status_code == 200
            bare.append(judged - started)
            service.append(time.perf_counter() - judged)
    # Of the quickest quarter: a busy machine does not hold up all of them, a delayed acknowledgement does.
    assert _quick(service[WARM:]) < _quick(bare[WARM:]) + MARGIN


def _quick(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=4)[0]


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
