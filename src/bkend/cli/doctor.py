"""`bkend doctor`: whether the installation is well (00 §8)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bkend.cli.commands import Data, Json, Refused, example, new_app, settings_of
from bkend.cli.output import console, print_json, print_table

if TYPE_CHECKING:
    from bkend.core import Core
    from bkend.doctor.findings import Result
    from bkend.doctor.orphans import Findings, Orphan, Told

app = new_app()

_MOST_SHOWN = 20
_WORDS = {
    "object": "object without a row",
    "parts": "parts of an upload without a row",
    "file": "file without bytes",
    "upload": "upload without bytes",
    "avatar": "picture of a user without bytes",
}
_ELSEWHERE = (
    "there is not one object, though files are registered: is BKEND_STORAGE_URL right, is the disk "
    "there? nothing was removed"
)


@app.command(
    epilog=example(
        "bkend doctor", "bkend doctor --storage", "bkend doctor --storage --fix --yes --json"
    )
)
def doctor(
    storage: Annotated[
        bool,
        typer.Option("--storage", help="Look for objects without a row, and rows without bytes."),
    ] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Remove what --storage found, after asking.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Check database, storage, mail, clock, addresses, permissions, indexes.

    Exits with 1 when there is a problem; warnings are not one.
    """
    import asyncio

    if fix and not storage:
        raise typer.BadParameter("it goes with --storage", param_hint="--fix")
    settings = settings_of(data)
    report = asyncio.run(_examine(settings, storage=storage, fix=fix, yes=yes, json=json))
    if json:
        print_json(report.as_json())
    report.conclude()


class _Report:
    """What was found, for people and for machines."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.search: Findings | None = None
        self.removed = 0
        self.refusal = ""

    def as_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "ok": not self.problems(),
            "checks": [result.as_json() for result in self.results],
        }
        if self.search is not None:
            shown["orphans"] = {
                "objects": self.search.objects,
                "rows": self.search.rows,
                "foreign": self.search.foreign,
                "removed": self.removed,
                "items": [_public(orphan) for orphan in self.search.orphans],
            }
        return shown

    def problems(self) -> list[str]:
        """The names of what is not well."""
        names = [result.name for result in self.results if result.outcome == "problem"]
        if self.search is not None and len(self.search.orphans) > self.removed:
            names.append("orphans")
        return names

    def conclude(self) -> None:
        """Raises Refused when something is not well."""
        if self.refusal:
            raise Refused(self.refusal)
        if names := self.problems():
            word = "problem" if len(names) == 1 else "problems"
            raise Refused(f"{len(names)} {word}: {', '.join(names)}")


async def _examine(settings: Any, *, storage: bool, fix: bool, yes: bool, json: bool) -> _Report:
    from bkend.doctor.examination import admit, examine

    report = _Report()
    async with AsyncExitStack() as stack:
        patient = await admit(stack, settings)
        report.results = [result async for result in examine(patient)]
        if not json:
            _print(report.results)
        if storage and patient.core is not None:
            await _look_for_orphans(patient.core, report, fix=fix, yes=yes, json=json)
    return report


async def _look_for_orphans(
    core: Core, report: _Report, *, fix: bool, yes: bool, json: bool
) -> None:
    from bkend.doctor.orphans import Search
    from bkend.doctor.tidying import remove
    from bkend.store import StoreError

    try:
        with _progress() as told:
            report.search = search = await Search(core, told).find()
    except StoreError as error:
        report.refusal = f"the search for orphans was given up: {error}"
        return
    if not json:
        _print_orphans(search)
    if not fix or not search.orphans:
        return
    if search.is_suspicious:
        report.refusal = _ELSEWHERE
        return
    report.refusal = "" if yes else _ask(json, len(search.orphans))
    if report.refusal:
        return
    with _progress() as told:
        report.removed = await remove(core, search.orphans, told)
    if not json:
        typer.echo(f"Removed {report.removed} of {len(search.orphans)}.")


def _ask(json: bool, count: int) -> str:
    """Why not to go on; empty to go on."""
    if json or not sys.stdin.isatty():
        return f"{count} orphans would be removed, for good; give --yes to do it"
    if not typer.confirm(f"Remove these {count}, for good?", err=True):
        return "nothing was removed"
    return ""


@contextmanager
def _progress() -> Iterator[Told]:
    """A bar for people, on long work."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console(err=True), transient=True, disable=not sys.stderr.isatty()
    ) as progress:
        task = progress.add_task("", total=None)

        def told(what: str, done: int, total: int | None) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield told


def _print(results: list[Result]) -> None:
    print_table(
        ("Check", "Result", "Found"),
        [(one.name, one.outcome, one.finding.message) for one in results],
    )
    for one in results:
        if one.finding.advice:
            typer.echo(f"\n{one.name}: {one.finding.advice}")
        for detail in one.finding.details[:_MOST_SHOWN]:
            typer.echo("  " + detail.replace("\n", "\n  "))
        _print_more(len(one.finding.details))


def _print_orphans(search: Findings) -> None:
    typer.echo(f"\n{search.objects:,} objects and {search.rows:,} rows were held together.")
    if search.foreign:
        typer.echo(
            f"{search.foreign:,} objects belong to nothing that this server knows; left alone."
        )
    if not search.orphans:
        typer.echo("There are no orphans.")
        return
    print_table(
        ("Orphan", "Environment", "Key"),
        [(_WORDS[one.kind], one.place, one.key) for one in search.orphans[:_MOST_SHOWN]],
        whole=2,
    )
    _print_more(len(search.orphans))


def _print_more(count: int) -> None:
    if count > _MOST_SHOWN:
        typer.echo(f"  … and {count - _MOST_SHOWN:,} more; see them all with --json")


def _public(orphan: Orphan) -> dict[str, str]:
    return {"kind": orphan.kind, "place": orphan.place, "key": orphan.key, "id": orphan.id}
