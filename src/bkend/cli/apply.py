"""`bkend apply`: bring the tables of an environment to what a file declares (00 §9)."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bkend.cli.commands import Data, Env, Json, Project, Refused, example, new_app, run
from bkend.cli.output import console, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from bkend.core import Core
    from bkend.tables.declared import DeclaredTable
    from bkend.tables.plan import Plan, Step, TableChange
    from bkend.tables.service import Tables

app = new_app()

_MARKS = {"create": "+", "add": "+", "remove": "-"}
_COLORS = {"+": "green", "-": "red", "~": "yellow"}
_SUBJECTS = {"Field": "field ", "Index": "index "}
_WORDS = {
    "createTable": "table",
    "setPermissions": "permissions",
    "setExpressionPermissions": "expression permissions",
    "setColumnPermissions": "column permissions",
    "setRowFilters": "row filters",
    "setStrict": "strict",
    "setLabels": "labels",
}


@app.command(
    epilog=example(
        "bkend apply bkend.yaml --project app --env dev --dry-run",
        "bkend apply bkend.yaml --project app --env prod --yes",
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
    json: Json = False,
) -> None:
    """Bring the tables of an environment to what a file declares."""
    from bkend.query.row_filters import check_filter
    from bkend.tables.declared import FileProblem
    from bkend.tables.file import read_tables
    from bkend.tables.source import MOST_BYTES

    try:
        with file.open("rb") as opened:
            text = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise Refused(f"cannot read {file}: {error.strerror}") from error
    try:
        declared = read_tables(text, file.name, check_filter)
        run(data, lambda core: _apply(core, declared, project, env, dry_run, yes, json))
    except FileProblem as error:
        raise Refused(str(error)) from error


async def _apply(
    core: Core,
    declared: list[DeclaredTable],
    project: str | None,
    env: str | None,
    dry_run: bool,
    yes: bool,
    json: bool,
) -> None:
    from bkend.tables.plan import make_plan

    place = await core.hierarchy.place(project, env)
    environment = await core.environments.get(place.environment_id)
    assert environment is not None
    tables = environment.services.tables
    plan = await make_plan(tables, declared)
    if not json:
        _print_plan(plan, f"{place.project_slug}/{place.environment}")
    refusal = None if dry_run or yes or not plan.loses_data else _ask(json)
    applied = False
    if refusal is None and not dry_run and plan.changes:
        applied = await _carry_out(plan, tables, json)
    if json:
        print_json({"plan": [_public(step) for step in plan.steps], "applied": applied})
    if refusal is not None:
        raise Refused(refusal)


def _ask(json: bool) -> str | None:
    """Why not to go on, None to go on."""
    if json or not sys.stdin.isatty():
        return "this would lose data, nothing was changed; give --yes to do it"
    # The event loop would only note an interrupt, and go on waiting for the answer.
    noting = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        typer.echo("This loses data, for good. Go on? [y/N] ", nl=False, err=True)
        answer = sys.stdin.readline()
    finally:
        signal.signal(signal.SIGINT, noting)
    return None if answer.strip().lower() in ("y", "yes") else "nothing was changed"


async def _carry_out(plan: Plan, tables: Tables, json: bool) -> bool:
    from rich.status import Status

    out = console(err=json)
    done: list[str] = []
    with Status("", console=out) as status:
        for change in plan.changes:
            name = change.definition.name
            status.update(f"{name} …")
            try:
                await _take(change, tables, status)
            except Exception as error:
                raise _failed(error, name, done) from error
            done.append(name)
    if not json:
        out.print(f"Done: {', '.join(done)}.")
    return True


async def _take(change: TableChange, tables: Tables, status: Any) -> None:
    from bkend.tables.plan import take

    name = change.definition.name
    total = f"{await tables.count_rows(change.existing):,}" if change.existing else ""

    def erased(rows: int) -> None:
        status.update(f"{name}: erasing, {rows:,} of {total} rows")

    await take(change, tables, erased)


def _failed(error: Exception, name: str, done: list[str]) -> Exception:
    """The failure with what it left behind, when it is one that was foreseen."""
    from bkend.errors import ApiError
    from bkend.store import Conflict

    if isinstance(error, Conflict):
        reason = f"{name} was changed by somebody else at the same moment; run it again"
    elif isinstance(error, ApiError):
        reason = f"{error.message}; nothing was changed in {name}"
    else:
        return error
    return Refused(reason + (f"\nalready done: {', '.join(done)}" if done else ""))


def _print_plan(plan: Plan, place: str) -> None:
    out = console()
    if plan.changes:
        out.print(f"Plan for {place}:")
    else:
        out.print(f"Nothing to do: the tables of {place} are as the file declares.")
    for change in plan.changes:
        _print_change(change, out)
    if plan.untouched:
        out.print(f"\nNot in the file, left alone: {', '.join(plan.untouched)}")
    if plan.changes:
        out.print()


def _print_change(change: TableChange, out: Console) -> None:
    name = change.definition.name
    out.print()
    if change.existing is None:
        out.print(f"+ table {name}: {change.steps[0].detail}", style=_COLORS["+"])
    else:
        out.print(f"~ table {name}")
    for step in change.steps[change.existing is None :]:
        mark = _mark(step) if change.existing else "+"
        out.print(f"  {mark} {_words(step)}: {step.detail}", style=_COLORS[mark])


def _mark(step: Step) -> str:
    return next((mark for verb, mark in _MARKS.items() if step.action.startswith(verb)), "~")


def _words(step: Step) -> str:
    if step.action in _WORDS:
        return _WORDS[step.action]
    return next(word for end, word in _SUBJECTS.items() if step.action.endswith(end)) + step.subject


def _public(step: Step) -> dict[str, Any]:
    detail = f"{step.subject}: {step.detail}" if step.subject else step.detail
    return {
        "table": step.table,
        "action": step.action,
        "detail": detail,
        "losesData": step.loses_data,
    }
