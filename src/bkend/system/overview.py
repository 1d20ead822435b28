"""What runs here, and how much there is of it (51 §8)."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from bkend import __version__
from bkend.core import Core
from bkend.manage.control import ENVIRONMENTS, ORGANIZATIONS, PROJECTS
from bkend.manage.environment_records import IS_KEPT
from bkend.manage.projects import IS_THERE
from bkend.store.documents import format_time
from bkend.tenants.collections import TENANT_ACCOUNTS


def uptime(core: Core) -> dict[str, Any]:
    """`version, startedAt, uptimeSeconds` of this process."""
    return {
        "version": __version__,
        "startedAt": format_time(core.started_at),
        "uptimeSeconds": max(0, core.clock.now_ms() - core.started_at) // 1000,
    }


async def overview(core: Core) -> dict[str, Any]:
    """The versions, the engines, and the numbers."""
    settings, control = core.settings, core.database.control
    engine = core.database.describe()
    return {
        **uptime(core),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processId": os.getpid(),
        "workers": settings.workers,
        "database": {"engine": engine["engine"], "version": engine["version"]},
        "storage": "folder" if isinstance(settings.storage, Path) else "bucket",
        "mail": "captured" if core.tenants.mail.captures else "smtp",
        "publicUrl": settings.public_url,
        "counts": {
            "accounts": await control.count(TENANT_ACCOUNTS),
            "organizations": await control.count(ORGANIZATIONS, IS_THERE),
            "projects": await control.count(PROJECTS, IS_THERE),
            "environments": await control.count(ENVIRONMENTS, IS_KEPT),
            "openEnvironments": len(core.environments.opened()),
        },
    }
