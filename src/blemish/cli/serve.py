"""`blemish serve`: the service: API, history, web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from blemish.cli.options import with_options
from blemish.cli.output import console, emit, messages
from blemish.core.addresses import is_loopback
from blemish.server.settings import ServerSettings
from blemish.workflows.request import Option


class ServeRequest(ServerSettings):
    """A server with inspectors."""

    inspector: Annotated[tuple[Path, ...], Option(repeated=True)] = Field(
        (),
        description="Inspector to put on the shelf and activate, unless its decision was changed since; repeatable.",
    )


@with_options(ServeRequest)
def serve(request: ServeRequest, json_output: bool) -> None:
    """Serve the REST API, its description at /docs, and the web page at /.

    Ctrl-C or SIGTERM ends it; what was accepted is finished. With --json one document says where it listens.

    \b
    blemish serve --inspector screw.blemish
    """
    from blemish.server.run import open_service, run
    from blemish.server.tls import certificate_for

    service = open_service(request)
    try:
        certificate = certificate_for(request, service.home.path)
        for path in request.inspector:
            service.inspectors.keep_or_activate(path)
    except BaseException:
        service.stop()
        raise

    def listens(address: str) -> None:
        document = {
            "address": address,
            "home": str(service.home.path),
            "keys_required": request.keys_required,
            "certificate": str(certificate.file) if certificate else None,
        }
        if json_output:
            emit(document)
        else:
            console.print(f"Listening on {address}; Ctrl-C ends.")
            if certificate and certificate.own:
                console.print(
                    f"Browsers warn until they trust {certificate.file}: import it there, or go on past the warning."
                )

    behind = request.public_url or request.trusted_proxy
    if not (certificate or behind or is_loopback(request.host)):
        messages.print(
            "Keys and photographs go over the network in plain text, and browsers lend no camera: add --tls, or let a "
            "proxy speak https.",
            style="yellow",
        )
    if service.gallery_trouble:
        messages.print(service.gallery_trouble, style="yellow")
    run(service, listens, certificate)
