"""The command line (00 §8). Commands import what they need when they run, so that it starts fast."""

from __future__ import annotations

import sys

from bkend.cli import about, apply, auth, keys, server
from bkend.cli.commands import new_app

app = new_app("bkend", "A self-hosted backend: sign-in and tables over one REST API.")
app.callback()(about.options)
app.command("serve", **server.SERVE)(server.serve)
app.command("init", **server.INIT)(server.init)
app.command("apply", **apply.APPLY)(apply.apply)
app.add_typer(keys.app)
app.add_typer(auth.app)
app.command("config", **about.CONFIG)(about.config)
app.command("version", **about.VERSION)(about.version)


def main() -> None:
    """Run the command line and exit with its code: 0, 1 when refused, 2 on wrong usage."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
