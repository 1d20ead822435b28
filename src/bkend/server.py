"""`bkend serve`: one process, one port, an orderly end."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys

import structlog
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from bkend.app import build_app
from bkend.core import Core, open_core
from bkend.logs import configure_logs
from bkend.manage.hierarchy import Bootstrap
from bkend.settings import LoadedSettings, Settings

log = structlog.get_logger("bkend")

_BACKLOG = 1024


class AddressInUse(Exception):
    """Nothing can listen at the configured address; the message says why."""


def run(loaded: LoadedSettings) -> None:
    """Serve until SIGINT or SIGTERM. Raises StoreRefused or AddressInUse before serving."""
    settings = loaded.settings
    configure_logs(settings.log, settings.log_level)
    _require_free(settings)
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    async with open_core(settings, serving=True) as core:
        known = await core.keys.list()
        made = await core.hierarchy.bootstrap()
        app = build_app(core)
        server = Server(
            app,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.RSGI,
            backlog=_BACKLOG,
            log_enabled=False,
            log_access=False,
            websockets=False,
        )
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, server.stop)
        gc.collect()
        gc.freeze()
        _announce(core, made, first=not known)
        log.info("serving", host=settings.host, port=settings.port)
        await server.serve()
        await app.finish()
        log.info("stopped")


def _require_free(settings: Settings) -> None:
    """Refuse at once when the address cannot be bound; the server itself would only log it."""
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
            probe.listen(1)
    except OSError as error:
        raise AddressInUse(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror}; "
            f"choose another with --port"
        ) from error


def _announce(core: Core, made: Bootstrap, *, first: bool) -> None:
    """What a person needs next, on stdout."""
    settings = core.settings
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    base = (settings.public_url or f"http://{shown}:{settings.port}").rstrip("/")
    lines = [
        "",
        f"  API base         {base}",
        f"  Console          {base}/console/",
        f"  Guide            {base}/docs/guides/integrate",
        f"  Publishable key  {made.publishable_key}",
    ]
    if first and made.secret_key:
        lines += [
            f"  Secret key       {made.secret_key}",
            "                   (full access, shown only now; never put it in an app)",
        ]
    lines += [
        "",
        "  Try it:",
        "",
        f"  curl -X POST {base}/v1/auth/email/signup \\",
        f"    -H 'X-API-Key: {made.publishable_key}' -H 'Content-Type: application/json' \\",
        """    -d '{"email":"ada@example.com","password":"correct horse","name":"Ada"}'""",
        "",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
