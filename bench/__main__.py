"""The command line: `python -m bench`; `growth`, `auth`, `files`, `crash` … after it."""

import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import auth, crash, files, growth, images, postgresql, report, s3, store, tenants
from bench.errors import BenchError
from bench.results import FULL, QUICK, Plan
from bench.run import PEERS, Run
from bench.workloads import Workload
from bkend.settings import Settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
console = Console(width=None if sys.stdout.isatty() else 120)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    *,
    quick: Annotated[bool, typer.Option(help="About a minute: fewer documents.")] = False,
    documents: Annotated[int | None, typer.Option(min=100)] = None,
    rounds: Annotated[int | None, typer.Option(min=1)] = None,
    seconds: Annotated[int | None, typer.Option(min=1, help="Length of a round.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="A workload; repeatable.")] = None,
    peer: Annotated[list[str] | None, typer.Option(help="A server; repeatable.")] = None,
    engine: Annotated[
        Literal["sqlite", "postgresql"],
        typer.Option(help="postgresql: beside a bare asyncpg loop, without other servers."),
    ] = "sqlite",
    slug: Annotated[str | None, typer.Option(help="Name of the result files.")] = None,
    directory: Annotated[Path | None, typer.Option(help="Where the data is put.")] = None,
) -> None:
    """Measure bkend beside PocketBase and a bare endpoint."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers end with the bench
    if context.invoked_subcommand:
        return
    wanted = {_workload(name) for name in only} if only else set(Workload)
    workloads = [workload for workload in Workload if workload in wanted]  # creates come last
    size = QUICK if quick else FULL
    plan = replace(
        size,
        documents=documents or size.documents,
        rounds=rounds or size.rounds,
        seconds=seconds or size.seconds,
    )
    if engine == "postgresql":
        _on_postgresql(plan, directory, slug or ("postgresql-quick" if quick else "postgresql"))
        return
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bench-", dir=directory) as root,
            Progress(*_COLUMNS, TimeElapsedColumn(), console=console) as progress,
        ):
            run = Run(plan, [_peer(name) for name in peer or PEERS], Path(root), progress)
            outcome = run.outcome(workloads)
    except BenchError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error
    report.show(outcome, console)
    saved = store.save(outcome, slug or ("quick" if quick else "full"))
    console.print(f"written to bench/results/{saved.name}", highlight=False)


def _on_postgresql(plan: Plan, directory: Path | None, slug: str) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=directory) as root:
            sheet = postgresql.measure(plan, Path(root), console)
    except BenchError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error
    saved = postgresql.save(sheet, slug)
    console.print(f"written to bench/results/{saved.name}", highlight=False)


@app.command("s3")
def s3_command(count: Annotated[int, typer.Option(min=10)] = 10_000) -> None:
    """Sign addresses of S3 objects; fails below 3,000 a second."""
    if not s3.measure(console, count):
        raise typer.Exit(1)


@app.command("images")
def images_command(
    count: Annotated[int, typer.Option(min=1, max=98, help="Images to make.")] = 40,
    seconds: Annotated[int, typer.Option(min=1, help="Length of a round.")] = 3,
    directory: Annotated[Path | None, typer.Option(help="Where the data is put.")] = None,
) -> None:
    """Make images of a large JPEG; send kept ones beside raw bytes; fails below 70%."""
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=directory) as root:
            is_reached = images.measure(console, count, seconds, Path(root))
    except BenchError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error
    if not is_reached:
        raise typer.Exit(1)


@app.command("growth")
def growth_command(
    sizes: Annotated[str, typer.Option(help="Numbers of documents, with commas.")] = ",".join(
        map(str, growth.SIZES)
    ),
    rounds: Annotated[int, typer.Option(min=1)] = FULL.rounds,
    seconds: Annotated[int, typer.Option(min=1, help="Length of a round.")] = FULL.seconds,
    only: Annotated[list[str] | None, typer.Option(help="A workload; repeatable.")] = None,
    slug: Annotated[str, typer.Option(help="Name of the result files.")] = "growth",
    directory: Annotated[Path | None, typer.Option(help="Where the data is put.")] = None,
) -> None:
    """Measure the same traffic on tables of different size."""
    wanted = [_workload(name) for name in only] if only else growth.WORKLOADS
    counts = sorted(int(size) for size in sizes.split(","))
    plan = replace(FULL, documents=counts[-1], rounds=rounds, seconds=seconds)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bench-", dir=directory) as root,
            Progress(*_COLUMNS, TimeElapsedColumn(), console=console) as progress,
        ):
            found = growth.measure(plan, counts, wanted, Path(root), progress)
    except BenchError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error
    growth.show(found, console)
    saved = growth.save(found, slug)
    console.print(f"written to bench/results/{saved.name}", highlight=False)


@app.command("auth")
def auth_command(
    seconds: Annotated[int, typer.Option(min=1, help="Length of a lane.")] = 10,
    slug: Annotated[str, typer.Option(help="Name of the result file.")] = "auth",
    directory: Annotated[Path | None, typer.Option(help="Where the data is put.")] = None,
) -> None:
    """Measure sign-ins beside the bare password check, and reads beside sign-ins."""
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=directory) as root:
            lines = auth.measure(seconds, Path(root), console)
    except BenchError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error
    saved = auth.save(lines, slug)
    console.print(f"written to bench/results/{saved.name}", highlight=False)


@app.command("files")
def files_command(
    seconds: Annotated[int, typer.Option(min=1, help="Length of a round.")] = 4,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    slug: Annotated[str, typer.Option(help="Name of the result file.")] = "files",
    directory: Annotated[Path | None, typer.Option(help="Where the data is put.")] = None,
) -> None:
    """Measure public files beside nginx, and uploads."""
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=directory) as root:
            lines = files.measure(seconds, rounds, Path(root), console)
    except BenchError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error
    saved = files.save(lines, slug)
    console.print(f"written to bench/results/{saved.name}", highlight=False)


@app.command("tenants")
def tenants_command(
    projects: Annotated[int, typer.Option(min=1, help="Of three environments each.")] = (
        tenants.PROJECTS
    ),
    slug: Annotated[str, typer.Option(help="Name of the result files.")] = "tenants",
    directory: Annotated[Path | None, typer.Option(help="Where the data is put.")] = None,
) -> None:
    """Weigh a server with many projects: all environments open, and the default limit."""
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=directory) as root:
            limits = [3 * projects + 1, Settings.model_fields["open_environments"].default]
            outcome = tenants.measure(projects, limits, Path(root), console)
    except BenchError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error
    tenants.show(outcome, console)
    saved = tenants.save(outcome, slug)
    console.print(f"written to bench/results/{saved.name}", highlight=False)


@app.command("crash")
def crash_command(
    kills: Annotated[int, typer.Option(min=1, help="How often the server is killed.")] = 100,
) -> None:
    """Kill the server under load, again and again; nothing acknowledged may be missing."""
    try:
        crash.run(kills)
    except BenchError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from error


def _workload(name: str) -> Workload:
    found = {workload.key: workload for workload in Workload}
    if name not in found:
        raise typer.BadParameter(f"{name}: not one of {', '.join(found)}")
    return found[name]


def _peer(name: str) -> str:
    if name not in PEERS:
        raise typer.BadParameter(f"{name}: not one of {', '.join(PEERS)}")
    return name


if __name__ == "__main__":
    app()
