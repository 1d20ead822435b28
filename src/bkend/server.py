"""`bkend serve`: one port, an orderly end."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from functools import partial
from multiprocessing.connection import Connection

import structlog
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from bkend import starting
from bkend.app import build_app
from bkend.core import Core, open_core
from bkend.environment import Environment
from bkend.http.application import Application
from bkend.http.scheduling import answer_at_once
from bkend.inventory import note_usage
from bkend.logs import RecentLogs, configure_logs
from bkend.manage.hierarchy import Bootstrap
from bkend.settings import Settings
from bkend.settings_reading import LoadedSettings
from bkend.supervisor import supervise

log = structlog.get_logger("bkend")

_BACKLOG = 1024
_HOUSEKEEPING_SECONDS = 3600
_FIRST_HOUSEKEEPING_SECONDS = 1
_LOADING_AFTER_SECONDS = 0.1
_MANAGEMENT_AFTER_SECONDS = 2  # apps come first


class AddressInUse(Exception):
    """Nothing can listen at the configured address; the message says why."""


def run(loaded: LoadedSettings) -> None:
    """Serve until SIGINT or SIGTERM. Raises StoreRefused or AddressInUse before serving."""
    settings = loaded.settings
    logs = configure_logs(settings.log, settings.log_level)
    address = _listening_address(settings)
    if settings.workers == 1:
        uvloop.run(_serve(settings, address, logs))
        return
    uvloop.run(_prepare(settings))
    supervise(settings.workers, partial(_work, settings, address))


def _work(settings: Settings, address: str, parent: Connection) -> None:
    """One of several serving processes, until it is told to stop or `parent` is gone."""
    logs = configure_logs(settings.log, settings.log_level)
    uvloop.run(_serve(settings, address, logs, parent))


async def _prepare(settings: Settings) -> None:
    """What is done and said once, before several processes serve."""
    async with open_core(settings, serving=False) as core:
        await _greet(core)


async def _greet(core: Core) -> None:
    known = await core.keys.list()
    made = await core.hierarchy.bootstrap()
    setup = core.tenants.setup
    token = await setup.new_token() if await setup.required() else None
    _announce(core, made, first=not known, setup_token=token)


async def _serve(
    settings: Settings, address: str, logs: RecentLogs, parent: Connection | None = None
) -> None:
    async with open_core(settings, serving=True) as core:
        if parent is None:
            await _greet(core)
        app = build_app(core, logs)
        answer_at_once(app.begin)
        server = Server(
            app,
            address=address,
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
        if parent is not None:
            loop.add_reader(parent.fileno(), server.stop)
        starting.keep()
        log.info("serving", host=settings.host, port=settings.port)
        loading = asyncio.create_task(_load_the_rest(app))
        housekeeping = asyncio.create_task(_keep_house(core))
        watching = asyncio.create_task(core.slow_queries.keep(core.environments.get))
        counting = asyncio.create_task(core.usage.run())
        core.delivery.start(core.environments.open_all)
        await server.serve()
        loading.cancel()
        housekeeping.cancel()
        watching.cancel()
        await app.finish()
        await core.slow_queries.write(core.environments.get)
        core.usage.stop()
        await counting
        await core.delivery.stop()
        log.info("stopped")


async def _load_the_rest(app: Application) -> None:
    """Once the port is open, load the endpoints that are not needed for the first answers."""
    await asyncio.sleep(_LOADING_AFTER_SECONDS)
    await app.prepare()
    await asyncio.sleep(_MANAGEMENT_AFTER_SECONDS)
    await app.prepare_management()
    starting.done()


async def _keep_house(core: Core) -> None:
    """Soon after the start, and then now and then, remove what time has ended; a failure is logged
    and tried again later."""
    jobs = core.jobs

    async def sweep(environment: Environment) -> None:
        services = environment.services
        for work in (
            services.auth.sweep(),
            services.links.sweep(),
            services.users.sweep(),
            services.files.sweep(),
            services.mail.outbox.sweep(),
            services.mail.outbox.trim(),
            note_usage(environment, core.usage, core.clock.now_ms()),
        ):
            await jobs.part("environments", work)

    await asyncio.sleep(_FIRST_HOUSEKEEPING_SECONDS)
    while True:
        await jobs.run("trash", core.purging.finish())
        # What nobody calls has deleted users too.
        await jobs.run("environments", core.environments.each(sweep))
        await jobs.run("accounts", core.tenants.sweep())
        await jobs.run("activities", core.activities.sweep())
        await jobs.run("tokens", core.access_tokens.sweep())
        await jobs.run("idempotency", core.idempotency.sweep())
        await jobs.run("usage", core.usage.sweep())
        await jobs.run("images", core.images.sweep())
        await jobs.run("uploads", core.stray_uploads.sweep())
        await jobs.run("secrets", core.finish_rotation())
        await asyncio.sleep(_HOUSEKEEPING_SECONDS)


def _listening_address(settings: Settings) -> str:
    """The configured host as an address, once it is certain that it can be bound.

    Raises AddressInUse; the server itself would only log it.
    """
    host, port = settings.host, settings.port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        raise AddressInUse(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port"
        ) from error
    return str(address[0])


def _console(base: str, setup_token: str | None) -> list[str]:
    """Where the console is; while nobody has an account, the link that makes the first one."""
    lines = [f"  Console          {base}/console/"]
    if setup_token is not None:
        lines += [
            f"  Set up           {base}/console/setup?token={setup_token}",
            "                   (for the first account; good until the next start)",
        ]
    return lines


def _announce(core: Core, made: Bootstrap, *, first: bool, setup_token: str | None) -> None:
    """What a person needs next, on stdout."""
    settings = core.settings
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    base = (settings.public_url or f"http://{shown}:{settings.port}").rstrip("/")
    lines = [
        "",
        f"  API base         {base}",
        *_console(base, setup_token),
        f"  Guide            {base}/docs/guides/integrate",
        f"  Publishable key  {made.publishable_key}",
    ]
    if first and made.secret_key:
        lines += [
            f"  Secret key       {made.secret_key}",
            "                   (full access, shown only now; never put it in an app)",
        ]
    if first and made.management_token:
        lines += [
            f"  Management       {made.management_token}",
            "                   (token to design tables over HTTP, shown only now)",
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
