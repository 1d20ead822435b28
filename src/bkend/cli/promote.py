"""`bkend promote`: bring the tables of one environment to what they are in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bkend.cli.commands import Data, Json, Project, Refused, Server, example, new_app
from bkend.cli.output import print_json

if TYPE_CHECKING:
    from bkend.cli.access.tables import DesignedTables

app = new_app()

_NOT_PROMOTED = (
    "records",
    "users",
    "files",
    "keys",
    "settings of sign-in",
    "providers and their secrets",
    "mail templates",
)


@app.command(
    epilog=example(
        "bkend promote --from dev --to prod --dry-run",
        "bkend promote --project app --from dev --to prod --server https://api.example.com",
        "bkend promote --from dev --to prod --to-server https://api.example.com --yes",
    )
)
def promote(
    source: Annotated[
        str, typer.Option("--from", metavar="NAME", help="The environment that is as it should be.")
    ],
    target: Annotated[str, typer.Option("--to", metavar="NAME", help="The environment to change.")],
    project: Project = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    server: Server = None,
    to_server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The server of the environment to change, if another."),
    ] = None,
    json: Json = False,
) -> None:
    """Bring the tables of one environment to what they are in another.

    Tables with their indexes and permissions are promoted, nothing else. Tables that only the
    changed environment has are left alone.
    """
    import asyncio

    from bkend.cli.access.opening import Where, opened
    from bkend.cli.access.tables import TABLES

    if source == target and to_server is None:
        raise Refused("--from and --to are the same environment; there is nothing to promote")

    async def work(held: DesignedTables, changed: DesignedTables) -> None:
        await _promote(held, changed, dry_run=dry_run, yes=yes, json=json)

    async def run() -> None:
        async with opened(Where(data, server), TABLES) as access:
            held = await access.at(project, source)
            if to_server is None:
                await work(held, await access.at(project, target))
                return
            async with opened(Where(server=to_server), TABLES) as other:
                await work(held, await other.at(project, target))

    asyncio.run(run())


async def _promote(
    held: DesignedTables, changed: DesignedTables, *, dry_run: bool, yes: bool, json: bool
) -> None:
    from bkend.cli.planned import ask, carry_out, print_plan, public_steps
    from bkend.tables.plan import Copied, make_plan

    plan = await make_plan(changed, [Copied(table) for table in await held.list()])
    if not json:
        heading = f"Plan for {changed.place}, to become as {held.place}:"
        nothing = f"Nothing to do: the tables of {changed.place} are as those of {held.place}."
        print_plan(plan, heading, nothing, f"Not in {held.place}, left alone")
        typer.echo(f"Not promoted: {', '.join(_NOT_PROMOTED)}.")
    refusal = None
    if plan.changes and not dry_run and not yes:
        question = "This loses data, for good." if plan.loses_data else "This changes the tables."
        loss = "this would lose data, " if plan.loses_data else ""
        refusal = ask(question, f"{loss}nothing was changed; give --yes to do it", json=json)
    applied = False
    if refusal is None and not dry_run and plan.changes:
        applied = await carry_out(plan, changed, json=json)
    if json:
        steps = public_steps(plan)
        print_json({"from": held.place, "to": changed.place, "plan": steps, "applied": applied})
    if refusal is not None:
        raise Refused(refusal)
