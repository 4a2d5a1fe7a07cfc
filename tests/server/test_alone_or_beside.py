"""A photograph that is alone gets all cores, those beside others one each: nobody can tell by the answers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from server_clients import inspect


def test_answers_are_the_same_alone_and_beside_others(served: Callable[..., Any], washers: Path) -> None:
    contents = [path.read_bytes() for path in sorted((washers / "test").rglob("*.png"))]
    told = ("verdict", "score", "p_value", "regions", "photograph", "sentence")

    def answers(server: Any, clients: int) -> list[list[Any]]:
        def ask(content: bytes) -> list[Any]:
            with server.client() as client:
                (found,) = inspect(client, ("part.png", content)).json()["inspections"]
                return [found[name] for name in told]

        with ThreadPoolExecutor(clients) as pool:
            return list(pool.map(ask, contents))

    with served(workers=3) as server:
        alone = answers(server, 1)
        assert answers(server, 6) == alone
    held = {row[told.index("photograph")] for row in alone}
    assert held == {"kept", "buffered"}  # what an answer says of its photograph is so by then
