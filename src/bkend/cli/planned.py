"""A plan of changes to tables: printed, asked about, carried out. Shared by `apply` and
`promote`."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import typer

from bkend.cli.commands import Refused
from bkend.cli.output import console

if TYPE_CHECKING:
    from rich.console import Console

    from bkend.cli.access.tables import DesignedTables
    from bkend.tables.plan import Plan, Step, TableChange

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


def ask(question: str, refusal: str, *, json: bool) -> str | None:
    """Why not to go on, None to go on. Without a terminal to ask at it is `refusal`."""
    if json or not sys.stdin.isatty():
        return refusal
    # The event loop would only note an interrupt, and go on waiting for the answer.
    noting = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        typer.echo(f"{question} Go on? [y/N] ", nl=False, err=True)
        answer = sys.stdin.readline()
    finally:
        signal.signal(signal.SIGINT, noting)
    return None if answer.strip().lower() in ("y", "yes") else "nothing was changed"


async def carry_out(plan: Plan, tables: DesignedTables, *, json: bool) -> bool:
    """Take the changes one after the other, naming what was done. Raises Refused with what a
    failure left behind."""
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


async def _take(change: TableChange, tables: DesignedTables, status: Any) -> None:
    name = change.definition.name
    total = f"{await tables.count_rows(change.existing):,}" if change.existing else ""

    def erased(rows: int) -> None:
        status.update(f"{name}: erasing, {rows:,} of {total} rows")

    await tables.take(change, erased)


def _failed(error: Exception, name: str, done: list[str]) -> Exception:
    """The failure with what it left behind, when it is one that was foreseen."""
    from bkend.cli.access.remote import RemoteRefusal
    from bkend.cli.access.remote_tables import TakenInPart
    from bkend.errors import ApiError
    from bkend.tables.errors import TableChanged

    if isinstance(error, TableChanged):
        reason = f"{name} was changed by somebody else at the same moment; run it again"
    elif isinstance(error, TakenInPart):
        reason = (
            f"{error}; of {name} these were changed before: {', '.join(dict.fromkeys(error.parts))}"
        )
    elif isinstance(error, (ApiError, RemoteRefusal)):
        reason = f"{error.message}; nothing was changed in {name}"
    elif isinstance(error, Refused):
        reason = str(error)
    else:
        return error
    return Refused(reason + (f"\nalready done: {', '.join(done)}" if done else ""))


def print_plan(plan: Plan, heading: str, nothing: str, untouched: str) -> None:
    """The plan for people: under the heading, or that there is `nothing` to do."""
    out = console()
    out.print(heading if plan.changes else nothing)
    for change in plan.changes:
        _print_change(change, out)
    if plan.untouched:
        out.print(f"\n{untouched}: {', '.join(plan.untouched)}")
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


def public_steps(plan: Plan) -> list[dict[str, Any]]:
    """The steps as `--json` prints them."""
    return [
        {
            "table": step.table,
            "action": step.action,
            "detail": f"{step.subject}: {step.detail}" if step.subject else step.detail,
            "losesData": step.loses_data,
        }
        for step in plan.steps
    ]
