"""Whether others on the machine can read the data and its secret."""

from __future__ import annotations

import os
from pathlib import Path

from bkend.doctor.findings import Finding, ok, problem
from bkend.doctor.patient import Patient
from bkend.store import StoreError

_OTHERS = 0o077


async def look(patient: Patient) -> Finding:
    """Modes and owners of the data directory, the databases, the secret; the right secret."""
    directory = patient.settings.data
    if patient.core is not None:
        try:
            patient.core.secrets.ring()
        except StoreError as error:
            return problem(str(error), "put the file secret back from a backup")
    if not directory.exists():
        return ok("there is no data directory: everything is kept elsewhere")
    paths = [directory, directory / "secret", directory / "control.db", directory / "environments"]
    paths += [directory / "objects"]
    found = [text for path in paths if (text := _fault(path))]
    if found:
        advice = f"chmod -R go= {directory}, owned by the user that the server runs as"
        return problem(
            "others can read or change what is in the data directory", advice, tuple(found)
        )
    return ok(f"{directory} is readable by its owner only")


def _fault(path: Path) -> str:
    try:
        found = path.stat()
    except FileNotFoundError:
        return ""
    mode = found.st_mode & 0o777
    if mode & _OTHERS:
        return f"{path} has mode {mode:04o}"
    owner = os.geteuid()
    if owner not in (0, found.st_uid):
        return f"{path} belongs to another user ({found.st_uid})"
    return ""
