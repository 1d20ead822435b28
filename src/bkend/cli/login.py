"""`bkend login` and `bkend logout`: a management token of a server, kept for this user (51 §7)."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bkend.cli.commands import Json, Refused, example, new_app
from bkend.cli.logins import logins_file, read_logins, server_url, write_logins
from bkend.cli.output import print_json

if TYPE_CHECKING:
    from bkend.cli.access.remote import Remote

app = new_app()

_SLOWER_SECONDS = 5

Server = Annotated[str, typer.Option("--server", metavar="URL", help="The server's address.")]


@app.command(
    epilog=example(
        "bkend login --server https://api.example.com",
        "bkend login --server https://api.example.com --token - < token.txt",
    )
)
def login(
    server: Server,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            help="A management token to keep; - reads it from standard input. Without: a browser.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Log in to a server.

    Shows a code and an address, waits until you have approved the code in the browser, and keeps
    the token in your settings directory, readable by you alone.
    """
    url = server_url(server)
    value = None if token is None else _given(token)

    import asyncio

    value, session = asyncio.run(_session(url, value, json))
    account = session["account"]
    memberships = session["memberships"]
    kept = {
        "token": value,
        "account": account["email"] if account else None,
        "organizationId": memberships[0]["organizationId"] if memberships else None,
    }
    write_logins(read_logins() | {url: kept})
    if json:
        shown = {name: part for name, part in kept.items() if name != "token"}
        print_json({"server": url, **shown, "file": str(logins_file())})
        return
    who = kept["account"] or "the holder of the token"
    typer.echo(f"Logged in to {url} as {who}.")
    for membership in memberships:
        typer.echo(f"Organization {membership['name']}, as {membership['role']}.")


@app.command(epilog=example("bkend logout", "bkend logout --server https://api.example.com"))
def logout(
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Which server; may be left out when there is only one."),
    ] = None,
    json: Json = False,
) -> None:
    """Log out of a server: revoke the token there and forget it here."""
    import asyncio

    known = read_logins()
    url = _chosen(server, known)
    revoked = asyncio.run(_revoke(url, known[url]["token"]))
    write_logins({name: kept for name, kept in known.items() if name != url})
    if json:
        print_json({"server": url, "revoked": revoked})
        return
    typer.echo(f"Logged out of {url}.")
    if not revoked:
        typer.echo("The server could not be told: revoke the token in the console.", err=True)


def _chosen(server: str | None, known: dict[str, dict[str, Any]]) -> str:
    if server is None:
        if len(known) != 1:
            names = ", ".join(sorted(known))
            raise Refused(f"name the server: {names}" if known else "you are not logged in")
        return next(iter(known))
    url = server_url(server)
    if url not in known:
        raise Refused(f"you are not logged in to {url}")
    return url


def _given(token: str) -> str:
    """The token, which had better come by standard input: others can read a command line."""
    value = sys.stdin.readline().strip() if token == "-" else token.strip()  # noqa: S105
    if not value.startswith("bt_"):
        raise Refused("this is no management token: they begin with bt_")
    return value


async def _session(url: str, token: str | None, json: bool) -> tuple[str, dict[str, Any]]:
    """The token, given or approved in a browser, and what the server says of who holds it."""
    from bkend.cli.access.remote import Remote

    if token is None:
        async with Remote(url) as remote:
            token = await _approved(remote, json)
    async with Remote(url, token) as remote:
        return token, await remote.call("GET", "/session")


async def _revoke(url: str, token: str) -> bool:
    """Whether the token is good for nothing any more."""
    from bkend.cli.access.remote import Remote, RemoteRefusal

    try:
        async with Remote(url, token) as remote:
            await remote.call("DELETE", "/session")
    except RemoteRefusal as refusal:
        return refusal.code == "auth/unauthorized"  # it was no token any more
    except Refused:
        return False
    return True


async def _approved(remote: Remote, json: bool) -> str:
    """The token that the server gives once the code was approved in a browser."""
    import asyncio
    import time

    from bkend.cli.access.remote import RemoteRefusal

    begun = await remote.call("POST", "/device/authorize", {"name": f"bkend on {platform.node()}"})
    typer.echo(f"Open {begun['verificationUriComplete']}", err=json)
    typer.echo(f"and approve the code {begun['userCode']}.", err=json)
    ends = time.monotonic() + begun["expiresIn"]
    pause = begun["interval"]
    while time.monotonic() < ends:
        await asyncio.sleep(pause)
        try:
            made = await remote.call("POST", "/device/token", {"deviceCode": begun["deviceCode"]})
        except RemoteRefusal as refusal:
            if refusal.code == "device/slow-down":
                pause += _SLOWER_SECONDS
            elif refusal.code != "device/authorization-pending":
                raise
        else:
            return str(made["key"])
    raise Refused("nobody approved the code in time; run it again")
