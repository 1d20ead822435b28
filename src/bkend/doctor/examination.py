"""The checks in their order. Another one is a module with `look`, and a line in `CHECKS`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bkend.clock import Clock, SystemClock
from bkend.core import open_core
from bkend.doctor import addresses, clock, database, directory, indexes, mail, storage, tables
from bkend.doctor.findings import Finding, Result, problem
from bkend.doctor.patient import Patient
from bkend.settings import Settings
from bkend.store import StoreError

_AGAIN = "mend what the check of the database says, and run it again"


@dataclass(frozen=True, slots=True)
class Check:
    """A name, and what looks. `needs_core` of those that need the database."""

    name: str
    look: Callable[[Patient], Awaitable[Finding]]
    needs_core: bool = True


CHECKS: tuple[Check, ...] = (
    Check("database", database.look, needs_core=False),
    Check("storage", storage.look),
    Check("mail", mail.look, needs_core=False),
    Check("clock", clock.look, needs_core=False),
    Check("addresses", addresses.look),
    Check("directory", directory.look, needs_core=False),
    Check("tables", tables.look),
    Check("indexes", indexes.look),
)


async def examine(patient: Patient, checks: Sequence[Check] = CHECKS) -> AsyncIterator[Result]:
    """The results, one after the other; a check that fails itself is a problem too."""
    for check in checks:
        if check.needs_core and patient.core is None:
            found = problem("not looked at: the database cannot be opened", _AGAIN)
        else:
            try:
                found = await check.look(patient)
            except (StoreError, OSError) as error:
                found = problem(str(error), _AGAIN)
        yield Result(check.name, found)


async def admit(stack: AsyncExitStack, settings: Settings, at: Clock | None = None) -> Patient:
    """The installation that the settings name, opened for as long as the stack is."""
    at = at or SystemClock()
    try:
        core = await stack.enter_async_context(open_core(settings, serving=False, clock=at))
    except (StoreError, OSError) as error:
        return Patient(settings, at, None, str(error))
    return Patient(settings, at, core)
