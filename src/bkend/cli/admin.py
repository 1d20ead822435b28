"""`bkend admin`: accounts of the console, for who holds the data directory (00 §8)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bkend.cli.commands import Data, Json, Refused, example, new_app, run
from bkend.cli.output import print_json

if TYPE_CHECKING:
    from bkend.core import Core

app = new_app("admin", help="Accounts of the console.")


@app.callback()
def _group() -> None:
    """Accounts of the console."""


@app.command(
    epilog=example(
        "bkend admin create ada@example.com",
        "pass show bkend | bkend admin create ada@example.com --password-stdin --json",
    )
)
def create(
    email: Annotated[str, typer.Argument(help="The address to sign in with.")],
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The person's name; else made of the address."),
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make an account of the console that administers the server.

    It becomes the owner of every organization that has none.
    """
    password = _from_stdin() if password_stdin else _asked()

    async def work(core: Core) -> dict[str, Any]:
        from bkend.tenants.accounts import shape
        from bkend.tenants.setup import Person

        called = name or email.partition("@")[0][:50].ljust(2, "_")
        account, owned = await core.tenants.setup.make_admin(Person(called, email, password))
        return shape(account) | {
            "organizations": [
                {"organizationId": o["id"], "name": o["name"], "slug": o["slug"], "role": "owner"}
                for o in owned
            ]
        }

    made = run(data, work)
    if json:
        print_json(made)
        return
    typer.echo(f"Made the account {made['email']}, an administrator of this server.")
    for organization in made["organizations"]:
        typer.echo(f"It owns the organization {organization['name']} ({organization['slug']}).")


def _from_stdin() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Refused("standard input holds no password")
    return password


def _asked() -> str:
    if not sys.stdin.isatty():
        raise Refused("there is no terminal to ask for the password; give --password-stdin")
    password: str = typer.prompt(
        "Password (at least 10 characters)", hide_input=True, confirmation_prompt=True, err=True
    )
    return password
