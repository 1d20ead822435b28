"""`bkend pull`: write the tables of an environment as the file that `bkend apply` reads (00 §9)."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bkend.cli.commands import Data, Env, Json, Project, Refused, Server, example, new_app
from bkend.cli.output import print_json

if TYPE_CHECKING:
    from bkend.cli.access.tables import DesignedTables
    from bkend.tables.models import Table

app = new_app()

_BLOCKS = 4
"""Levels of the file that are always spread over lines: down to one field, index or group."""


@app.command(
    epilog=example(
        "bkend pull --project app --env dev",
        "bkend pull tables.yaml --env prod --force",
        "bkend pull - --env prod --server https://api.example.com",
    )
)
def pull(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Where to write; - prints.", show_default="bkend.yaml"),
    ] = Path("bkend.yaml"),
    project: Project = None,
    env: Env = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file if it is there and differs.")
    ] = False,
    data: Data = None,
    server: Server = None,
    json: Json = False,
) -> None:
    """Write the tables of an environment as a file.

    Applied to the environment that it came from, it changes nothing.
    """
    from bkend.cli.access.opening import Where, run_at
    from bkend.cli.access.tables import TABLES, TableAccess
    from bkend.tables.declaration import declared_document
    from bkend.tables.layout import yaml_text

    async def work(access: TableAccess) -> tuple[DesignedTables, list[Table]]:
        tables = await access.at(project, env)
        return tables, await tables.list()

    source, tables = run_at(Where(data, server), TABLES, work)
    document = declared_document(tables)
    text = yaml_text(document, _BLOCKS)
    if str(file) == "-":
        if json:
            print_json(document)
        else:
            typer.echo(text, nl=False)
    else:
        written = _write(file, text.encode(), force=force)
        if json:
            names = list(document["tables"])
            print_json({"file": str(file), "tables": names, "written": written})
        else:
            count = f"{len(tables)} table{'' if len(tables) == 1 else 's'}"
            done = f"Wrote {count} of {source.place} to {file}."
            typer.echo(done if written else f"{file} already holds the tables of {source.place}.")
    for doubt in _doubts(text.encode(), tables):
        typer.echo(f"bkend: `bkend apply` will refuse this file: {doubt}", err=True)


def _write(file: Path, text: bytes, *, force: bool) -> bool:
    """Whether there was anything to write. Refused for another file that is there."""
    try:
        with file.open("xb") as new:
            new.write(text)
        return True
    except FileExistsError:
        pass
    except OSError as error:
        raise Refused(f"cannot write {file}: {error.strerror}") from error
    try:
        if file.read_bytes() == text:
            return False
        if not force:
            raise Refused(f"{file} is there already and differs; give --force to replace it")
        _replace(file, text)
    except OSError as error:
        raise Refused(f"cannot write {file}: {error.strerror}") from error
    return True


def _replace(file: Path, text: bytes) -> None:
    """Whole or not at all: written beside, with the mode of the old one, and put in its place."""
    target = file.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as new:
            new.write(text)
        shutil.copymode(target, name)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _doubts(text: bytes, tables: list[Table]) -> list[str]:
    """What keeps the file from being applied where it came from: tables that were valid once, such
    as row filters over a field whose type has changed since."""
    from bkend.query.row_filters import check_filter
    from bkend.tables.declared import FileProblem
    from bkend.tables.file import read_tables

    held = {table.name: table for table in tables}
    try:
        for declared in read_tables(text, "it", check_filter):
            declared.definition(held[declared.name])
    except FileProblem as problem:
        return str(problem).splitlines()
    return []
