"""The service behind a request, as a route's parameter."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from blemish.server.service import Service


async def running(request: Request) -> Service:
    """The service of the application that was asked."""
    return cast(Service, request.app.state.service)


Running = Annotated[Service, Depends(running)]
