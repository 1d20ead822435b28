"""`bkend apply`: bring the tables of an environment to what a file declares (00 §9)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bkend.cli.commands import Data, Env, Json, Project, Refused, Server, example, new_app
from bkend.cli.output import print_json

if TYPE_CHECKING:
    from bkend.cli.access.tables import DesignedTables
    from bkend.tables.declared import DeclaredTable

app = new_app()


@app.command(
    epilog=example(
        "bkend apply bkend.yaml --project app --env dev --dry-run",
        "bkend apply bkend.yaml --project app --env prod --yes",
        "bkend apply bkend.yaml --env prod --server https://api.example.com",
    )
)
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The tables, as YAML.")],
    project: Project = None,
    env: Env = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and change nothing.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before anything that loses data.")
    ] = False,
    data: Data = None,
    server: Server = None,
    json: Json = False,
) -> None:
    """Bring the tables of an environment to what a file declares."""
    from bkend.cli.access.opening import Where, run_at
    from bkend.cli.access.tables import TABLES, TableAccess
    from bkend.query.row_filters import check_filter
    from bkend.tables.declared import FileProblem
    from bkend.tables.file import read_tables

    async def work(access: TableAccess) -> None:
        await _apply(await access.at(project, env), declared, dry_run, yes, json)

    try:
        declared = read_tables(_read(file), file.name, check_filter)
        run_at(Where(data, server), TABLES, work)
    except FileProblem as error:
        raise Refused(str(error)) from error


def _read(file: Path) -> bytes:
    from bkend.tables.source import MOST_BYTES

    try:
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise Refused(f"cannot read {file}: {error.strerror}") from error


async def _apply(
    tables: DesignedTables, declared: list[DeclaredTable], dry_run: bool, yes: bool, json: bool
) -> None:
    from bkend.cli.planned import ask, carry_out, print_plan, public_steps
    from bkend.tables.plan import make_plan

    plan = await make_plan(tables, declared)
    if not json:
        nothing = f"Nothing to do: the tables of {tables.place} are as the file declares."
        print_plan(plan, f"Plan for {tables.place}:", nothing, "Not in the file, left alone")
    refusal = None
    if plan.loses_data and not dry_run and not yes:
        alone = "this would lose data, nothing was changed; give --yes to do it"
        refusal = ask("This loses data, for good.", alone, json=json)
    applied = False
    if refusal is None and not dry_run and plan.changes:
        applied = await carry_out(plan, tables, json=json)
    if json:
        print_json({"plan": public_steps(plan), "applied": applied})
    if refusal is not None:
        raise Refused(refusal)
