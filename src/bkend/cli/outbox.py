"""`bkend outbox`: mails not sent for want of SMTP (00 §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bkend.cli.commands import Data, Env, Json, Project, Server, example, new_app
from bkend.cli.output import print_json

if TYPE_CHECKING:
    from bkend.cli.access.mails import Box, Mails

app = new_app()

_POLL_SECONDS = 0.5
_MOST_AT_ONCE = 1000


@app.command(
    epilog=example(
        "bkend outbox",
        "bkend outbox --follow",
        "bkend outbox --project app --env dev --json",
        "bkend outbox --tenants",
        "bkend outbox --env dev --server https://api.example.com",
    )
)
def outbox(
    project: Project = None,
    env: Env = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Then print new ones as they come, until Ctrl-C.")
    ] = False,
    tenants: Annotated[
        bool, typer.Option("--tenants", help="Those to accounts of the console instead.")
    ] = False,
    limit: Annotated[
        int, typer.Option(metavar="N", help="How many to show, the newest.", min=1, max=1000)
    ] = 20,
    data: Data = None,
    server: Server = None,
    json: Json = False,
) -> None:
    """Show the mails that were not sent for want of SMTP, oldest first.

    With --follow and --json, each mail is one line.
    """

    from bkend.cli.access.mails import MAILS
    from bkend.cli.access.opening import Where, run_at

    async def work(mails: Mails) -> None:
        box = await mails.box(project, env, tenants=tenants)
        newest, total = await box.readable(limit=_MOST_AT_ONCE if follow else limit)
        found = newest[:limit][::-1]
        if json and not follow:
            print_json({"items": found})
            return
        _print(found, json)
        if follow:
            await _follow(box, newest, json)
        elif not found:
            typer.echo(
                "There are no mails in the outbox."
                if box.captures
                else "There are no mails in the outbox: they are delivered by SMTP."
            )
        elif total > len(found):
            typer.echo(f"The newest {len(found)} of {total}; see more with --limit.")

    run_at(Where(data, server), MAILS, work)


async def _follow(box: Box, newest: list[dict[str, Any]], json: bool) -> None:
    """Print what comes; a mail is known by its id, since several share a millisecond."""
    import asyncio

    seen = {mail["id"] for mail in newest}
    after = newest[0]["createdAt"] if newest else None
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        found, _ = await box.readable(limit=_MOST_AT_ONCE, after=after)
        new = [mail for mail in reversed(found) if mail["id"] not in seen]
        _print(new, json)
        if found:
            after = found[0]["createdAt"]
            seen = {mail["id"] for mail in found}


def _print(mails: list[dict[str, Any]], json: bool) -> None:
    for mail in mails:
        if json:
            print_json(mail)
            continue
        typer.echo(f"--- {mail['id']}  {mail['createdAt']}  {mail['template']}")
        typer.echo(f"To:      {_shown(mail['to'])}")
        typer.echo(f"Subject: {_shown(mail['subject'])}")
        typer.echo(f"\n{_shown(mail['text'])}\n")


def _shown(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(c for c in text if c.isprintable() or c == "\n")
