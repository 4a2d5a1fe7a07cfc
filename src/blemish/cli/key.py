"""`blemish key`: API keys of the service."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.output import JsonOption, console, emit

if TYPE_CHECKING:
    from blemish.station.keys import KeyStore

app = typer.Typer(help="API keys of the service.", no_args_is_help=True)

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder of the service; BLEMISH_HOME if absent.")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option("--database", help="URL of the history, if not in the home.", envvar="BLEMISH_DATABASE"),
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the key.")]


class RoleName(StrEnum):
    """What a key may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


@app.command()
def create(
    name: NameArgument,
    role: Annotated[
        RoleName,
        typer.Option(
            help="viewer: read; operator: also inspect and correct; admin: also inspectors and jobs."
        ),
    ],
    home: HomeOption = None,
    database: DatabaseOption = None,
    json_output: JsonOption = False,
) -> None:
    """Make a key and print it, this once: only a digest of it is stored."""
    token = _keys(home, database).create(name, role.value)
    if json_output:
        emit({"name": name, "role": role.value, "key": token})
    else:
        console.print(token)


@app.command("list")
def list_keys(
    home: HomeOption = None, database: DatabaseOption = None, json_output: JsonOption = False
) -> None:
    """Name, role and use of all keys."""
    keys = _keys(home, database).list()
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
def revoke(
    name: NameArgument,
    home: HomeOption = None,
    database: DatabaseOption = None,
    json_output: JsonOption = False,
) -> None:
    """Make a key worthless; a running server notices within two seconds."""
    _keys(home, database).revoke(name)
    if json_output:
        emit({"name": name, "revoked": True})
    else:
        console.print(f"{name} is revoked.")


def _keys(home: Path | None, database: str | None) -> KeyStore:
    from blemish.station.database import Database
    from blemish.station.home import Home
    from blemish.station.keys import KeyStore

    opened = Database(database or Home(home).database_url)
    opened.upgrade()
    return KeyStore(opened)
