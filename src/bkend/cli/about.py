"""`bkend config`, `bkend version` and the options of `bkend` itself."""

from __future__ import annotations

import platform
from typing import Annotated

import typer

from bkend import __version__
from bkend.cli.commands import Data, Json, example, new_app
from bkend.cli.output import print_json, print_table

app = new_app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bkend {__version__}")
        raise typer.Exit


def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """A self-hosted backend: sign-in and tables over one REST API."""


@app.command(epilog=example("bkend config", "BKEND_PORT=9000 bkend config --json"))
def config(data: Data = None, json: Json = False) -> None:
    """Print the settings in force.

    With each, where it comes from. Secrets are masked.
    """
    from bkend.settings import PREFIX, masked
    from bkend.settings_reading import load_settings

    loaded = load_settings(data=data)
    items = []
    for name, source in loaded.sources.items():
        value = masked(name, getattr(loaded.settings, name))
        variable = PREFIX + name.upper()
        items.append({"name": name, "variable": variable, "value": value, "source": source})
    if json:
        print_json({"items": items})
        return
    print_table(
        ("Setting", "Value", "Source"),
        [
            (
                item["name"],
                "-" if item["value"] in (None, "") else str(item["value"]),
                item["source"],
            )
            for item in items
        ],
    )


@app.command(epilog=example("bkend version --json"))
def version(json: Json = False) -> None:
    """Print the versions of bkend, Python and SQLite."""
    import apsw

    versions = {
        "bkend": __version__,
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
    }
    if json:
        print_json(versions)
        return
    for name, shown in (("bkend", "bkend"), ("python", "Python"), ("sqlite", "SQLite")):
        typer.echo(f"{shown} {versions[name]}")
