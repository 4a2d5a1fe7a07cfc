"""`blemish key`: API keys of the service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import Field

from blemish.cli.options import with_options
from blemish.cli.output import console, emit
from blemish.workflows.request import Argument, Option, Request

if TYPE_CHECKING:
    from blemish.station.keys import KeyStore

app = typer.Typer(help="API keys of the service.", no_args_is_help=True)


class Keys(Request):
    """The keys of a service."""

    home: Path | None = Field(None, description="Folder of the service; BLEMISH_HOME if absent.")
    database: Annotated[str | None, Option(environment="BLEMISH_DATABASE")] = Field(
        None, description="URL of the history, if not in the home."
    )

    def opened(self) -> KeyStore:
        """The keys, ready to be read and changed."""
        from blemish.station.database import Database
        from blemish.station.home import Home
        from blemish.station.keys import KeyStore

        opened = Database(self.database or Home(self.home).database_url)
        opened.upgrade()
        return KeyStore(opened)


class Key(Keys):
    """One of them."""

    name: Annotated[str, Argument("NAME")] = Field(description="Name of the key.")


class NewKey(Key):
    """One that is to be made."""

    role: Literal["viewer", "operator", "admin"] = Field(
        description="viewer: read; operator: also inspect and correct; admin: also inspectors and jobs."
    )


@app.command()
@with_options(NewKey)
def create(request: NewKey, json_output: bool) -> None:
    """Make a key and print it, this once: only a digest of it is stored."""
    token = request.opened().create(request.name, request.role)
    if json_output:
        emit({"name": request.name, "role": request.role, "key": token})
    else:
        console.print(token)


@app.command("list")
@with_options(Keys)
def list_keys(request: Keys, json_output: bool) -> None:
    """Name, role and use of all keys."""
    keys = request.opened().list()
    document = [
        {
            "name": key.name,
            "role": str(key.role),
            "created": key.created.isoformat(),
            "last_used": key.last_used.isoformat() if key.last_used else None,
            "revoked": key.revoked.isoformat() if key.revoked else None,
        }
        for key in keys
    ]
    if json_output:
        emit(document)
        return
    for key in keys:
        state = f"revoked {key.revoked:%Y-%m-%d}" if key.revoked else "valid"
        used = f"used {key.last_used:%Y-%m-%d %H:%M}" if key.last_used else "never used"
        console.print(f"{key.name}  {key.role}  {state}  {used}")
    if not keys:
        console.print("There is no key.")


@app.command()
@with_options(Key)
def revoke(request: Key, json_output: bool) -> None:
    """Make a key worthless; a running server notices within two seconds."""
    request.opened().revoke(request.name)
    if json_output:
        emit({"name": request.name, "revoked": True})
    else:
        console.print(f"{request.name} is revoked.")
