"""Whether files can be stored, and for how long there is room."""

from __future__ import annotations

import shutil
from pathlib import Path

from bkend.doctor.findings import Finding, ok, problem, warning
from bkend.doctor.patient import Patient
from bkend.objects.interface import ObjectsUnavailable

_LITTLE = 1024**3
_GIB = 1024**3


async def look(patient: Patient) -> Finding:
    """A write that leaves nothing, and the free space of a local disk."""
    assert patient.core is not None
    place = patient.settings.storage
    try:
        await patient.core.objects.check()
    except ObjectsUnavailable as error:
        advice = "free some space, or make the folder writable for the server"
        if not isinstance(place, Path):
            advice = "check BKEND_STORAGE_URL, and that the bucket can be reached from here"
        return problem(str(error), advice)
    if not isinstance(place, Path):
        return ok(f"the bucket {place.bucket!r} at {place.host} takes files")
    free = shutil.disk_usage(place).free
    shown = f"{free / _GIB:,.1f} GiB free for files"
    if free < _LITTLE:
        return warning(shown, "make room: uploads are refused when the disk is nearly full")
    return ok(shown)
