"""Whether the database answers, takes writes, and is sound."""

from __future__ import annotations

import shutil

from bkend.doctor.findings import Finding, ok, problem, warning
from bkend.doctor.patient import Patient, environment_documents, place_name
from bkend.store import StoreError

_RESTORE = "stop the server and restore the databases from a backup"
_MOST_SHOWN = 20
_LITTLE = 1024**3


async def look(patient: Patient) -> Finding:
    """A read, a write, the engine's own quick check of each database, and room for more data."""
    core = patient.core
    if core is None:
        return problem(patient.failure, "see docs/guides/operate, or restore from a backup")
    await core.database.ping()
    found = [f"control: {text}" for text in await core.database.control.check_integrity(quick=True)]
    count, slugs = 1, await core.hierarchy.project_slugs()
    async for document in environment_documents(core):
        name = place_name(document, slugs)
        try:
            store = await core.database.environment(document["id"])
            found += [f"{name}: {text}" for text in await store.check_integrity(quick=True)]
        except StoreError as error:
            found.append(f"{name}: {error}")
        count += 1
    engine = core.database.describe()
    described = f"{engine['engine']} {engine['version']}"
    if found:
        message = f"{described}: {len(found)} faults in the stored data"
        return problem(message, _RESTORE, tuple(found[:_MOST_SHOWN]))
    settings = patient.settings
    if settings.is_embedded and (free := shutil.disk_usage(settings.data).free) < _LITTLE:
        return warning(
            f"{described}: {free / _LITTLE:.1f} GiB free for the data",
            f"make room on the disk of {settings.data}: when it is full, writes are refused",
        )
    return ok(f"{described}, {count} sound database{'s' if count > 1 else ''}")
