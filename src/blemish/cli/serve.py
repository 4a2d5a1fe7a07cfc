"""`blemish serve`: the service: API, history, web page."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, messages


class Keep(StrEnum):
    """Which photographs are kept."""

    ALL = "all"
    REJECTS = "rejects"
    NONE = "none"


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; other than loopback needs a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for a free one.", min=0, max=65535)] = 8000,
    home: Annotated[
        Path | None, typer.Option(help="Folder of everything kept; BLEMISH_HOME if absent.")
    ] = None,
    inspector: Annotated[
        list[Path] | None, typer.Option(help="Inspector to put on the shelf and activate; repeatable.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            help="URL of the history, postgresql://...; SQLite if absent.", envvar="BLEMISH_DATABASE"
        ),
    ] = None,
    gallery: Annotated[
        str | None,
        typer.Option(help="Folder or URL of the gallery of past defects.", envvar="BLEMISH_GALLERY"),
    ] = None,
    keep: Annotated[Keep, typer.Option(help="Which photographs are kept.")] = Keep.REJECTS,
    keep_days: Annotated[int | None, typer.Option(help="For how many days.", min=1)] = None,
    keep_gigabytes: Annotated[float | None, typer.Option(help="How many gigabytes of them.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Photographs judged at once; the cores if absent.", min=1)
    ] = None,
    queue_size: Annotated[int, typer.Option(help="Photographs accepted and not yet answered.", min=1)] = 32,
    max_bytes: Annotated[int, typer.Option(help="Largest photograph, in bytes.", min=1)] = 64 * 2**20,
    max_pixels: Annotated[int, typer.Option(help="Largest width x height.", min=1)] = 100_000_000,
    max_images: Annotated[int, typer.Option(help="Photographs in one request.", min=1)] = 16,
    max_request_bytes: Annotated[int, typer.Option(help="Largest request, in bytes.", min=1)] = 128 * 2**20,
    request_seconds: Annotated[float, typer.Option(help="Time for a request to arrive, and to wait.")] = 30.0,
    rate_per_minute: Annotated[
        int, typer.Option(help="Requests of one key in a minute; 0: no limit.", min=0)
    ] = 6000,
    require_keys: Annotated[
        bool, typer.Option("--require-keys", help="Ask for a key on loopback too.")
    ] = False,
    page: Annotated[
        bool, typer.Option("--page/--no-page", help="With the web page at /, or the API alone.")
    ] = True,
    json_output: JsonOption = False,
) -> None:
    """Serve the REST API, its description at /docs, and the web page at /.

    Ctrl-C or SIGTERM ends it; what was accepted is finished. With --json one document says where it listens.

    \b
    blemish serve --inspector screw.blemish
    """
    from pydantic import ValidationError

    from blemish.core.errors import UsageError
    from blemish.server.run import open_service, run
    from blemish.server.settings import ServerSettings

    try:
        settings = ServerSettings(
            host=host, port=port, home=home, database=database, gallery=gallery, keep=keep.value,
            keep_days=keep_days, keep_gigabytes=keep_gigabytes, workers=workers, queue_size=queue_size,
            max_bytes=max_bytes, max_pixels=max_pixels, max_images=max_images, max_request_bytes=max_request_bytes,
            request_seconds=request_seconds, rate_per_minute=rate_per_minute, require_keys=require_keys, page=page,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"--{option} is not possible: {first['msg'].lower()}.") from error
    service = open_service(settings)
    try:
        for path in inspector or []:
            service.inspectors.add_and_activate(path)
    except BaseException:
        service.stop()
        raise

    def listens(address: str) -> None:
        document = {
            "address": address,
            "home": str(service.home.path),
            "keys_required": settings.keys_required,
        }
        if json_output:
            emit(document)
        else:
            console.print(f"Listening on {address}; Ctrl-C ends.")

    if service.gallery_trouble:
        messages.print(service.gallery_trouble, style="yellow")
    run(service, listens)
