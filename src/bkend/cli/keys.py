"""`bkend keys`: API keys (51 §3.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bkend.cli.commands import Data, Env, Json, Project, Server, example, new_app
from bkend.cli.output import print_json, print_table

if TYPE_CHECKING:
    from bkend.cli.access.keys import Keys

app = new_app("keys", help="Make, list and revoke API keys.")


@app.command(
    epilog=example(
        "bkend keys create --project app --env dev --type publishable --name Website",
        "bkend keys create --project app --env dev --type secret --name Reports --scope posts:read",
        "bkend keys create --type secret --name Reports --server https://api.example.com",
    )
)
def create(
    type: Annotated[
        Literal["publishable", "secret"],
        typer.Option(help="publishable: for apps; secret: for servers, with full access."),
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="What it is for.")],
    project: Project = None,
    env: Env = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TABLE:OPERATION",
            help="Restrict the key, for example posts:read; may be repeated. Without: no limits.",
        ),
    ] = None,
    data: Data = None,
    server: Server = None,
    json: Json = False,
) -> None:
    """Make an API key. A secret one is shown only now."""
    from bkend.cli.access.keys import KEYS
    from bkend.cli.access.opening import Where, run_at

    async def work(keys: Keys) -> dict[str, Any]:
        return await keys.create(project, env, type, name, scope or ())

    made = run_at(Where(data, server), KEYS, work)
    if json:
        print_json(made)
        return
    typer.echo(f"{made['key']}\n\nId      {made['id']}")
    typer.echo(f"Scopes  {', '.join(made['scopes']) or 'no restriction'}")
    if type == "secret":
        typer.echo("\nKeep it to yourself: it is shown only now, and it must not be in an app.")


@app.command("list", epilog=example("bkend keys list --project app --env dev"))
def list_keys(
    project: Annotated[
        str | None, typer.Option(metavar="SLUG", help="Only those of this project.")
    ] = None,
    env: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those of this environment.")
    ] = None,
    data: Data = None,
    server: Server = None,
    json: Json = False,
) -> None:
    """List API keys, newest first; secret ones are masked."""
    from bkend.cli.access.keys import KEYS
    from bkend.cli.access.opening import Where, run_at

    async def work(keys: Keys) -> tuple[list[dict[str, Any]], dict[str, str]]:
        return await keys.list(project, env)

    items, slugs = run_at(Where(data, server), KEYS, work)
    if json:
        print_json({"items": items})
        return
    print_table(
        ("Id", "Name", "Key", "Environment", "Scopes", "Status", "Last used"),
        [
            (
                item["id"],
                item["name"],
                item.get("key") or item["maskedKey"],
                f"{slugs.get(item['projectId'], '?')}/{item['environment']}",
                ", ".join(item["scopes"]) or "-",
                item["status"],
                (item["lastUsedAt"] or "-")[:16].replace("T", " "),
            )
            for item in items
        ],
    )


@app.command(epilog=example("bkend keys revoke tok_2f1c6f0e-6a34-4f7a-9b0e-1c2d3e4f5a6b"))
def revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="The id that `bkend keys list` shows.")],
    data: Data = None,
    server: Server = None,
    json: Json = False,
) -> None:
    """Refuse a key from now on, for good."""
    from bkend.cli.access.keys import KEYS
    from bkend.cli.access.opening import Where, run_at

    async def work(keys: Keys) -> dict[str, Any]:
        return await keys.revoke(id)

    revoked = run_at(Where(data, server), KEYS, work)
    if json:
        print_json(revoked)
    else:
        typer.echo(f"Revoked {revoked['name']} ({revoked['maskedKey']}).")
