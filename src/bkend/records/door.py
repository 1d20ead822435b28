"""Letting requests in to tables, remembered for as long as nothing that decided it changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from bkend.errors import AuthenticationRequired
from bkend.http.admissions import Admission, Admissions
from bkend.http.exchange import Exchange
from bkend.http.gate import Gate
from bkend.records.access import Access
from bkend.records.service import Records
from bkend.tables.permissions import Operation

_REMEMBERED = 8192

_Request: TypeAlias = tuple[str | None, str | None, str, Operation]
"""API key, Authorization header, table, operation."""


@dataclass(frozen=True, slots=True)
class _Admitted:
    """An admission to a table."""

    admission: Admission
    records: Records
    access: Access


class TableDoor:
    """Steps 1 to 9 of 20 §1.3 for one table and operation.

    An admission is remembered while it holds and the table is still the very same; the rate limit
    is taken every time.
    """

    def __init__(self, gate: Gate, admissions: Admissions) -> None:
        self._gate = gate
        self._admissions = admissions
        self._held: dict[_Request, _Admitted] = {}

    def remembered(
        self, exchange: Exchange, name: str, operation: Operation
    ) -> tuple[Records, Access] | None:
        """What `admit` would answer, if that is known without waiting; raises RateLimited."""
        headers = exchange.headers
        request = (headers.get("x-api-key"), headers.get("authorization"), name, operation)
        held = self._held.get(request)
        if held is None:
            return None
        environment = self._admissions.hold(held.admission)
        if environment is None or environment.services.tables.cached(name) is not held.access.live:
            self._held.pop(request, None)
            return None
        exchange.environment = environment
        self._gate.take_token(exchange, held.admission.key)
        return held.records, held.access

    async def admit_signed_in(self, exchange: Exchange, name: str) -> Access:
        """Whoever may read and has signed in, or holds a secret key; AuthenticationRequired for
        others, before their scopes are looked at (20 §4.6)."""
        caller = await self._gate.admit(exchange, data=True, read_token=True)
        if caller.identity is None and not caller.key.is_secret:
            raise AuthenticationRequired
        assert exchange.environment is not None
        return await exchange.environment.services.records.admit(caller, name, "read")

    async def admit(
        self, exchange: Exchange, name: str, operation: Operation
    ) -> tuple[Records, Access]:
        """The records of the caller's environment and what it may do; or the first refusal."""
        caller = await self._gate.admit(exchange, data=True, read_token=True)
        assert exchange.environment is not None
        records = exchange.environment.services.records
        access = await records.admit(caller, name, operation)
        headers = exchange.headers
        request = (headers.get("x-api-key"), headers.get("authorization"), name, operation)
        forget = partial(self._held.pop, request, None)
        admission = self._admissions.of(exchange, caller.identity, forget)
        if len(self._held) >= _REMEMBERED:
            del self._held[next(iter(self._held))]
        self._held[request] = _Admitted(admission, records, access)
        return records, access
