"""`bkend secrets`: replacing the master secret, and going on after it was lost (51 §10)."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bkend.cli.commands import Data, Json, Refused, example, new_app, run
from bkend.cli.output import console, print_json

if TYPE_CHECKING:
    from bkend.core import Core
    from bkend.manage.rotation import Sealed

app = new_app("secrets", help="The master secret: replace it, or go on without it.")

_GRACE = re.compile(r"([0-9]{1,6})([smhd])")
_UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_HOW_TO_CONFIGURE = """\
BKEND_SECRET is set, so the master secret is replaced where that is set:
make a new one with `openssl rand -hex 32`, put it in BKEND_SECRET,
and the one in use now in BKEND_SECRET_PREVIOUS; restart every server,
run `bkend secrets rotate` with both set,
and remove BKEND_SECRET_PREVIOUS when users had time to come back"""


@app.command(epilog=example("bkend secrets rotate", "bkend secrets rotate --grace 7d --json"))
def rotate(
    grace: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="How long tokens of the old secret stay good: 0s, 30m, 1h, 7d.",
        ),
    ] = "1h",
    data: Data = None,
    json: Json = False,
) -> None:
    """Put a new master secret in force.

    New tokens are signed with it at once, stored secrets are encrypted with it. A running
    server goes on. Whoever does not come back within the grace time signs in again.
    """
    grace_ms = _milliseconds(grace)

    async def work(core: Core) -> dict[str, Any]:
        from bkend.secret import SecretFile
        from bkend.store.documents import format_time

        secrets = core.secrets
        if not isinstance(secrets, SecretFile):
            if not secrets.ring().previous:
                raise Refused(_HOW_TO_CONFIGURE)
            return _answer(await _reseal(core), rotated=False, until=None)
        await core.finish_rotation()
        now = core.clock.now_ms()
        secrets.rotate(grace_ms, now)
        await core.master_secrets.note_rotation(secrets.ring())
        sealed = await _reseal(core)
        return _answer(sealed, rotated=True, until=format_time(now + grace_ms))

    done = run(data, work)
    if json:
        print_json(done)
        return
    if done["rotated"]:
        typer.echo("A new master secret is in force.")
        typer.echo(f"Tokens of the old one are good until {done['acceptedUntil']}.")
    typer.echo(f"Stored secrets encrypted anew: {done['resealed']}")
    if done["unopened"]:
        typer.echo(f"Stored secrets that no master secret opens: {done['unopened']}")


@app.command("accept-loss", epilog=example("bkend secrets accept-loss --yes"))
def accept_loss(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Go on with a new master secret when the old one is lost.

    Everybody must sign in again. Secrets of sign-in providers are removed, and second factors
    are switched off: their users sign in with the password alone until they enable one again.
    """
    if not yes:
        _ask(json)

    async def work(core: Core) -> dict[str, Any]:
        from bkend.auth.collections import SESSIONS
        from bkend.store import ALWAYS, DeleteWhere

        ring = core.secrets.ring()
        if not await core.master_secrets.is_lost(ring):
            raise Refused("nothing is lost: the master secret is the one of this data")
        sessions = 0
        async for store in core.sealed.stores():
            if store.collection(SESSIONS) is not None:
                [ended] = await store.commit([DeleteWhere(SESSIONS, ALWAYS)])
                sessions += ended if isinstance(ended, int) else 0
        lost = await core.sealed.forget_lost()
        await core.master_secrets.note_rotation(ring)
        return {"sessionsEnded": sessions, "secretsRemoved": lost}

    done = run(data, work, lost_secret=True)
    if json:
        print_json(done)
        return
    typer.echo("The data belongs to the master secret that is here now.")
    typer.echo(f"Sessions ended: {done['sessionsEnded']}")
    typer.echo(f"Stored secrets removed: {done['secretsRemoved']}")


def _milliseconds(grace: str) -> int:
    match = _GRACE.fullmatch(grace)
    if match is None:
        raise typer.BadParameter("write a time such as 30m, 1h or 7d", param_hint="--grace")
    return int(match[1]) * _UNIT_MS[match[2]]


async def _reseal(core: Core) -> Sealed:
    """With a progress bar for people, once there is something to watch."""
    from rich.progress import Progress

    count = await core.sealed.count()
    with Progress(
        console=console(err=True), transient=True, disable=not (count and sys.stderr.isatty())
    ) as progress:
        task = progress.add_task("Encrypting stored secrets", total=count)
        return await core.sealed.reseal(lambda: progress.advance(task))


def _answer(sealed: Sealed, *, rotated: bool, until: str | None) -> dict[str, Any]:
    return {
        "rotated": rotated,
        "acceptedUntil": until,
        "resealed": sealed.resealed,
        "unopened": sealed.unopened,
    }


def _ask(json: bool) -> None:
    question = "Sign everybody out and drop what only the old secret opens?"
    if json or not sys.stdin.isatty():
        raise Refused("this signs everybody out and removes stored secrets; give --yes to do it")
    if not typer.confirm(question, err=True):
        raise Refused("nothing was changed")
