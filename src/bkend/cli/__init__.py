"""The command line (00 §8). Commands import what they need when they run: it starts fast."""

from __future__ import annotations

import io
import sys

from bkend import starting
from bkend.cli import (
    about,
    admin,
    apply,
    auth,
    doctor,
    keys,
    login,
    outbox,
    promote,
    pull,
    secrets,
    serve,
)
from bkend.cli.commands import new_app

app = new_app("bkend", help="A self-hosted backend: sign-in and tables over one REST API.")
app.callback()(about.options)
for _part in (
    serve,
    apply,
    pull,
    promote,
    keys,
    auth,
    admin,
    login,
    outbox,
    secrets,
    doctor,
    about,
):
    app.add_typer(_part.app)


def main() -> None:
    """Run the command line and exit with its code: 0, 1 when refused, 2 on wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may know ASCII only
    starting.quickly()
    try:
        app(prog_name="bkend")
    except KeyboardInterrupt:
        sys.exit(130)
