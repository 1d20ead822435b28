"""Letting requests in to tables, remembered for as long as nothing that decided it changed."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TypeAlias

from bkend.auth.identity import Identity
from bkend.clock import Clock
from bkend.environment import Environment, EnvironmentServices
from bkend.errors import AuthenticationRequired
from bkend.http.exchange import Exchange
from bkend.http.gate import Gate
from bkend.manage.environments import Environments
from bkend.manage.keys import Key, Keys
from bkend.records.access import Access
from bkend.records.service import Records
from bkend.tables.permissions import Operation

_REMEMBERED = 8192
# At least this often a caller goes the whole way, which notes when keys and sessions were used.
_LONGEST_MS = 10_000

_Request: TypeAlias = tuple[str | None, str | None, str, Operation]
"""API key, Authorization header, table, operation."""


@dataclass(frozen=True, slots=True)
class _Admitted:
    """An admission with everything that it rests on."""

    key_value: str
    key: Key
    environment: weakref.ref[Environment]
    """Not held: one that nobody uses is closed, and its admissions go with it."""
    identity: Identity | None
    records: Records
    access: Access
    until: int


class TableDoor:
    """Steps 1 to 9 of 20 §1.3 for one table and operation.

    The parts an admission was decided by are themselves kept until they change, so it holds while
    each is still the very same object. The rate limit is taken every time.
    """

    def __init__(
        self, gate: Gate, keys: Keys, environments: Environments[EnvironmentServices], clock: Clock
    ) -> None:
        self._gate = gate
        self._keys = keys
        self._environments = environments
        self._clock = clock
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
        environment = held.environment()
        if environment is None:
            return None
        services = environment.services
        if not (
            self._clock.now_ms() < held.until
            and self._keys.cached(held.key_value) is held.key
            and self._environments.cached(environment.state.id) is environment
            and services.tables.cached(name) is held.access.live
            and (held.identity is None or services.identities.is_current(held.identity))
        ):
            self._held.pop(request, None)
            return None
        exchange.environment = environment
        self._gate.take_token(exchange, held.key)
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
        headers = exchange.headers
        value = headers.get("x-api-key")
        caller = await self._gate.admit(exchange, data=True, read_token=True)
        environment = exchange.environment
        assert environment is not None
        records = environment.services.records
        access = await records.admit(caller, name, operation)
        until = self._clock.now_ms() + _LONGEST_MS
        if caller.key.expires_at is not None:
            until = min(until, caller.key.expires_at)
        if caller.identity is not None:
            identity = caller.identity
            until = min(until, identity.token_expires_at, identity.session.expires_at)
        request = (value, headers.get("authorization"), name, operation)
        if len(self._held) >= _REMEMBERED:
            del self._held[next(iter(self._held))]
        gone = weakref.ref(environment, lambda _: self._held.pop(request, None))
        self._held[request] = _Admitted(
            value or "", caller.key, gone, caller.identity, records, access, until
        )
        return records, access
