"""Whether the clock can be believed: signatures, tokens and retention depend on it."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import orjson

from bkend.doctor.findings import Finding, ok, problem, warning
from bkend.doctor.patient import Patient
from bkend.manage.control import ENVIRONMENTS, KEYS, PROJECTS
from bkend.store import Find, StoreError
from bkend.store.documents import format_time, parse_time

_BUILT_MS = 1_790_000_000_000
"""Later than anything of this program existed: September 2026."""
_WATCHED_SECONDS = 0.2
_SLACK_MS = 60_000
_STEP_MS = 500
_DISK_SLACK_MS = 5_000
_SET_IT = "set the clock and keep it right with NTP; then restart the server"


async def look(patient: Patient) -> Finding:
    """Against the program's age, its own pace, what is stored, and the disk's clock."""
    now = patient.clock.now_ms()
    if now < _BUILT_MS:
        return problem(f"it is {format_time(now)} here, which cannot be", _SET_IT)
    began, before = monotonic(), now
    await asyncio.sleep(_WATCHED_SECONDS)
    now = patient.clock.now_ms()
    if abs((now - before) - (monotonic() - began) * 1000) > _STEP_MS:
        return problem("the clock jumps while it is watched", _SET_IT)
    ahead = max([0, *(stored - now for stored in [*_file_times(patient), *await _rows(patient)])])
    if ahead > _SLACK_MS:
        return problem(
            f"stored data is {ahead // 1000:,} seconds in the future: the clock was, or is, wrong",
            _SET_IT,
        )
    off = await asyncio.to_thread(_disk_offset, patient.settings.data, patient)
    if off is not None and abs(off) > _DISK_SLACK_MS:
        return warning(
            f"the disk of {patient.settings.data} is {off / 1000:+.1f} seconds off: is it a "
            "network's?",
            "keep the data directory on a local disk",
        )
    return ok(format_time(now))


def _file_times(patient: Patient) -> Iterator[int]:
    """When the files of the data directory were changed, in ms."""
    directory = patient.settings.data
    for path in [*directory.glob("*"), *directory.glob("environments/*")]:
        try:
            yield path.stat().st_mtime_ns // 1_000_000
        except FileNotFoundError:
            pass


async def _rows(patient: Patient) -> list[int]:
    """When the newest rows of the server were made, in ms."""
    if patient.core is None:
        return []
    found = []
    for collection in (PROJECTS, ENVIRONMENTS, KEYS):
        try:
            page = await patient.core.database.control.find(Find(collection, limit=1))
        except StoreError:
            continue
        found += [parse_time(document["createdAt"]) for document in orjson.loads(page.items)]
    return found


def _disk_offset(directory: Path, patient: Patient) -> int | None:
    """By how much a file written now is off, in ms; None where none can be written."""
    try:
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".doctor-") as file:
            file.write(b"x")
            file.flush()
            return os.fstat(file.fileno()).st_mtime_ns // 1_000_000 - patient.clock.now_ms()
    except OSError:
        return None
