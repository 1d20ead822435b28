"""What every command shares: its options, opening the data directory, refusals as one line."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from bkend.core import Core
    from bkend.settings import Settings

T = TypeVar("T")

Data: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="The data directory.", show_default="./bkend-data"),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Project: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="SLUG", help="The project; may be left out when there is only one."),
]
Env: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The environment; may be left out when there is only one."),
]


Server: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="URL", help="A server you have logged in to, in place of a directory."),
]


class Refused(Exception):
    """The command cannot be carried out; the message says why and what to do, one line each."""


class Commands(TyperGroup):
    """The commands, with their failures turned into a line on stderr and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except Exception as error:
            if hasattr(error, "exit_code") or isinstance(error, (typer.Abort, BrokenPipeError)):
                raise
            _explain(error)
            raise typer.Exit(1) from None


def new_app(name: str | None = None, help: str | None = None) -> typer.Typer:
    """A group of commands; without a name its commands join those of its parent."""
    return typer.Typer(
        name=name,
        help=help,
        cls=Commands,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


def example(*lines: str) -> str:
    """The end of a command's help: lines to copy."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def run(
    data: str | None,
    work: Callable[[Core], Awaitable[T]],
    *,
    make: bool = False,
    lost_secret: bool = False,
) -> T:
    """Open the data directory, do the work, close it. Without `make` it must exist already;
    with `lost_secret` its master secret need not be there."""
    settings = settings_of(data, make=make)

    import asyncio

    from bkend.core import open_core

    async def opened() -> T:
        async with open_core(settings, serving=False, lost_secret=lost_secret) as core:
            return await work(core)

    return asyncio.run(opened())


def settings_of(data: str | None, *, make: bool = False) -> Settings:
    """The settings, logs set up by them. Without `make` there must be data."""
    from bkend.logs import configure_logs
    from bkend.settings_reading import load_settings

    settings = load_settings(data=data).settings
    configure_logs(settings.log, settings.log_level)
    if not make and settings.is_embedded:
        _require_data(settings.data)
    return settings


def _require_data(directory: Path) -> None:
    if not directory.exists():
        raise Refused(
            f"there is no data directory {directory}; run `bkend init`, or name another with --data"
        )
    if not (directory / "control.db").exists():
        raise Refused(
            f"{directory} holds no data of bkend; run `bkend init`, or name another with --data"
        )


def _explain(error: Exception) -> None:
    lines = _refusal(error)
    if lines is None:
        lines = [
            f"unexpected failure, {type(error).__name__}: {error}",
            "run it again with BKEND_LOG_LEVEL=debug to see where",
        ]
        if os.environ.get("BKEND_LOG_LEVEL") == "debug":
            traceback.print_exception(error, file=sys.stderr)
            lines.pop()
    for line in lines:
        typer.echo(f"bkend: {line}", err=True)


def _refusal(error: Exception) -> list[str] | None:
    """What to tell the user of a failure that was foreseen, None for any other."""
    from bkend.errors import ApiError
    from bkend.manage.hierarchy import HierarchyProblem
    from bkend.manage.keys import KeyProblem
    from bkend.settings_reading import SettingsProblem
    from bkend.store import Conflict, StoreError

    if isinstance(error, ApiError):
        return [detail["message"] for detail in error.details] or [error.message]
    if isinstance(error, Conflict):
        return ["somebody else changed the same thing at the same moment; run it again"]
    if isinstance(error, (Refused, SettingsProblem, StoreError, KeyProblem, HierarchyProblem)):
        return str(error).splitlines()
    if isinstance(error, OSError) and error.strerror:
        return [f"{error.filename}: {error.strerror}" if error.filename else error.strerror]
    return None
