"""Blemish's icon in Gradio's page: else browsers ask the root of the host, behind a prefix another site's."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MANIFEST = b'<link rel="manifest" href="/manifest.json" />'
"""In Gradio's template whatever `pwa` and `root_path` are; and no option puts an icon there before its script runs."""


class OwnIcon:
    """Answers of Gradio's as they are, but for a link to an icon in place of the one to a manifest."""

    def __init__(self, app: ASGIApp, address: str) -> None:
        self._app = app
        self._link = f'<link rel="icon" href="{address}" type="image/svg+xml">'.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        begun: Message | None = None

        async def linked(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = message  # until what follows is known, for its length
                return
            if begun is not None:
                body = message.get("body", b"")
                if _MANIFEST in body and not message.get("more_body"):
                    message = {**message, "body": body.replace(_MANIFEST, self._link)}
                    MutableHeaders(scope=begun)["content-length"] = str(len(message["body"]))
                await send(begun)
                begun = None
            await send(message)

        await self._app(scope, receive, linked if scope["type"] == "http" else send)
