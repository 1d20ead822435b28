"""How the running server is (50 §11): its database, files, mail, clock and jobs."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from bkend.core import Core
from bkend.doctor import clock, mail, storage
from bkend.doctor.examination import Check, examine
from bkend.doctor.findings import Finding, ok, problem, warning
from bkend.doctor.patient import Patient
from bkend.store import StoreUnavailable

_SLOW_SECONDS = 0.5
_WORST = ("ok", "warning", "problem")


async def _database(patient: Patient) -> Finding:
    """A read and a write, and how long they take."""
    assert patient.core is not None
    engine = patient.core.database.describe()
    began = perf_counter()
    try:
        await patient.core.database.ping()
    except StoreUnavailable as error:
        return problem(str(error), "look at the log, and whether the disk is full")
    seconds = perf_counter() - began
    said = f"{engine['engine']} {engine['version']} answers in {seconds * 1000:.1f} ms"
    if seconds > _SLOW_SECONDS:
        return warning(said, "see what else uses the disk, or the way to the database")
    return ok(said)


async def _jobs(patient: Patient) -> Finding:
    """Whether what is done now and then was done the last time."""
    assert patient.core is not None
    failed = [job for job in patient.core.jobs.all() if job.error]
    if failed:
        said = tuple(f"{job.name}: {job.error}" for job in failed)
        return warning(f"{len(failed)} of the regular jobs failed", "see the log", said)
    return ok("the regular jobs are done")


CHECKS = (
    Check("database", _database),
    Check("storage", storage.look),
    Check("mail", mail.look, needs_core=False),
    Check("clock", clock.look, needs_core=False),
    Check("jobs", _jobs),
)


async def health(core: Core) -> dict[str, Any]:
    """`status`, the worst of `checks`: `ok`, `warning` or `problem`."""
    patient = Patient(core.settings, core.clock, core)
    results = [result async for result in examine(patient, CHECKS)]
    worst = max(results, key=lambda result: _WORST.index(result.outcome))
    return {"status": worst.outcome, "checks": [result.as_json() for result in results]}
