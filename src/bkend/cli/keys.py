"""`bkend keys`: API keys (51 §3.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bkend.cli.commands import Data, Env, Json, Project, Server, example, new_app, run
from bkend.cli.output import print_json, print_table

if TYPE_CHECKING:
    from bkend.cli.remote_keys import RemoteKeys
    from bkend.core import Core

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

    async def work(core: Core) -> dict[str, Any]:
        place = await core.hierarchy.place(project, env)
        return await core.keys.create(
            type=type,
            name=name,
            organization_id=place.organization_id,
            project_id=place.project_id,
            environment_id=place.environment_id,
            environment=place.environment,
            scopes=scope or (),
        )

    if server is None:
        made = run(data, work)
    else:
        made = _remote(server, data).create(project, env, type, name, scope or ())
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

    async def work(core: Core) -> tuple[list[dict[str, Any]], dict[str, str]]:
        environment_id = None
        if project is not None or env is not None:
            environment_id = (await core.hierarchy.place(project, env)).environment_id
        found = await core.keys.list(environment_id)
        return found, await core.hierarchy.project_slugs()

    if server is None:
        items, slugs = run(data, work)
    else:
        items, slugs = _remote(server, data).list(project, env)
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

    async def work(core: Core) -> dict[str, Any]:
        return await core.keys.revoke(id)

    revoked = run(data, work) if server is None else _remote(server, data).revoke(id)
    if json:
        print_json(revoked)
    else:
        typer.echo(f"Revoked {revoked['name']} ({revoked['maskedKey']}).")


def _remote(server: str, data: str | None) -> RemoteKeys:
    from bkend.cli.remote import logged_in
    from bkend.cli.remote_keys import RemoteKeys

    return RemoteKeys(logged_in(server, data))
