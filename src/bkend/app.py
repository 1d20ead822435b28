"""Assembles the HTTP face of an opened core."""

from __future__ import annotations

from functools import partial

import structlog

from bkend.auth.me import MeDoor
from bkend.core import Core
from bkend.files.raw import handle_raw
from bkend.http.addresses import parse_networks
from bkend.http.admissions import Admissions
from bkend.http.application import Application
from bkend.http.gate import Background, Gate
from bkend.http.later import Later
from bkend.http.limits import Buckets, parse_rate_limit
from bkend.http.metrics import Metrics
from bkend.http.transports import AsgiApp
from bkend.images.kept import kept_image
from bkend.logs import RecentLogs
from bkend.records.door import TableDoor

log = structlog.get_logger("bkend")


def build_app(core: Core, logs: RecentLogs | None = None) -> Application:
    """The whole HTTP face of an opened core. `logs` are what server admins may read again."""
    settings = core.settings
    metrics = Metrics()
    background = Background(lambda error: log.error("background task failed", error=repr(error)))
    limit = parse_rate_limit(settings.rate_limit)
    gate = Gate(
        core.keys,
        core.environments,
        Buckets(limit) if limit else None,
        core.clock,
        background.start,
    )
    admissions = Admissions(core.keys, core.environments, core.clock)
    me = MeDoor(gate, admissions)

    def load_fixed() -> AsgiApp:
        from bkend.fixed import build_fixed

        return build_fixed(core, metrics, me)

    def load_management() -> AsgiApp:
        from bkend.management import build_management

        return build_management(core, metrics, logs or RecentLogs())

    return Application(
        gate=gate,
        door=TableDoor(gate, admissions),
        me=me,
        background=background,
        raw=partial(handle_raw, core),
        kept_image=partial(kept_image, core),
        fixed=Later(load_fixed),
        management=Later(load_management),
        database=core.database,
        metrics=metrics,
        clock=core.clock,
        trusted_proxies=parse_networks(settings.trusted_proxies),
        log_requests=settings.log_level == "debug",
    )
