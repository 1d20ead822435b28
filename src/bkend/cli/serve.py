"""`bkend serve` and `bkend init`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bkend.cli.commands import Data, Json, Refused, example, new_app, run
from bkend.cli.output import print_json

if TYPE_CHECKING:
    from bkend.core import Core
    from bkend.manage.hierarchy import Bootstrap

app = new_app()


@app.command(epilog=example("bkend serve --port 9000 --data /var/lib/bkend"))
def serve(
    host: Annotated[
        str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="The port to listen on.", min=1, max=65535, show_default="8000"),
    ] = None,
    data: Data = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Serving processes; more than 1 with PostgreSQL.", min=1, show_default="1"
        ),
    ] = None,
) -> None:
    """Start the server.

    On a fresh data directory, do what `bkend init` does first.
    """
    from bkend.settings_reading import load_settings

    loaded = load_settings(host=host, port=port, data=data, workers=workers)

    from bkend import server, supervisor

    try:
        server.run(loaded)
    except (server.AddressInUse, supervisor.WorkersFailed) as error:
        raise Refused(str(error)) from error


@app.command(epilog=example("bkend init --project shop --env prod --json"))
def init(
    org: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The organization.", show_default="Default"),
    ] = None,
    project: Annotated[
        str | None, typer.Option(metavar="SLUG", help="The project.", show_default="app")
    ] = None,
    env: Annotated[
        str | None, typer.Option(metavar="NAME", help="The environment.", show_default="dev")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make the data directory and what is needed to begin.

    A project, an environment and keys. What is there already stays.
    """

    async def work(core: Core) -> tuple[Bootstrap, str]:
        from bkend.manage.activity import COMMAND_LINE

        made = await core.hierarchy.bootstrap(org, project, env, COMMAND_LINE)
        return made, str(core.settings.data.absolute())

    made, directory = run(data, work, make=True)
    if json:
        print_json(
            {
                "organizationId": made.organization_id,
                "projectId": made.project_id,
                "projectSlug": made.project_slug,
                "environment": made.environment,
                "publishableKey": made.publishable_key,
                "secretKey": made.secret_key,
                "managementToken": made.management_token,
                "dataDir": directory,
            }
        )
        return
    lines = [
        f"Data directory    {directory}",
        f"Project           {made.project_slug}",
        f"Environment       {made.environment}",
        f"Publishable key   {made.publishable_key}",
    ]
    if made.secret_key:
        lines.append(f"Secret key        {made.secret_key}")
    if made.management_token:
        lines.append(f"Management token  {made.management_token}")
    lines.append("")
    if made.secret_key or made.management_token:
        lines.append("The publishable key goes into your app. Keep what is below it to yourself:")
        lines.append("it gives full access, and it is shown only now.")
    else:
        lines.append("This was all there already; secrets are shown only when they are made.")
    lines.append("Start the server with `bkend serve`.")
    typer.echo("\n".join(lines))
