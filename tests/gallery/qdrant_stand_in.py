"""A stand-in for a Qdrant server: its REST interface, as far as a gallery uses it, over Qdrant in memory.

Requests are read by Qdrant's own models, so what a real server would not understand is refused here too. The server
itself is in no package index.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel
from qdrant_client import QdrantClient, models


class _Strict(BaseModel, extra="forbid"):
    """Refuses what it does not know, as the server does."""


class _Points(_Strict):
    points: list[models.PointStruct]


class _Payload(_Strict):
    payload: dict[str, Any]
    filter: models.Filter


class _Filter(_Strict):
    filter: models.Filter


def _app(key: str) -> FastAPI:
    client, turn, app = QdrantClient(":memory:"), threading.Lock(), FastAPI()

    @app.middleware("http")
    async def guard(request: Request, follow: Callable[[Request], Any]) -> Any:
        if request.headers.get("api-key") != key:
            from fastapi.responses import JSONResponse

            return JSONResponse({"status": {"error": "forbidden"}}, 403)
        return await follow(request)

    def answer(result: Any) -> dict[str, Any]:
        plain = result.model_dump(mode="json") if isinstance(result, BaseModel) else result
        return {"result": plain, "status": "ok", "time": 0.0}

    def existing(name: str) -> str:
        if not client.collection_exists(name):
            raise HTTPException(404, f"Not found: Collection `{name}` doesn't exist!")
        return name

    done = {"operation_id": 0, "status": "completed"}

    @app.get("/collections")
    def collections() -> Any:
        return answer(client.get_collections())

    @app.get("/collections/{name}/exists")
    def exists(name: str) -> Any:
        return answer({"exists": client.collection_exists(name)})

    @app.put("/collections/{name}")
    def create(name: str, body: models.CreateCollection) -> Any:
        with turn:
            return answer(client.create_collection(name, vectors_config=body.vectors))

    @app.put("/collections/{name}/index")
    def index(name: str, body: models.CreateFieldIndex) -> Any:
        assert body.field_schema is not None
        existing(name)
        return answer(done)

    @app.put("/collections/{name}/points")
    def upsert(name: str, body: _Points) -> Any:
        with turn:
            client.upsert(existing(name), body.points)
        return answer(done)

    @app.post("/collections/{name}/points")
    def retrieve(name: str, body: models.PointRequest) -> Any:
        with turn:
            found = client.retrieve(
                existing(name), body.ids, with_payload=body.with_payload or False, with_vectors=False
            )
        return answer([one.model_dump(mode="json") for one in found])

    @app.post("/collections/{name}/points/scroll")
    def scroll(name: str, body: models.ScrollRequest) -> Any:
        with turn:
            found, following = client.scroll(
                existing(name),
                body.filter,
                limit=body.limit or 10,
                order_by=body.order_by,
                with_payload=body.with_payload or False,
                with_vectors=body.with_vector or False,
            )
        points = [one.model_dump(mode="json") for one in found]
        return answer({"points": points, "next_page_offset": following})

    @app.post("/collections/{name}/facet")
    def facet(name: str, body: models.FacetRequest) -> Any:
        with turn:
            return answer(client.facet(existing(name), body.key, limit=body.limit or 10))

    @app.post("/collections/{name}/points/query")
    def query(name: str, body: models.QueryRequest) -> Any:
        with turn:
            wanted = {
                "limit": body.limit or 10,
                "query_filter": body.filter,
                "with_payload": body.with_payload,
            }
            return answer(client.query_points(existing(name), query=body.query, **wanted))

    @app.post("/collections/{name}/points/payload")
    def set_payload(name: str, body: _Payload) -> Any:
        with turn:
            client.set_payload(existing(name), body.payload, points=body.filter)
        return answer(done)

    @app.post("/collections/{name}/points/delete")
    def delete(name: str, body: _Filter) -> Any:
        with turn:
            client.delete(existing(name), models.FilterSelector(filter=body.filter))
        return answer(done)

    @app.post("/collections/{name}/points/count")
    def count(name: str, body: models.CountRequest) -> Any:
        with turn:
            return answer(client.count(existing(name), exact=body.exact or False))

    return app


@contextmanager
def qdrant_server(key: str) -> Iterator[str]:
    """The address of a running stand-in, which wants this key."""
    server = uvicorn.Server(uvicorn.Config(_app(key), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    last = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < last and thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
